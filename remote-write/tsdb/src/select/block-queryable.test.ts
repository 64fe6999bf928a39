import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { encode, symbolsOf } from '../block/block.test-blocks.ts'
import { BlockReader } from '../block/block-reader.ts'
import { BlockWriter } from '../block/block-writer.ts'
import type { BlockChunk } from '../block/block-writer.ts'
import { PageCache } from '../block/page-cache.ts'
import { makeUlid } from '../block/ulid.ts'
import { histogramEncoding, xor2Encoding } from '../chunk/chunk-encoding.ts'
import { writeHistograms, writeXor2 } from '../chunk/testdata/chunk-writer.ts'
import { BlockQueryable } from './block-queryable.ts'
import { MergedQueryable } from './merged-queryable.ts'

const parent = mkdtempSync(join(tmpdir(), 'block-queryable-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const bits = (value: number) => new BigUint64Array(new Float64Array([value]).buffer)[0]!

/** Floats at 3 and 4 s that began to be counted at 2 s and at a time that is not known. */
const startingChunk: BlockChunk = {
  encoding: xor2Encoding,
  minTimeMs: 3000,
  maxTimeMs: 4000,
  data: writeXor2([
    { time: 3000n, start: 2000n, bits: bits(1) },
    { time: 4000n, start: 0n, bits: bits(2) },
  ]),
}

async function writeOne(labels: readonly string[], chunks: readonly BlockChunk[]): Promise<BlockQueryable> {
  const ulid = makeUlid(Date.now())
  const writer = new BlockWriter(parent, ulid, {})
  writer.symbols(symbolsOf([{ labels, chunks: [] }]))
  writer.addSeries(labels, chunks)
  const [minTimeMs, maxTimeMs] = [chunks[0]!.minTimeMs, chunks.at(-1)!.maxTimeMs + 1]
  await writer.finish({ minTimeMs, maxTimeMs, compaction: { level: 1, sources: [ulid] } })
  return new BlockQueryable(BlockReader.open(writer.directory, new PageCache()))
}

const named = [new Matcher('=', '__name__', 'm')]
const plainChunk = encode([
  [1000, 10],
  [2000, 20],
])

test('start times are given for the floats whose chunks have them, from one block and from several', async () => {
  const whole = await writeOne(['__name__', 'm'], [plainChunk, startingChunk])
  const apart = [await writeOne(['__name__', 'm'], [plainChunk]), await writeOne(['__name__', 'm'], [startingChunk])]
  for (const queryable of [whole, new MergedQueryable(apart)]) {
    const set = queryable.select(named, 0, 10_000)
    expect(set.next()).toBe(true)
    const floats = new SampleColumns()
    set.samples(floats)
    const starts = new Float64Array(floats.length)
    set.startTimes!(floats.times.subarray(0, floats.length), starts)
    expect([[...floats.values.subarray(0, floats.length)], [...starts]]).toEqual([
      [10, 20, 1, 2],
      [0, 0, 2000, 0],
    ])
  }
})

test('a series says that it may have histograms if it has a chunk of them in the selected time', async () => {
  const layout = { schema: 0, zeroThreshold: 0, positiveSpans: [], negativeSpans: [], customValues: [] }
  const sample = { time: 5000n, start: 0n, count: 0, zeroCount: 0, sum: bits(0), positive: [], negative: [] }
  const data = writeHistograms([sample], layout, { isFloat: false, hasStartTimes: false, header: 0 })
  const queryable = await writeOne(['__name__', 'm'], [plainChunk, { encoding: histogramEncoding, minTimeMs: 5000, maxTimeMs: 5000, data }])
  for (const [maxTimeMs, wanted] of [
    [4999, false],
    [5000, true],
  ] as const) {
    const set = queryable.select(named, 0, maxTimeMs)
    set.next()
    const floats = new SampleColumns()
    set.samples(floats)
    const histograms = new HistogramColumns()
    set.histograms!(histograms)
    expect([floats.length, set.hasHistograms!(), histograms.length > 0]).toEqual([2, wanted, wanted])
  }
})
