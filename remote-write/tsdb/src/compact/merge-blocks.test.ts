import fc from 'fast-check'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { lateHint } from '../block/block-meta.ts'
import { BlockReader } from '../block/block-reader.ts'
import { BlockWriter } from '../block/block-writer.ts'
import type { BlockChunk } from '../block/block-writer.ts'
import { PageCache } from '../block/page-cache.ts'
import { BlockSeries } from '../block/series-entry.ts'
import { Tombstones } from '../block/tombstones.ts'
import { makeUlid } from '../block/ulid.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramChunkAppender } from '../chunk/histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import { BlockQueryable } from '../select/block-queryable.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import type { Queryable } from '../select/queryable.ts'
import { BlockSet } from './block-set.ts'
import { mergeBlocks } from './merge-blocks.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-merge-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Times of a series, in chunks. */
type Chunks = readonly (readonly number[])[]

function floatChunk(times: readonly number[], value: number): BlockChunk {
  const columns = new SampleColumns()
  for (const time of times) columns.pushNumber(time, value)
  return { encoding: 1, minTimeMs: times[0]!, maxTimeMs: times.at(-1)!, data: encodeXorChunk(columns, 0, times.length) }
}

function histogram(count: number): NativeHistogram {
  const none = { positiveCounts: [], negativeCounts: [], negativeSpans: [], negativeDeltas: [], customValues: [] }
  const positive = { positiveSpans: [{ offset: 0, length: 1 }], positiveDeltas: [count] }
  return { schema: 0, isFloat: false, count, sum: count, zeroThreshold: 0.001, zeroCount: 0, isGauge: false, ...positive, ...none }
}

function histogramChunk(times: readonly number[], firstCount: number): BlockChunk {
  const appender = new HistogramChunkAppender(false)
  for (const [i, time] of times.entries()) expect(appender.append(time, histogram(firstCount + i))).toBeUndefined()
  return { encoding: appender.encoding, minTimeMs: times[0]!, maxTimeMs: times.at(-1)!, data: appender.bytes() }
}

let ulids = 0

