import { FamilyWriter } from '@narthex/exposition/family-writer'
import { describe, expect, test } from 'vitest'
import { createCustomQueryCollector } from './collect-custom-query.ts'
import { cachedSamplesMax, CustomQueryCache } from './custom-query-cache.ts'
import { parseCustomQueryFile, type CustomQuery } from './custom-query-file.ts'
import { labelLengthMax, readCustomSamples } from './custom-query-samples.ts'
import type { ServerIdentity } from './mysql-collector.ts'
import { QueryResult } from './query-result.ts'
import { parseServerVersion } from './server-version.ts'

const server: ServerIdentity = { section: 'client', address: 'db1:3306' }

function parse(query: string, metric = 'key_labels: [k], values: [v]'): CustomQuery {
  const text = `metrics: [{ metric_name: m, type: gauge, query_ref: q, ${metric} }]\nqueries: [{ query_name: q, query: SELECT 1, ${query} }]`
  return parseCustomQueryFile(text, 'q.yml')[0]!
}

function answer(columns: readonly string[], ...rows: readonly (readonly (string | null)[])[]): QueryResult {
  return new QueryResult(
    columns,
    rows.map((row) => row.map((cell) => (cell === null ? null : Buffer.from(cell)))),
  )
}

async function collect(
  collector: ReturnType<typeof createCustomQueryCollector>,
  queryReadOnly: () => Promise<QueryResult>,
  from = server,
): Promise<string[]> {
  const writer = new FamilyWriter()
  const query = () => Promise.reject(new Error('want the read-only way, got the other one'))
  await collector.collect({ version: parseServerVersion('8.4.0'), server: from, query, queryReadOnly }, writer)
  return Buffer.from(writer.finish())
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
}

describe('rows become samples', () => {
  test('keys, constants and the column become labels, in the order of their names', () => {
    const query = parse('', 'key_labels: [z, a], static_labels: { team: shop }, value_label: what, values: [v, w]')
    const [{ labels, values }] = readCustomSamples(answer(['W', 'v', 'z', 'a'], ['2.5', '1', 'x', null]), query) as [
      ReturnType<typeof readCustomSamples>[0],
    ]
    expect(values).toEqual([1, 2.5])
    expect(labels).toEqual([
      ['a', '', 'team', 'shop', 'what', 'v', 'z', 'x'],
      ['a', '', 'team', 'shop', 'what', 'w', 'z', 'x'],
    ])
  })

  test('NULL is no sample, a constant value is one for each row', () => {
    expect(readCustomSamples(answer(['k', 'v'], ['a', null], ['b', '0']), parse(''))[0]!.labels).toEqual([['k', 'b']])
    expect(readCustomSamples(answer(['k'], ['a'], ['b']), parse('', 'key_labels: [k], static_value: 1'))[0]!.values).toEqual([1, 1])
  })

  test('a text for a value, a missing column and equal labels are refused', () => {
    expect(() => readCustomSamples(answer(['k', 'v'], ['a', 'many']), parse(''))).toThrow('want a number in column v, got "many"')
    expect(() => readCustomSamples(answer(['k', 'n'], ['a', '1']), parse(''))).toThrow('want column v, got k, n')
    expect(() => readCustomSamples(answer(['k', 'v'], ['a', '1'], ['a', '2']), parse(''))).toThrow(
      'metric m: want one row for each set of labels, got two with k="a"',
    )
  })

  test('a label as long as the limit is kept, a longer one is cut', () => {
    const read = (text: string): string => readCustomSamples(answer(['k', 'v'], [text, '1']), parse(''))[0]!.labels[0]![1]!
    expect(read('x'.repeat(labelLengthMax))).toBe('x'.repeat(labelLengthMax))
    expect(read('x'.repeat(labelLengthMax + 1))).toBe(`${'x'.repeat(labelLengthMax - 1)}…`)
    expect(read('😀'.repeat(labelLengthMax)).isWellFormed()).toBe(true)
  })
})

