import { UserError } from '@narthex/service/user-error'
import { ApiClient } from './api-client.ts'
import { readHttpConfigFile } from './http-config-file.ts'

// What the kinds of `narthex query` share.

/** Seconds; the preset for ''. Throws UserError. */
export function readTime(text: unknown, what: string, preset?: number): number | undefined {
  if (typeof text !== 'string' || text === '') return preset
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
  const seconds = isNumber ? Number(text) : /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) / 1000 : NaN
  if (Number.isNaN(seconds)) throw new UserError(`error parsing ${what}: cannot parse ${JSON.stringify(text)} to a valid timestamp`)
  return seconds
}

/** Throws UserError for what is no address or no configuration. */
export function openClient(server: string, headers: Readonly<Record<string, string>>, httpConfigFile: string): ApiClient {
  const config = readHttpConfigFile('narthex query', httpConfigFile)
  try {
    return new ApiClient(server, 'narthex-query', headers, config)
  } catch (cause) {
    throw new UserError(`narthex query: cannot parse server address ${JSON.stringify(server)}`, 1, { cause })
  }
}
