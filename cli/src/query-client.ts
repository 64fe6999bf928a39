import { parseTimestampSeconds } from '@narthex/model/timestamp'
import { UserError } from '@narthex/service/user-error'
import { ApiClient } from './api-client.ts'
import { readHttpConfigFile } from './http-config-file.ts'

// What the kinds of `narthex query` share.

/** Seconds; the preset for ''. Throws UserError. */
export function readTime(text: unknown, what: string, preset?: number): number | undefined {
  if (typeof text !== 'string' || text === '') return preset
  const seconds = parseTimestampSeconds(text)
  if (seconds === undefined) throw new UserError(`error parsing ${what}: cannot parse ${JSON.stringify(text)} to a valid timestamp`)
  return seconds
}

/** Throws UserError for what is no address or no configuration. */
export function openClient(server: string, headers: Readonly<Record<string, string>>, httpConfigFile: string): ApiClient {
  const config = readHttpConfigFile('narthex query', httpConfigFile)
  try {
    return new ApiClient(server, 'narthex-query', headers, config)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ERR_INVALID_URL' ? '' : `: ${(cause as Error).message}`
    throw new UserError(`narthex query: cannot parse server address ${JSON.stringify(server)}${reason}`, 1, { cause })
  }
}
