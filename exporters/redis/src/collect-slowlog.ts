import type { RespValue } from './resp-reader.ts'
import { fieldsOf, integerOf, itemsOf } from './resp-value.ts'
import type { TargetWriter } from './target-writer.ts'

/** Writes the answers of SLOWLOG LEN and SLOWLOG GET 1. */
export function writeSlowlog(writer: TargetWriter, length: RespValue, newest: RespValue): void {
  const count = integerOf(length)
  if (count !== undefined) writer.gauge('slowlog_length', 'Entries of the slow log.', count)
  const [id, , microseconds] = itemsOf(itemsOf(newest)[0])
  const lastId = integerOf(id)
  const duration = integerOf(microseconds)
  if (count === undefined) return
  // An empty log has no last entry; the original shows zeros then.
  writer.gauge('slowlog_last_id', 'Number of the last entry of the slow log.', lastId ?? 0)
  writer.gauge('last_slow_execution_duration_seconds', 'Length of the last slow execution.', (duration ?? 0) / 1e6)
}

/** Valkey's three logs with the names of their settings. */
export const commandlogKinds: readonly { readonly kind: string; readonly family: string }[] = [
  { kind: 'slow', family: 'commandlog_slow_length' },
  { kind: 'large-request', family: 'commandlog_large_request_length' },
  { kind: 'large-reply', family: 'commandlog_large_reply_length' },
]

const commandlogSettings: readonly string[] = [
  'commandlog-execution-slower-than',
  'commandlog-large-reply-max-len',
  'commandlog-large-request-max-len',
  'commandlog-reply-larger-than',
  'commandlog-request-larger-than',
  'commandlog-slow-execution-max-len',
]

/** Writes the answers of COMMANDLOG LEN, one per kind, and of CONFIG GET. */
export function writeCommandlog(writer: TargetWriter, lengths: readonly RespValue[], config: RespValue): void {
  for (const [index, { kind, family }] of commandlogKinds.entries()) {
    const length = integerOf(lengths[index])
    if (length !== undefined) writer.gauge(family, `Entries of the command log of kind ${kind}.`, length)
  }
  const settings = fieldsOf(config)
  for (const setting of commandlogSettings) {
    const value = integerOf(settings.get(setting))
    if (value !== undefined) writer.gauge(setting.replaceAll('-', '_'), `Setting ${setting} of the server.`, value)
  }
}
