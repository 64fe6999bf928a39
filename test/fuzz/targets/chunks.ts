import { SampleColumns } from '@narthex/model/sample-columns'
import * as hints from '@narthex/model/reset-hint'
import * as encodings from '@narthex/tsdb/chunk/chunk-encoding'
import { decodeChunk } from '@narthex/tsdb/chunk/decode-chunk'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { bucketCountsMax } from '@narthex/tsdb/chunk/histogram-decoder'
import { StartTimeColumn } from '@narthex/tsdb/chunk/start-time-column'
import { floatBits, staleBits } from '@narthex/tsdb/chunk/testdata/bit-text'
import { writeHistograms, writeXor, writeXor2 } from '@narthex/tsdb/chunk/testdata/chunk-writer'
import { encodeXorChunk } from '@narthex/tsdb/chunk/xor-encoder'
import { ensure, type FuzzTarget } from '../fuzz-target.ts'

const chunkSamplesMax = 65_535

const samples = Array.from({ length: 40 }, (_, i) => ({
  time: BigInt(1_700_000_000_000 + i * 15_000 + (i % 7)),
  start: i < 20 ? 0n : 1_700_000_000_000n,
  bits: i % 13 === 12 ? staleBits : floatBits(i % 3 === 0 ? i : i / 7),
}))
const histograms = samples.map(({ time, start }, i) => ({
  ...{ time, start, count: 4 * i, zeroCount: i, sum: i === 39 ? staleBits : floatBits(i * 1.5) },
  ...{ positive: [i, i % 5, 7, 0], negative: [i >> 1] },
}))
const layout = {
  ...{ schema: 3, zeroThreshold: 0.001, customValues: [] },
  positiveSpans: [
    { offset: -2, length: 3 },
    { offset: 4, length: 1 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
}
const custom = { ...layout, schema: -53, customValues: [0.25, 1, 2.5, Math.PI] }

/** ┌ encoding 1 B, as the rest of it by 6 ┬ data ┐ */
function seed(encoding: number, data: Uint8Array): Uint8Array {
  return Uint8Array.of(encoding - encodings.xorEncoding, ...data)
}

function seedHistograms(encoding: number, shape: typeof custom | typeof layout, header: number): Uint8Array {
  const isFloat = encoding === encodings.floatHistogramEncoding || encoding === encodings.floatHistogramStEncoding
  return seed(encoding, writeHistograms(histograms, shape, { isFloat, hasStartTimes: encoding >= encodings.histogramStEncoding, header }))
}

function ensureFloats(floats: SampleColumns, startTimes: StartTimeColumn): void {
  const { length, times, words } = floats
  ensure(length === startTimes.length, `${length} samples have ${startTimes.length} start times`)
  for (let i = 1; i < length; i++) if (!(times[i]! >= times[i - 1]!)) return
  if (length === 0 || Math.abs(times[0]!) > 2 ** 53 || Math.abs(times[length - 1]!) > 2 ** 53) return
  const again = new SampleColumns()
  decodeChunk(encodings.xorEncoding, encodeXorChunk(floats, 0, length), { floats: again, histograms: new HistogramColumns(1, 1) })
  ensure(again.length === length, `${length} samples were written, ${again.length} read`)
  for (let i = 0; i < length; i++) {
    const isSame = again.times[i] === times[i] && again.words[2 * i] === words[2 * i] && again.words[2 * i + 1] === words[2 * i + 1]
    ensure(isSame, `sample ${i} is not the same when written and read again`)
  }
}

function ensureHistograms(columns: HistogramColumns): void {
  for (let i = 0; i < columns.length; i++) {
    const { positiveBuckets, negativeBuckets } = columns.layout(i)
    const buckets = columns.bucketEnds[i]! - columns.bucketStart(i)
    ensure(buckets === positiveBuckets + negativeBuckets, `sample ${i} has ${buckets} buckets`)
    ensure(
      columns.isStale(i) ? buckets === 0 : columns.hints[i]! <= hints.gaugeHistogram,
      `sample ${i} is stale and has ${buckets} buckets`,
    )
  }
  ensure(columns.bucketLength <= bucketCountsMax, `${columns.bucketLength} bucket counts were read`)
}

export const chunkTargets: readonly FuzzTarget[] = [
  {
    name: 'chunks',
    seeds: [
      seed(encodings.xorEncoding, writeXor(samples)),
      seed(encodings.xor2Encoding, writeXor2(samples)),
      seedHistograms(encodings.histogramEncoding, layout, hints.counterReset),
      seedHistograms(encodings.floatHistogramEncoding, custom, hints.gaugeHistogram),
      seedHistograms(encodings.histogramStEncoding, custom, hints.noReset),
      seedHistograms(encodings.floatHistogramStEncoding, layout, hints.unknownReset),
    ],
    refusals: ['ChunkError'],
    read(bytes) {
      const into = { floats: new SampleColumns(), startTimes: new StartTimeColumn(), histograms: new HistogramColumns() }
      decodeChunk(encodings.xorEncoding + ((bytes[0] ?? 0) % 6), bytes.subarray(1), into)
      ensure(into.floats.length + into.histograms.length <= chunkSamplesMax, 'more samples were read than a chunk can have')
      ensureFloats(into.floats, into.startTimes)
      ensureHistograms(into.histograms)
    },
  },
]
