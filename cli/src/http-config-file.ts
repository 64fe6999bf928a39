import { readFileSync } from 'node:fs'
import { ConfigError } from '@narthex/config/config-error'
import { defaultHttpClientConfig, httpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import { decodeYaml } from '@narthex/config/yaml-decode'
import { flag } from '@narthex/service/flag-spec'
import { UserError } from '@narthex/service/user-error'

/** Of every command that asks a server. */
export const httpConfigFileFlag = flag.text(
  'http.config.file',
  'HTTP client configuration file: authentication, TLS, proxies and headers, as in http_config.',
  '',
  { placeholder: '<filename>' },
)

/** Reads `--http.config.file`; undefined for ''. Throws UserError with the place of what is wrong. */
export function readHttpConfigFile(program: string, path: string): HttpClientConfig | undefined {
  if (path === '') return undefined
  try {
    return decodeYaml(readFileSync(path, 'utf8'), httpClientConfig, () => defaultHttpClientConfig, { path })
  } catch (cause) {
    const text = cause instanceof ConfigError ? cause.message : `cannot read ${path}: ${(cause as Error).message}`
    throw new UserError(`${program}: --http.config.file: ${text}`, 1, { cause })
  }
}
