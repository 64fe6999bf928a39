import { isStaleWords } from '@narthex/model/stale'
import type { BitReader } from './bit-reader.ts'
import { gaugeHistogram, noReset } from '@narthex/model/reset-hint'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { emptyLayout, type HistogramLayout } from '@narthex/model/histogram-layout'
import { readLayout } from './histogram-layout.ts'
import { StartTimeReader } from './start-time-reader.ts'
import { ChunkError } from './xor-decoder.ts'
import { XorFields } from './xor-fields.ts'

// The places of a float histogram's fields: these, then its buckets.
const countField = 0
const zeroCountField = 1
const sumField = 2
const firstBucketField = 3

/** Of all samples of a chunk, 128 MiB: a chunk of 240 samples with 10,000 buckets has a seventh. */
export const bucketCountsMax = 2 ** 24

const sumOnly = new XorFields(1)
const floats = new XorFields(256)
const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/**
 * Appends the samples of a histogram chunk (FORMAT.md, "Histogram chunks") that `reader` stands at the first byte of, with
 * minTimeMs ≤ time ≤ maxTimeMs; stops at the first sample after `maxTimeMs`.
 */
export function readHistograms(
  reader: BitReader,
  isFloat: boolean,
  hasStartTimes: boolean,
  into: HistogramColumns,
  minTimeMs: number,
  maxTimeMs: number,
): void {
  let count = reader.bits(16)
  let hint = 0
  if (hasStartTimes) {
    hint = count >>> 14
    count &= 0x3fff
  } else {
    hint = reader.bits(8) >>> 6
  }
  const starts = hasStartTimes ? new StartTimeReader(reader.bits(8)) : undefined
  // Prometheus writes the layout with the first sample.
  if (count === 0) return
  const layout = readLayout(reader, isFloat)
  const bucketCounts = count * (layout.positiveBuckets + layout.negativeBuckets)
  if (bucketCounts > bucketCountsMax) {
    throw new ChunkError(`cannot read histogram chunk: want at most ${bucketCountsMax} bucket counts, got ${bucketCounts}`)
  }
  let layoutIndex = -1
  const samples = isFloat ? new FloatSamples(reader, layout) : new IntegerSamples(reader, layout)
  for (let i = 0; i < count; i++) {
    const previousTimeMs = samples.timeMs
    samples.read(i)
    starts?.read(reader, i, i === 0 ? samples.timeMs : previousTimeMs)
    const { timeMs } = samples
    if (timeMs > maxTimeMs) return
    if (timeMs >= minTimeMs) {
      const startTimeMs = starts === undefined ? 0 : starts.startTimeMs
      if (samples.isStale) {
        into.push(timeMs, startTimeMs, into.addLayout(emptyLayout(isFloat)), hint, 0, 0, samples.sumLow(), samples.sumHigh(), 0)
      } else {
        if (layoutIndex < 0) layoutIndex = into.addLayout(layout)
        samples.push(into, startTimeMs, layoutIndex, hint)
      }
    }
    if (hint !== gaugeHistogram) hint = noReset
  }
}

class IntegerSamples {
  readonly #reader: BitReader
  readonly #positiveBuckets: number
  // Count, zero count, then the difference of each bucket from the one below it.
  readonly #values: Float64Array
  readonly #changes: Float64Array
  #timeDelta = 0
  timeMs = 0
  isStale = false

  constructor(reader: BitReader, { positiveBuckets, negativeBuckets }: HistogramLayout) {
    this.#reader = reader
    this.#positiveBuckets = positiveBuckets
    this.#values = new Float64Array(2 + positiveBuckets + negativeBuckets)
    this.#changes = new Float64Array(this.#values.length)
    sumOnly.reset(1)
  }

  sumLow(): number {
    return sumOnly.low[0]!
  }

  sumHigh(): number {
    return sumOnly.high[0]!
  }

  read(i: number): void {
    const reader = this.#reader
    const values = this.#values
    const changes = this.#changes
    if (i === 0) {
      this.timeMs = reader.varbitInt()
      values[0] = reader.varbitUint()
      values[1] = reader.varbitUint()
      sumOnly.readFirst(reader, 0)
    } else {
      this.#timeDelta += i === 1 ? reader.varbitUint() : reader.varbitInt()
      this.timeMs += this.#timeDelta
      values[0]! += changes[0]! += reader.varbitInt()
      values[1]! += changes[1]! += reader.varbitInt()
      sumOnly.read(reader, 0)
    }
    this.isStale = isStaleWords(sumOnly.low[0]!, sumOnly.high[0]!)
    if (this.isStale) return
    if (i === 0) for (let k = 2; k < values.length; k++) values[k] = reader.varbitInt()
    else for (let k = 2; k < values.length; k++) values[k]! += changes[k]! += reader.varbitInt()
  }

  push(into: HistogramColumns, startTimeMs: number, layoutIndex: number, hint: number): void {
    const values = this.#values
    const start = into.push(
      this.timeMs,
      startTimeMs,
      layoutIndex,
      hint,
      values[0]!,
      values[1]!,
      this.sumLow(),
      this.sumHigh(),
      values.length - 2,
    )
    const { buckets } = into
    const firstNegative = 2 + this.#positiveBuckets
    let bucket = 0
    for (let k = 2; k < values.length; k++) {
      bucket = k === firstNegative ? values[k]! : bucket + values[k]!
      buckets[start + k - 2] = bucket
    }
  }
}

class FloatSamples {
  readonly #reader: BitReader
  readonly #fields: number
  #timeDelta = 0
  timeMs = 0
  isStale = false

  constructor(reader: BitReader, { positiveBuckets, negativeBuckets }: HistogramLayout) {
    this.#reader = reader
    this.#fields = firstBucketField + positiveBuckets + negativeBuckets
    floats.reset(this.#fields)
  }

  sumLow(): number {
    return floats.low[sumField]!
  }

  sumHigh(): number {
    return floats.high[sumField]!
  }

  read(i: number): void {
    const reader = this.#reader
    if (i === 0) {
      this.timeMs = reader.varbitInt()
      for (let k = countField; k <= sumField; k++) floats.readFirst(reader, k)
    } else {
      this.#timeDelta += reader.varbitInt()
      this.timeMs += this.#timeDelta
      for (let k = countField; k <= sumField; k++) floats.read(reader, k)
    }
    this.isStale = isStaleWords(this.sumLow(), this.sumHigh())
    if (this.isStale) return
    if (i === 0) for (let k = firstBucketField; k < this.#fields; k++) floats.readFirst(reader, k)
    else for (let k = firstBucketField; k < this.#fields; k++) floats.read(reader, k)
  }

  push(into: HistogramColumns, startTimeMs: number, layoutIndex: number, hint: number): void {
    const start = into.push(
      this.timeMs,
      startTimeMs,
      layoutIndex,
      hint,
      floatAt(countField),
      floatAt(zeroCountField),
      this.sumLow(),
      this.sumHigh(),
      this.#fields - firstBucketField,
    )
    const { buckets } = into
    for (let k = firstBucketField; k < this.#fields; k++) buckets[start + k - firstBucketField] = floatAt(k)
  }
}

function floatAt(k: number): number {
  words[0] = floats.low[k]!
  words[1] = floats.high[k]!
  return float[0]!
}