async function writeBlock(series: ReadonlyMap<Labels, readonly BlockChunk[]>, hints?: string[]): Promise<string> {
  const ulid = makeUlid(++ulids)
  const writer = new BlockWriter(directory, ulid)
  const symbols = new Set([...series.keys()].flatMap(({ pairs }) => pairs))
  writer.symbols([...symbols].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  for (const labels of [...series.keys()].sort((a, b) => Labels.compare(a, b))) writer.addSeries(labels, series.get(labels)!)
  await writer.finish({ minTimeMs: 0, maxTimeMs: 1000, compaction: { level: 1, sources: [ulid], ...(hints && { hints }) } })
  return ulid
}

function writeBlocks(value: number, series: ReadonlyMap<Labels, Chunks>): Promise<string> {
  return writeBlock(new Map([...series].map(([labels, chunks]) => [labels, chunks.map((times) => floatChunk(times, value))])))
}

function open(ulid: string): BlockReader {
  return BlockReader.open(join(directory, ulid), new PageCache())
}

function read(queryable: Queryable): string[] {
  const lines: string[] = []
  for (const set = queryable.select([new Matcher('!=', 'a', 'none')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const samples = Array.from({ length: columns.length }, (_, i) => `${columns.times[i]}=${columns.values[i]}`)
    if (samples.length > 0) lines.push(`${set.labels().toString()} ${samples.join(' ')}`)
  }
  return lines
}

const labelSets = fc.dictionary(fc.constantFrom('a', 'b', 'ü'), fc.constantFrom('1', '2', 'x'.repeat(200), 'é'), { minKeys: 1 })
const chunkLists = fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 20 }).chain((times) =>
  fc.array(fc.boolean(), { minLength: times.length, maxLength: times.length }).map((begins): Chunks => {
    const chunks: number[][] = []
    for (const [i, time] of times.sort((a, b) => a - b).entries()) {
      if (i === 0 || begins[i]!) chunks.push([time])
      else chunks.at(-1)!.push(time)
    }
    return chunks
  }),
)
const deletions = fc.array(fc.tuple(fc.nat(12), fc.nat(60), fc.nat(15)), { maxLength: 4 })
const sourceBlocks = fc.record({
  series: fc.array(fc.tuple(labelSets, chunkLists), { minLength: 1, maxLength: 8 }),
  deletions,
})

test('a merged block has what its blocks have together, without what is deleted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sourceBlocks, { minLength: 1, maxLength: 4 }), async (list) => {
      const blocks: string[] = []
      for (const [value, source] of list.entries()) {
        const series = new Map<string, [Labels, Chunks]>()
        for (const [record, chunks] of source.series) series.set(Labels.from(record).key(), [Labels.from(record), chunks])
        const ulid = await writeBlocks(value, new Map(series.values()))
        const stones = new Tombstones()
        const reader = open(ulid)
        const references = reader.index.allSeries()
        for (const [i, first, length] of source.deletions) {
          const reference = references[i]
          if (reference !== undefined) stones.add(reference, first, first + length)
        }
        reader.close()
        writeFileSync(join(directory, ulid, 'tombstones'), stones.encode())
        blocks.push(ulid)
      }
      const readers = blocks.map(open)
      const expected = read(new MergedQueryable(readers.map((reader) => new BlockQueryable(reader))))
      for (const reader of readers) reader.close()
      const ulid = makeUlid(++ulids)
      // The smallest cache: texts of one block must outlive the reading of others.
      const meta = await mergeBlocks({ directory, blocks, ulid }, new PageCache(1))
      if (meta === undefined) {
        expect(expected).toEqual([])
        return
      }
      const merged = open(ulid)
      expect(read(new BlockQueryable(merged))).toEqual(expected)
      expect(merged.tombstones.isEmpty).toBe(true)
      merged.close()
    }),
    { numRuns: 40 },
  )
})

test('the meta names the blocks, their sources and the next level', async () => {
  const one = await writeBlocks(1, new Map([[Labels.from({ a: '1' }), [[1, 2]]]]))
  const two = await writeBlocks(2, new Map([[Labels.from({ a: '1' }), [[5]]]]))
  const first = makeUlid(++ulids)
  await mergeBlocks({ directory, blocks: [one, two], ulid: first }, new PageCache())
  const three = await writeBlocks(3, new Map([[Labels.from({ a: '2' }), [[7]]]]))
  const meta = await mergeBlocks({ directory, blocks: [first, three], ulid: makeUlid(++ulids) }, new PageCache())
  expect(meta!.compaction).toEqual({
    level: 3,
    sources: [one, two, three].sort(),
    parents: [first, three].map((ulid) => ({ ulid, minTime: 0, maxTime: 1000 })),
  })
  expect(meta!.stats).toEqual({ numSamples: 4, numFloatSamples: 4, numSeries: 2, numChunks: 3 })
})

test('nothing is left behind when everything is deleted, or a block cannot be read', async () => {
  const ulid = await writeBlocks(1, new Map([[Labels.from({ a: '1' }), [[1, 2]]]]))
  const stones = new Tombstones()
  stones.add(open(ulid).index.allSeries()[0]!, 0, 10)
  writeFileSync(join(directory, ulid, 'tombstones'), stones.encode())
  expect(await mergeBlocks({ directory, blocks: [ulid], ulid: makeUlid(++ulids) }, new PageCache())).toBeUndefined()
  expect(readdirSync(directory)).toEqual([ulid])
  rmSync(join(directory, ulid, 'tombstones'))
  writeFileSync(join(directory, ulid, 'chunks', '000001'), Buffer.alloc(100))
  const failed = mergeBlocks({ directory, blocks: [ulid], ulid: makeUlid(++ulids) }, new PageCache())
  await expect(failed).rejects.toThrow(/chunks.000001/)
  expect(readdirSync(directory)).toEqual([ulid])
})

