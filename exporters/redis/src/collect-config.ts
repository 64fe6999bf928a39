import { parseGoFloat } from '@narthex/model/number'
import type { RespValue } from './resp-reader.ts'
import { itemsOf, textOf } from './resp-value.ts'
import type { RedisSettings } from './settings.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Settings of the server that hold secrets. */
const secretKeys: ReadonlySet<string> = new Set([
  'masterauth',
  'primaryauth',
  'requirepass',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
  'sentinel-pass',
])

/** Settings with a family of their own. */
const familyNames: ReadonlyMap<string, string> = new Map([
  ['io-threads', 'config_io_threads'],
  ['maxclients', 'config_maxclients'],
  ['maxmemory', 'config_maxmemory'],
  ['repl-backlog-size', 'config_repl_backlog_size'],
])

/** Settings that are looked at, too. */
const ownKeys: ReadonlySet<string> = new Set(['client-output-buffer-limit', 'databases'])

/** Writes what CONFIG GET * answered; gives the number of databases, undefined if it was not told. */
export function writeConfig(
  writer: TargetWriter,
  reply: RespValue,
  { includesConfig, redactsConfig }: Pick<RedisSettings, 'includesConfig' | 'redactsConfig'>,
): number | undefined {
  const texts: Row[] = []
  const numbers: Row[] = []
  let databases: number | undefined
  const items = itemsOf(reply)
  for (let i = 0; i + 1 < items.length; i += 2) {
    const key = textOf(items[i]) ?? ''
    const family = familyNames.get(key)
    // There are hundreds of settings, and by default a handful is looked at.
    if (!includesConfig && family === undefined && !ownKeys.has(key)) continue
    const value = textOf(items[i + 1])
    if (value === undefined) continue
    const number = parseGoFloat(value)
    if (key === 'databases' && number !== undefined && Number.isSafeInteger(number) && number > 0) databases = number
    if (key === 'client-output-buffer-limit') writeBufferLimits(writer, value)
    if (family !== undefined && number !== undefined) writer.gauge(family, `Setting ${key} of the server.`, number)
    if (!includesConfig || (redactsConfig && secretKeys.has(key))) continue
    texts.push({ labels: ['key', key, 'value', value], value: 1 })
    if (number !== undefined) numbers.push({ labels: ['key', key], value: number })
  }
  writeSorted(writer, 'config_key_value', 'Settings of the server as labels.', 'gauge', texts)
  writeSorted(writer, 'config_value', 'Settings of the server that are numbers.', 'gauge', numbers)
  return databases
}

// normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60: class, hard limit, soft limit, seconds above the soft limit.
function writeBufferLimits(writer: TargetWriter, text: string): void {
  const words = text.split(' ')
  const bytes: Row[] = []
  const seconds: Row[] = []
  for (let i = 0; i + 3 < words.length; i += 4) {
    const [name = '', hard = '', soft = '', overcome = ''] = words.slice(i, i + 4)
    const add = (rows: Row[], limit: string, value: string): void => {
      const number = parseGoFloat(value)
      if (number !== undefined) rows.push({ labels: ['class', name, 'limit', limit], value: number })
    }
    add(bytes, 'hard', hard)
    add(bytes, 'soft', soft)
    add(seconds, 'soft', overcome)
  }
  writeSorted(writer, 'config_client_output_buffer_limit_bytes', 'Limits of output buffers by class of client.', 'gauge', bytes)
  writeSorted(
    writer,
    'config_client_output_buffer_limit_overcome_seconds',
    'Seconds that an output buffer may be above its soft limit, by class of client.',
    'gauge',
    seconds,
  )
}
