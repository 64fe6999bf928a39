import { parseGoFloat } from '@narthex/model/number'
import { textOf } from './resp-value.ts'
import type { RespValue } from './resp-reader.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Clients shown; a server may have tens of thousands, and each is a dozen series. */
export const clientsMax = 10_000

/** Numbers of CLIENT LIST and their families. */
const numberFields: readonly (readonly [field: string, family: string, help: string])[] = [
  ['sub', 'channel_subscriptions_count', 'Channels that a client subscribed to.'],
  ['obl', 'output_buffer_length_bytes', 'Output buffer of a client.'],
  ['omem', 'output_buffer_memory_usage_bytes', 'Memory of the output buffers of a client.'],
  ['oll', 'output_list_length', 'Replies that wait outside the output buffer of a client.'],
  ['psub', 'pattern_matching_subscriptions_count', 'Patterns that a client subscribed to.'],
  ['qbuf-free', 'query_buffer_free_space_bytes', 'Free bytes of the query buffer of a client.'],
  ['qbuf', 'query_buffer_length_bytes', 'Query buffer of a client.'],
  ['ssub', 'shard_channel_subscriptions_count', 'Shard channels that a client subscribed to.'],
  ['watch', 'shard_channel_watched_keys', 'Keys that a client watches.'],
  ['tot-mem', 'total_memory_consumed_bytes', 'Memory of the buffers of a client.'],
]

/** Writes the answer of CLIENT LIST. */
export function writeClients(writer: TargetWriter, reply: RespValue, withPort: boolean, nowMs: number): void {
  const info: Row[] = []
  const rows = new Map<string, Row[]>()
  const now = Math.floor(nowMs / 1000)
  const lines = (textOf(reply) ?? '').split('\n', clientsMax)
  for (const line of lines) {
    const client = readClient(line)
    const address = client.get('addr')
    if (address === undefined) continue
    const labels = ['id', client.get('id') ?? '', 'name', client.get('name') ?? '']
    info.push({ labels: infoLabels(client, address, withPort), value: 1 })
    const add = (family: string, value: number | undefined): void => {
      if (value === undefined) return
      const known = rows.get(family)
      if (known === undefined) rows.set(family, [{ labels, value }])
      else known.push({ labels, value })
    }
    const age = parseGoFloat(client.get('age') ?? '')
    const idle = parseGoFloat(client.get('idle') ?? '')
    add('created_at_timestamp', age === undefined ? undefined : now - age)
    add('idle_since_timestamp', idle === undefined ? undefined : now - idle)
    for (const [field, family] of numberFields) add(family, parseGoFloat(client.get(field) ?? ''))
  }
  const write = (family: string, help: string): void =>
    writeSorted(writer, `connected_client_${family}`, help, 'gauge', rows.get(family) ?? [])
  writeSorted(writer, 'connected_client_info', 'Connected clients as labels.', 'gauge', info)
  write('created_at_timestamp', 'Unix time at which a client connected.')
  write('idle_since_timestamp', 'Unix time since which a client has been idle.')
  for (const [, family, help] of numberFields) write(family, help)
}

function readClient(line: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const word of line.trim().split(' ')) {
    const equals = word.indexOf('=')
    if (equals > 0) fields.set(word.slice(0, equals), word.slice(equals + 1))
  }
  return fields
}

function infoLabels(client: ReadonlyMap<string, string>, address: string, withPort: boolean): string[] {
  const colon = address.lastIndexOf(':')
  const labels = ['db', client.get('db') ?? '', 'flags', client.get('flags') ?? '']
  labels.push('host', colon < 0 ? address : address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'))
  labels.push('id', client.get('id') ?? '', 'name', client.get('name') ?? '')
  if (withPort) labels.push('port', colon < 0 ? '' : address.slice(colon + 1))
  for (const optional of ['resp', 'user']) {
    const value = client.get(optional)
    if (value !== undefined) labels.push(optional, value)
  }
  return labels
}
