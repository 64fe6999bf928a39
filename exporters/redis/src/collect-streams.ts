import type { KeyArgument } from './key-arguments.ts'
import { locateKeys, type KeyPlaces } from './key-places.ts'
import type { RedisClient } from './redis-client.ts'
import type { RespValue } from './resp-reader.ts'
import { errorOf, fieldsOf, integerOf, itemsOf, textOf } from './resp-value.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Groups looked at per stream. */
export const groupsMax = 1_000

export interface StreamOptions {
  readonly checkStreams: readonly KeyArgument[]
  readonly checkSingleStreams: readonly KeyArgument[]
  readonly excludesConsumers: boolean
}

type Fields = ReadonlyMap<string, RespValue>

interface FamilySpec {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly read: (fields: Fields) => number | undefined
}

const integerField =
  (field: string) =>
  (fields: Fields): number | undefined =>
    integerOf(fields.get(field))
// 1638006862416-0: milliseconds and a counter.
const idOf = (value: RespValue | undefined): number | undefined => integerOf(/^[0-9]+/.exec(textOf(value) ?? '')?.[0] ?? null)

const streamFamilies: readonly FamilySpec[] = [
  { name: 'stream_entries_added_total', help: 'Entries ever added to a stream.', type: 'counter', read: integerField('entries-added') },
  {
    name: 'stream_first_entry_id',
    help: 'Time part of the id of the first entry of a stream.',
    type: 'gauge',
    read: (fields) => idOf(itemsOf(fields.get('first-entry'))[0]),
  },
  { name: 'stream_groups', help: 'Groups of a stream.', type: 'gauge', read: integerField('groups') },
  {
    name: 'stream_last_entry_id',
    help: 'Time part of the id of the last entry of a stream.',
    type: 'gauge',
    read: (fields) => idOf(itemsOf(fields.get('last-entry'))[0]),
  },
  {
    name: 'stream_last_generated_id',
    help: 'Time part of the id that a stream gave last.',
    type: 'gauge',
    read: (fields) => idOf(fields.get('last-generated-id')),
  },
  { name: 'stream_length', help: 'Entries of a stream.', type: 'gauge', read: integerField('length') },
  {
    name: 'stream_max_deleted_entry_id',
    help: 'Time part of the largest id that was deleted from a stream.',
    type: 'gauge',
    read: (fields) => idOf(fields.get('max-deleted-entry-id')),
  },
  { name: 'stream_radix_tree_keys', help: 'Keys of the radix tree of a stream.', type: 'gauge', read: integerField('radix-tree-keys') },
  { name: 'stream_radix_tree_nodes', help: 'Nodes of the radix tree of a stream.', type: 'gauge', read: integerField('radix-tree-nodes') },
]

const groupFamilies: readonly FamilySpec[] = [
  { name: 'stream_group_consumers', help: 'Consumers of a group.', type: 'gauge', read: integerField('consumers') },
  { name: 'stream_group_entries_read', help: 'Entries that a group has read.', type: 'gauge', read: integerField('entries-read') },
  { name: 'stream_group_lag', help: 'Entries that a group has still to read.', type: 'gauge', read: integerField('lag') },
  {
    name: 'stream_group_last_delivered_id',
    help: 'Time part of the id that a group got last.',
    type: 'gauge',
    read: (fields) => idOf(fields.get('last-delivered-id')),
  },
  { name: 'stream_group_messages_pending', help: 'Entries that a group has not confirmed.', type: 'gauge', read: integerField('pending') },
]

const consumerFamilies: readonly FamilySpec[] = [
  {
    name: 'stream_group_consumer_idle_seconds',
    help: 'Seconds since a consumer last tried to read.',
    type: 'gauge',
    read: (fields) => {
      const milliseconds = integerOf(fields.get('idle'))
      return milliseconds === undefined ? undefined : milliseconds / 1000
    },
  },
  {
    name: 'stream_group_consumer_messages_pending',
    help: 'Entries that a consumer has not confirmed.',
    type: 'gauge',
    read: integerField('pending'),
  },
]

/** The streams that are asked for, with their groups and consumers. */
export async function collectStreams(places: KeyPlaces, writer: TargetWriter, options: StreamOptions): Promise<void> {
  const rows = new Map<FamilySpec, Row[]>()
  const add = (specs: readonly FamilySpec[], labels: readonly string[], fields: Fields): void => {
    for (const spec of specs) {
      const value = spec.read(fields)
      if (value === undefined) continue
      const known = rows.get(spec)
      if (known === undefined) rows.set(spec, [{ labels, value }])
      else known.push({ labels, value })
    }
  }
  for await (const { client, database, keys } of locateKeys(places, options.checkStreams, options.checkSingleStreams)) {
    const streams = await client.callAll(keys.map((key) => ['XINFO', 'STREAM', key]))
    const groups = await client.callAll(keys.map((key) => ['XINFO', 'GROUPS', key]))
    for (const [index, key] of keys.entries()) {
      const stream = key.toString('utf8')
      const failure = errorOf(streams[index])
      // A pattern may match keys that are no streams.
      if (failure !== undefined) {
        if (!failure.startsWith('WRONGTYPE')) places.warn(`cannot read stream ${JSON.stringify(stream)}: ${failure}`)
        continue
      }
      const labels = ['stream', stream]
      add(streamFamilies, ['db', `db${database}`, ...labels], fieldsOf(streams[index]))
      const details = itemsOf(groups[index])
        .slice(0, groupsMax)
        .map((group) => fieldsOf(group))
      for (const group of details) add(groupFamilies, ['db', `db${database}`, 'group', nameOf(group), ...labels], group)
      if (options.excludesConsumers) continue
      for (const { group, consumer } of await readConsumers(client, key, details)) {
        add(consumerFamilies, ['consumer', nameOf(consumer), 'db', `db${database}`, 'group', group, ...labels], consumer)
      }
    }
  }
  for (const spec of [...streamFamilies, ...groupFamilies, ...consumerFamilies]) {
    writeSorted(writer, spec.name, spec.help, spec.type, rows.get(spec) ?? [])
  }
}

async function readConsumers(
  client: RedisClient,
  key: Buffer,
  groups: readonly Fields[],
): Promise<readonly { readonly group: string; readonly consumer: Fields }[]> {
  const names = groups.map((group) => group.get('name')).filter((name) => Buffer.isBuffer(name))
  const replies = await client.callAll(names.map((name) => ['XINFO', 'CONSUMERS', key, name]))
  return replies.flatMap((reply, index) =>
    itemsOf(reply).map((consumer) => ({ group: names[index]!.toString('utf8'), consumer: fieldsOf(consumer) })),
  )
}

function nameOf(fields: Fields): string {
  return textOf(fields.get('name')) ?? ''
}
