import { closeSync, openSync, readSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { openInProcessServer, type InProcessServer } from './in-process-server.ts'

// Queries over blocks and head, through the API.

const hourMs = 3_600_000
const stepMs = 30_000
const hours = 12
const samplesPerChunkMax = 240
let running: InProcessServer
let lastMs = 0

beforeEach(async () => {
  running = await openInProcessServer(2)
  const { head, compactor } = running.server.store
  const refs = Array.from({ length: 20 }, (_, i) =>
    head.refByLabels(Labels.from({ __name__: 'm', i: `${i}`, of: i < 10 ? 'first' : 'second' })),
  )
  const words = new Uint32Array(2)
  const doubles = new Float64Array(words.buffer)
  lastMs = Math.floor(Date.now() / stepMs) * stepMs
  for (let timeMs = lastMs - hours * hourMs; timeMs <= lastMs; timeMs += stepMs) {
    for (const [i, ref] of refs.entries()) {
      doubles[0] = i + timeMs / 1e9
      head.append(ref, timeMs, words[0]!, words[1]!)
    }
    head.commit()
    if ((timeMs - lastMs) % hourMs === 0) await compactor.run()
  }
})
afterEach(() => running.remove())

async function ask(path: string, parameters: Record<string, string>): Promise<{ status: string; error?: string; data: never }> {
  const response = await fetch(`${running.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`)
  return (await response.json()) as { status: string; error?: string; data: never }
}

function flipByte(path: string, at: number): void {
  const fd = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, at)
  writeSync(fd, Buffer.of(byte[0]! ^ 1), 0, 1, at)
  closeSync(fd)
}

async function countAll(): Promise<number> {
  const { data } = await ask('query', { query: `sum(count_over_time(m[${hours + 1}h]))`, time: String(lastMs / 1000) })
  return Number((data as { result: { value: [number, string] }[] }).result[0]?.value[1])
}

test('a query reaches over blocks and head, with every sample once, while they are compacted', async () => {
  const { store } = running.server
  expect(store.blocks.blocks.length).toBeGreaterThan(2)
  const samples = 20 * ((hours * hourMs) / stepMs + 1)
  expect(await countAll()).toBe(samples)
  const range = { query: 'sum by (of) (m)', start: String(lastMs / 1000 - hours * 3600), end: String(lastMs / 1000), step: '60' }
  const { data } = await ask('query_range', range)
  const { result } = data as { result: { metric: Record<string, string>; values: [number, string][] }[] }
  expect(result.map(({ metric, values }) => [metric['of'], values.length])).toEqual([
    ['first', hours * 60 + 1],
    ['second', hours * 60 + 1],
  ])
  for (const [time, value] of result[0]!.values) expect(Number(value)).toBeCloseTo(45 + (10 * time) / 1e6, 6)
  // Blocks that go while queries run: the query begins anew with those of now.
  const blocks = store.blocks.blocks.map(({ meta }) => meta.ulid)
  const [counts] = await Promise.all([Promise.all(Array.from({ length: 5 }, countAll)), store.blocks.add(undefined, blocks.slice(0, 1))])
  for (const count of counts) expect(count).toBeLessThanOrEqual(samples)
  expect(await countAll()).toBeLessThan(samples)
  expect(running.warnings).toEqual([])
})

test('names, values and series are those of blocks and head, in the time that is asked for', async () => {
  const old = { start: String((lastMs - hours * hourMs) / 1000), end: String((lastMs - (hours - 1) * hourMs) / 1000) }
  expect((await ask('labels', old)).data).toEqual(['__name__', 'i', 'of'])
  expect((await ask('label/of/values', old)).data).toEqual(['first', 'second'])
  expect((await ask('series', { ...old, 'match[]': 'm{of="first"}' })).data).toHaveLength(10)
  const before = { start: '0', end: '1000' }
  expect((await ask('labels', before)).data).toEqual([])
})

test('a block that cannot be read is named, and the rest answers', async () => {
  const { store } = running.server
  const [first] = store.blocks.blocks
  truncateSync(join(store.blocks.directory, first!.meta.ulid, 'index'), 50)
  const samples = 20 * ((hours * hourMs) / stepMs + 1)
  expect(await countAll()).toBe(samples - first!.meta.stats!.numSamples!)
  expect(running.warnings.filter((line) => line.includes(first!.meta.ulid))).toHaveLength(1)
})

test('a block is read as far as it is whole, not at all if its index is damaged while it is open, and the answer says so', async () => {
  const { store } = running.server
  const [first, second] = store.blocks.blocks
  const samples = 20 * ((hours * hourMs) / stepMs + 1)
  flipByte(join(store.blocks.directory, first!.meta.ulid, 'chunks', '000001'), 100)
  // Opens them; of the second the symbols are not read yet, nor any chunk.
  await ask('labels', { start: String(lastMs / 1000 - hours * 3600), end: String(lastMs / 1000) })
  truncateSync(join(store.blocks.directory, second!.meta.ulid, 'index'), 50)
  const missing = samples - (await countAll())
  expect(missing).toBeGreaterThan(second!.meta.stats!.numSamples!)
  expect(missing).toBeLessThanOrEqual(second!.meta.stats!.numSamples! + samplesPerChunkMax)
  const answer = await ask('query', { query: `sum(count_over_time(m[${hours + 1}h]))`, time: String(lastMs / 1000) })
  expect((answer as unknown as { warnings: string[] }).warnings.toSorted()).toEqual(
    [
      `block ${first!.meta.ulid} is damaged: the result is without some of its samples`,
      `block ${second!.meta.ulid} cannot be read: the result is without its samples`,
    ].toSorted(),
  )
  expect(
    running.warnings.filter((line) => line.startsWith('Part of a block cannot be read') && line.includes(first!.meta.ulid)),
  ).toHaveLength(1)
  expect(running.warnings.filter((line) => line.startsWith('A block cannot be read') && line.includes(second!.meta.ulid))).toHaveLength(1)
})

test('the metrics tell of blocks and compactions', async () => {
  const text = await (await fetch(`${running.url}/metrics`)).text()
  const { store } = running.server
  expect(text).toContain(`prometheus_tsdb_blocks_loaded ${store.blocks.blocks.length}\n`)
  expect(text).toContain(`prometheus_tsdb_compactions_total ${store.compactor.counts.cuts + store.compactor.counts.merges}\n`)
  expect(text).toMatch(/prometheus_tsdb_storage_blocks_bytes [1-9]/)
  const chunks = /prometheus_tsdb_compaction_chunk_samples_count (\d+)/.exec(text)?.[1]
  expect(Number(chunks)).toBeGreaterThan(0)
  expect(text).toContain(`prometheus_tsdb_compaction_chunk_size_bytes_count ${chunks}\n`)
  expect(text).toContain(`prometheus_tsdb_compaction_chunk_range_seconds_bucket{le="+Inf"} ${chunks}\n`)
})