test('overlapping histograms are merged in time order, a reset begins a chunk', async () => {
  const labels = Labels.from({ a: '1' })
  const one = await writeBlock(new Map([[labels, [histogramChunk([10, 30, 50], 5)]]]))
  const two = await writeBlock(new Map([[labels, [histogramChunk([20, 30, 60], 1), floatChunk([70], 9)]]]))
  const ulid = makeUlid(++ulids)
  const meta = await mergeBlocks({ directory, blocks: [one, two], ulid }, new PageCache())
  expect(meta!.stats).toMatchObject({ numSamples: 6, numFloatSamples: 1, numHistogramSamples: 5 })
  const merged = open(ulid)
  const series = new BlockSeries()
  merged.readSeries(merged.index.allSeries()[0]!, series)
  const found: string[] = []
  for (let i = 0; i < series.chunkCount; i++) {
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    const { encoding, data } = merged.chunk(series.chunks[i]!)
    decodeChunk(encoding, data, { floats, histograms })
    const counts = Array.from({ length: histograms.length }, (_, at) => `${histograms.times[at]}=${histograms.counts[at]}`)
    found.push([...counts, ...Array.from({ length: floats.length }, (_, at) => `${floats.times[at]}=float`)].join(' '))
  }
  // 30 is that of the first block.
  expect(found).toEqual(['10=5', '20=1 30=6 50=7', '60=3', '70=float'])
  merged.close()
})

test('of a float and a histogram of one time the float stays, in queries as in the merged block', async () => {
  const labels = Labels.from({ a: '1' })
  const one = await writeBlock(new Map([[labels, [histogramChunk([10, 20, 30], 5), floatChunk([40, 50], 1)]]]))
  const two = await writeBlock(new Map([[labels, [floatChunk([20, 25], 9), histogramChunk([45, 50], 1)]]]))
  const readBoth = (queryable: Queryable): string[] => {
    const set = queryable.select([new Matcher('=', 'a', '1')], -Infinity, Infinity)
    expect(set.next()).toBe(true)
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    set.samples(floats)
    set.histograms?.(histograms)
    return [
      Array.from({ length: floats.length }, (_, i) => `${floats.times[i]}=${floats.values[i]}`).join(' '),
      Array.from({ length: histograms.length }, (_, i) => `${histograms.times[i]}=${histograms.counts[i]}`).join(' '),
    ]
  }
  const readers = [one, two].map(open)
  const expected = ['20=9 25=9 40=1 50=1', '10=5 30=7 45=1']
  expect(readBoth(new MergedQueryable(readers.map((reader) => new BlockQueryable(reader))))).toEqual(expected)
  for (const reader of readers) reader.close()
  const ulid = makeUlid(++ulids)
  await mergeBlocks({ directory, blocks: [one, two], ulid }, new PageCache())
  const merged = open(ulid)
  expect(readBoth(new BlockQueryable(merged))).toEqual(expected)
  merged.close()
})

test('of samples with the same time those of a block of late ones count last, wherever it stands', async () => {
  const labels = Labels.from({ a: '1' })
  const late = await writeBlock(new Map([[labels, [floatChunk([10, 20], 2)]]]), [lateHint])
  const inOrder = await writeBlock(new Map([[labels, [floatChunk([20, 30], 1)]]]))
  const { shelf } = BlockSet.load(directory, 1000, () => {})
  expect(shelf.map(({ directory: path }) => path)).toEqual([inOrder, late].map((each) => join(directory, each)))
  const ulid = makeUlid(++ulids)
  const meta = await mergeBlocks({ directory, blocks: [late, inOrder], ulid }, new PageCache())
  expect(meta!.compaction.hints).toBe(undefined)
  const merged = open(ulid)
  expect(read(new BlockQueryable(merged))).toEqual(['{a="1"} 10=2 20=1 30=1'])
  merged.close()
})