test('without a min_interval the server is asked at each scrape', async () => {
  const collector = createCustomQueryCollector(parse(''), new CustomQueryCache(() => 0))
  let asked = 0
  const ask = () => Promise.resolve(answer(['k', 'v'], ['a', String(++asked)]))
  expect(await collect(collector, ask)).toEqual(['m{k="a"} 1'])
  expect(await collect(collector, ask)).toEqual(['m{k="a"} 2'])
})

test('with one, an answer is used again until it is that old, for its own server alone', async () => {
  let nowMs = 0
  const collector = createCustomQueryCollector(parse('min_interval: 1m'), new CustomQueryCache(() => nowMs))
  let asked = 0
  const ask = () => Promise.resolve(answer(['k', 'v'], ['a', String(++asked)]))
  const age = (seconds: number): string => `narthex_mysql_custom_query_age_seconds{query="q"} ${seconds}`
  expect(await collect(collector, ask)).toEqual(['m{k="a"} 1', age(0)])
  nowMs = 59_999
  expect(await collect(collector, ask)).toEqual(['m{k="a"} 1', age(59.999)])
  expect(await collect(collector, ask, { ...server, address: 'db2:3306' })).toEqual(['m{k="a"} 2', age(0)])
  nowMs = 60_000
  expect(await collect(collector, ask)).toEqual(['m{k="a"} 3', age(0)])
})

test('a failure names the place, and holds for a minute at most', async () => {
  let nowMs = 0
  const collector = createCustomQueryCollector(parse('min_interval: 1h'), new CustomQueryCache(() => nowMs))
  let asked = 0
  const ask = () => Promise.reject(new Error(`no luck ${++asked}`))
  await expect(collect(collector, ask)).rejects.toThrow('q.yml:2:28: no luck 1')
  nowMs = 59_999
  await expect(collect(collector, ask)).rejects.toThrow('q.yml:2:28: no luck 1')
  nowMs = 60_000
  await expect(collect(collector, ask)).rejects.toThrow('q.yml:2:28: no luck 2')
})

test('the samples that are kept are bounded, the oldest go first', () => {
  const query = parse('min_interval: 1h')
  const cache = new CustomQueryCache(() => 0)
  const samples = (count: number) => [{ metric: query.metrics[0]!, values: Array.from({ length: count }, () => 1), labels: [] }]
  const named = (address: string): ServerIdentity => ({ section: 'client', address })
  cache.store(named('a'), query, samples(cachedSamplesMax / 2 - 1))
  cache.store(named('b'), query, samples(cachedSamplesMax / 2 - 1))
  expect(cache.sampleCount).toBe(cachedSamplesMax)
  expect(cache.find(named('a'), query)).toBeDefined()
  cache.store(named('c'), query, samples(0))
  expect(cache.find(named('a'), query)).toBeUndefined()
  expect(cache.find(named('b'), query)).toBeDefined()
  expect(cache.find(named('c'), query)).toBeDefined()
})

test.each([
  ['', '8.0.36', true],
  ['product: mysql', '10.11.6-MariaDB', false],
  ['product: mariadb', '10.11.6-MariaDB', true],
  ['product: mysql, min_version: 8.0.22', '8.0.21', false],
  ['product: mysql, min_version: 8.0.22', '8.0.22', true],
  ['product: mysql, min_version: "8"', '8.0.1', true],
  ['product: mysql, max_version: "8.4"', '8.4.9', true],
  ['product: mysql, max_version: "8.4"', '9.0.0', false],
  ['targets: ["db1:.*"]', '8.0.36', true],
  ['targets: ["db"]', '8.0.36', false],
  ['targets: ["x", ".*3306"]', '8.0.36', true],
  ['auth_modules: [client]', '8.0.36', true],
  ['auth_modules: [client.eu]', '8.0.36', false],
])('a query with %j is for a server of version %s: %s', (keys, version, expected) => {
  expect(createCustomQueryCollector(parse(keys), new CustomQueryCache()).isFor!(parseServerVersion(version), server)).toBe(expected)
})
