import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { BlockReader } from '../block/block-reader.ts'
import { BlockWriter } from '../block/block-writer.ts'
import { symbolsOf, writeBlock, type Sample } from '../block/block.test-blocks.ts'
import { PageCache } from '../block/page-cache.ts'
import { makeUlid } from '../block/ulid.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramChunkAppender } from '../chunk/histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { describeHistogram, HistogramWalk, makeDice } from '../chunk/testdata/histogram-walk.ts'
import { decodeXorChunk } from '../chunk/xor-chunk.ts'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import { Head } from '../head/head.ts'
import { BlockQueryable } from './block-queryable.ts'
import { HeadReader } from './head-reader.ts'
import { MergedQueryable } from './merged-queryable.ts'
import type { Queryable, SeriesSet } from './queryable.ts'
import { joinChunks, type SeriesChunk } from './series-chunks.ts'

const directory = mkdtempSync(join(tmpdir(), 'narthex-series-chunks-'))
afterAll(() => rmSync(directory, { recursive: true }))

const isM = [new Matcher('=', '__name__', 'm')]

function makeHead(samples: readonly Sample[], name = 'm'): { head: Head; reader: HeadReader; ref: number } {
  const head = new Head({ memoryBytesMax: 2 ** 26 })
  head.startReplay()
  const ref = head.refByLabels(Labels.from({ __name__: name }))
  append(head, ref, samples)
  return { head, reader: new HeadReader(head.descriptor()), ref }
}

function append(head: Head, ref: number, samples: readonly Sample[]): void {
  const words = new Uint32Array(2)
  for (const [timeMs, value] of samples) {
    new Float64Array(words.buffer)[0] = value
    head.append(ref, timeMs, words[0]!, words[1]!)
  }
  head.commit()
}

async function openBlock(chunks: readonly (readonly Sample[])[]): Promise<BlockReader> {
  return BlockReader.open(await writeBlock(directory, [{ labels: ['__name__', 'm'], chunks }]), new PageCache(2 ** 20))
}

/** The chunks of the one series, which must hold what `samples` gives. */
function chunksOf(queryable: Queryable, minTimeMs = -Infinity, maxTimeMs = Infinity): readonly SeriesChunk[] | undefined {
  const select = (): SeriesSet => queryable.select(isM, minTimeMs, maxTimeMs)
  const set = select()
  if (!set.next()) return []
  const chunks = set.chunks!()
  if (chunks === undefined) return undefined
  const decoded = new SampleColumns()
  for (const { data, minTimeMs: first, maxTimeMs: last } of chunks) {
    const before = decoded.length
    decodeXorChunk(data, decoded)
    expect([decoded.times[before], decoded.times[decoded.length - 1]]).toEqual([first, last])
  }
  const samples = new SampleColumns()
  const again = select()
  again.next()
  again.samples(samples)
  expect(listSamples(decoded)).toEqual(listSamples(samples))
  return chunks
}

function listSamples({ times, words, length }: SampleColumns): string[] {
  return Array.from({ length }, (_, i) => `${times[i]} ${words[2 * i]} ${words[2 * i + 1]}`)
}

const every = (stepMs: number, from: number, to: number, value = (i: number) => i): Sample[] => {
  return Array.from({ length: Math.ceil((to - from) / stepMs) }, (_, i) => [from + i * stepMs, value(i)])
}

