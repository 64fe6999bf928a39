import { selectDatabase } from './scan-keys.ts'
import type { RedisClient } from './redis-client.ts'
import { errorOf, integerOf, itemsOf, textOf } from './resp-value.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Groups remembered per database while it is walked over; keys of further ones are counted as overflow. */
export const groupsMax = 100_000

const unclassified = 'unclassified'
const overflow = 'overflow'

// One call looks at one batch of SCAN, so the server is held up no longer than by a SCAN of the same size. Answers the next cursor and
// group, keys and bytes by turns. A group is what the captures of the first pattern that matches give, joined; without captures the match.
const script = `
local batch = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local order, counts, bytes = {}, {}, {}
for _, key in ipairs(batch[2]) do
  local group = '${unclassified}'
  for i = 3, #ARGV do
    local captures = {string.match(key, ARGV[i])}
    if #captures > 0 then
      group = table.concat(captures)
      break
    end
  end
  if counts[group] == nil then
    order[#order + 1] = group
    counts[group] = 0
    bytes[group] = 0
  end
  counts[group] = counts[group] + 1
  bytes[group] = bytes[group] + (redis.call('MEMORY', 'USAGE', key) or 0)
end
local answer = {}
for _, group in ipairs(order) do
  answer[#answer + 1] = group
  answer[#answer + 1] = counts[group]
  answer[#answer + 1] = bytes[group]
end
return {batch[1], answer}
`

interface Group {
  count: number
  bytes: number
}

export interface KeyGroupOptions {
  /** Lua patterns, tried in this order. */
  readonly patterns: readonly string[]
  /** Groups shown per database, those with the most memory; the rest is summed up. */
  readonly shownMax: number
  readonly databases: number
  readonly batchSize: number
}

/** Groups the keys of all databases by patterns, inside the server. Throws the server's own words where it refuses. */
export async function collectKeyGroups(client: RedisClient, writer: TargetWriter, options: KeyGroupOptions): Promise<void> {
  const counts: Row[] = []
  const bytes: Row[] = []
  const distinct: Row[] = []
  const filled = await findFilledDatabases(client)
  for (let database = 0; database < options.databases; database++) {
    const groups = filled.has(database) ? await groupDatabase(client, database, options) : new Map<string, Group>()
    const label = `db${database}`
    distinct.push({ labels: ['db', label], value: groups.size })
    for (const [name, group] of keepLargest(groups, options.shownMax)) {
      counts.push({ labels: ['db', label, 'key_group', name], value: group.count })
      bytes.push({ labels: ['db', label, 'key_group', name], value: group.bytes })
    }
  }
  writeSorted(writer, 'key_group_count', 'Keys of a key group.', 'gauge', counts)
  writeSorted(writer, 'key_group_memory_usage_bytes', 'Memory of the keys of a key group.', 'gauge', bytes)
  writeSorted(writer, 'number_of_distinct_key_groups', 'Key groups by database.', 'gauge', distinct)
}

async function findFilledDatabases(client: RedisClient): Promise<ReadonlySet<number>> {
  const text = textOf(await client.call('INFO', 'KEYSPACE')) ?? ''
  return new Set([...text.matchAll(/^db([0-9]+):/gm)].map((match) => Number(match[1])))
}

async function groupDatabase(client: RedisClient, database: number, options: KeyGroupOptions): Promise<ReadonlyMap<string, Group>> {
  await selectDatabase(client, database)
  const groups = new Map<string, Group>()
  let cursor = '0'
  do {
    const reply = await client.call('EVAL', script, '0', cursor, String(options.batchSize), ...options.patterns)
    const failure = errorOf(reply)
    if (failure !== undefined) throw new Error(`cannot group the keys of database ${database}: ${failure}`)
    const [next, answer] = itemsOf(reply)
    cursor = textOf(next) ?? '0'
    const items = itemsOf(answer)
    for (let i = 0; i + 2 < items.length; i += 3) {
      add(groups, textOf(items[i]) ?? unclassified, integerOf(items[i + 1]) ?? 0, integerOf(items[i + 2]) ?? 0)
    }
  } while (cursor !== '0')
  return groups
}

function add(groups: Map<string, Group>, name: string, count: number, bytes: number): void {
  const kept = groups.has(name) || groups.size < groupsMax ? name : overflow
  const known = groups.get(kept)
  if (known === undefined) groups.set(kept, { count, bytes })
  else {
    known.count += count
    known.bytes += bytes
  }
}

function keepLargest(groups: ReadonlyMap<string, Group>, shownMax: number): readonly (readonly [string, Group])[] {
  const sorted = [...groups].sort(([, a], [, b]) => b.bytes - a.bytes)
  const shown = sorted.slice(0, shownMax)
  const rest = sorted.slice(shownMax)
  if (rest.length === 0) return shown
  const sum = { count: 0, bytes: 0 }
  for (const [, group] of rest) {
    sum.count += group.count
    sum.bytes += group.bytes
  }
  return [...shown, [overflow, sum]]
}