describe('chunks of the head', () => {
  test('are the bytes of its chunks, whatever their samples', () => {
    const value = fc.oneof(fc.double(), fc.integer({ min: -5, max: 5 }), fc.constant(7))
    const step = fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constant(15_000), fc.integer({ min: 1, max: 2 ** 33 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(step, value), { minLength: 1, maxLength: 300 }), (steps) => {
        let timeMs = 1_700_000_000_000
        const chunks = chunksOf(makeHead(steps.map(([stepMs, number]): Sample => [(timeMs += stepMs), number])).reader)!
        for (const { data } of chunks) {
          const columns = new SampleColumns()
          decodeXorChunk(data, columns)
          const encoded = encodeXorChunk(columns, 0, columns.length)
          // Prometheus' writer begins a byte more behind some fields.
          expect(encoded.length - data.length).toBeLessThanOrEqual(1)
          expect([...encoded.subarray(0, data.length)]).toEqual([...data])
        }
      }),
      { numRuns: 100 },
    )
  })

  test('end where the reader’s samples do, though more come meanwhile', () => {
    const { head, reader, ref } = makeHead(every(1000, 0, 50_000, Math.sin))
    const set = reader.select(isM, -Infinity, Infinity)
    append(head, ref, every(1000, 50_000, 110_000, Math.cos))
    set.next()
    const [chunk] = set.chunks!()!
    const columns = new SampleColumns()
    decodeXorChunk(chunk!.data, columns)
    expect([chunk!.minTimeMs, chunk!.maxTimeMs, columns.length]).toEqual([0, 49_000, 50])
    expect([...encodeXorChunk(columns, 0, 50).subarray(0, chunk!.data.length)]).toEqual([...chunk!.data])
  })

  test('are cut to the selected time', () => {
    const { reader } = makeHead(every(1000, 0, 500_000))
    for (const [first, last] of [
      [0, 499_000],
      [1, 498_999],
      [120_000, 120_000],
      [119_500, 240_500],
      [499_000, 600_000],
      [-5, 0],
    ] as const) {
      const chunks = chunksOf(reader, first, last)!
      expect(chunks[0]!.minTimeMs).toBeGreaterThanOrEqual(first)
      expect(chunks.at(-1)!.maxTimeMs).toBeLessThanOrEqual(last)
    }
  })
})

describe('chunks of a block', () => {
  test('are handed on as they are when they are whole, and encoded anew when they are not', async () => {
    const runs = [every(1000, 0, 60_000), every(1000, 60_000, 100_000), every(1000, 100_000, 300_000)]
    const block = await openBlock(runs)
    expect(chunksOf(new BlockQueryable(block))!.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs])).toEqual([
      [0, 59_000],
      [60_000, 99_000],
      [100_000, 299_000],
    ])
    const cut = chunksOf(new BlockQueryable(block), 500, 290_000)!
    expect(cut.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs])).toEqual([
      [1000, 59_000],
      [60_000, 99_000],
      [100_000, 219_000],
      [220_000, 290_000],
    ])
    block.close()
  })

  test('are without what was deleted', async () => {
    const block = await openBlock([every(1000, 0, 60_000), every(1000, 60_000, 100_000)])
    block.tombstones.add(block.select([])[0]!, 10_000, 70_000)
    expect(chunksOf(new BlockQueryable(block))!.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs])).toEqual([
      [0, 9000],
      [71_000, 99_000],
    ])
    block.close()
  })

  test('of histograms are handed on whole, and written anew where part of one is asked for', async () => {
    const ulid = makeUlid(Date.now())
    const writer = new BlockWriter(directory, ulid)
    writer.symbols(symbolsOf([{ labels: ['__name__', 'm'], chunks: [] }]))
    const walk = new HistogramWalk(makeDice(3))
    const makeChunk = (encoding: number, minTimeMs: number) => {
      const chunk = new HistogramChunkAppender(encoding === 3)
      for (let i = 0; i < 10; i++) {
        const { positiveDeltas, ...histogram } = walk.next()
        const floats = { isFloat: true, positiveCounts: positiveDeltas.map(() => i), negativeCounts: [], negativeSpans: [] }
        chunk.append(minTimeMs + i, { ...histogram, positiveDeltas, ...(encoding === 3 ? floats : {}) })
      }
      return { encoding, minTimeMs, maxTimeMs: minTimeMs + chunk.sampleCount - 1, data: chunk.bytes() }
    }
    const chunks = [makeChunk(2, 0), makeChunk(3, 10)]
    const damaged = { encoding: 5, minTimeMs: 20, maxTimeMs: 29, data: Uint8Array.of(0, 1, 0, 0) }
    writer.addSeries(['__name__', 'm'], [...chunks, damaged])
    await writer.finish({ minTimeMs: 0, maxTimeMs: 30, compaction: { level: 1, sources: [ulid] } })
    const block = BlockReader.open(writer.directory, new PageCache(2 ** 20))
    const set = new BlockQueryable(block, () => {}).select(isM, 5, 100)
    set.next()
    const [first, second, ...others] = set.chunks!()!
    expect(second).toEqual(chunks[1])
    expect(others).toEqual([])
    expect(first).toMatchObject({ encoding: 2, minTimeMs: 5, maxTimeMs: chunks[0]!.maxTimeMs })
    const [whole, part, read] = [new HistogramColumns(), new HistogramColumns(), new HistogramColumns()]
    decodeChunk(2, chunks[0]!.data, { floats: new SampleColumns(), histograms: whole })
    decodeChunk(2, first!.data, { floats: new SampleColumns(), histograms: part })
    const describeAll = (columns: HistogramColumns, from: number) =>
      Array.from({ length: columns.length - from }, (_, i) => [columns.times[from + i], describeHistogram(columns.histogram(from + i))])
    expect(describeAll(part, 0)).toEqual(describeAll(whole, 5))
    set.histograms!(read)
    expect(Array.from(read.times.subarray(0, read.length))).toEqual([
      ...Array.from(part.times.subarray(0, part.length)),
      ...Array.from({ length: 10 }, (_, i) => 10 + i),
    ])
    block.close()
  })
})

describe('chunks of several sources', () => {
  test('follow each other, and are merged by their samples where they overlap', async () => {
    const [first, second] = [await openBlock([every(1000, 0, 60_000)]), await openBlock([every(1000, 60_000, 90_000)])]
    const read = (from: number, minTimeMs?: number) => {
      const { reader } = makeHead(every(1000, from, 200_000))
      const sources = [new BlockQueryable(second), reader, new BlockQueryable(first)]
      return chunksOf(new MergedQueryable(sources), minTimeMs)
    }
    expect(read(90_000)!.map(({ minTimeMs }) => minTimeMs)).toEqual([0, 60_000, 90_000])
    expect(read(89_000)).toBeUndefined()
    // Where they overlap nothing is asked for.
    expect(read(89_000, 100_000)).toHaveLength(1)
    first.close()
    second.close()
  })

  test('of a source that cannot give any are undefined', () => {
    const plain: Queryable = {
      select: () => {
        let at = -1
        return { next: () => ++at < 1, labels: () => Labels.from({ __name__: 'm' }), samples: (into) => into.pushNumber(5, 5) }
      },
      labelNames: () => [],
      labelValues: () => [],
    }
    const set = new MergedQueryable([plain, makeHead(every(1000, 0, 5000)).reader]).select(isM, -Infinity, Infinity)
    set.next()
    expect(set.chunks!()).toBeUndefined()
  })

  test('are joined if each begins after the one before has ended', () => {
    const chunk = (minTimeMs: number, maxTimeMs: number) => ({ minTimeMs, maxTimeMs, encoding: 1, data: Uint8Array.of() })
    expect(joinChunks([])).toEqual([])
    expect(joinChunks([[], [chunk(1, 2)], []])).toEqual([chunk(1, 2)])
    expect(joinChunks([[chunk(4, 4)], [chunk(1, 2), chunk(3, 3)]])).toEqual([chunk(1, 2), chunk(3, 3), chunk(4, 4)])
    expect(joinChunks([[chunk(3, 4)], [chunk(1, 2), chunk(3, 3)]])).toBeUndefined()
  })
})
