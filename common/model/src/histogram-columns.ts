import { emptyLayout, isSameLayout, makeLayout, splitFloat, type HistogramLayout } from './histogram-layout.ts'
import type { NativeHistogram } from './native-histogram.ts'
import { gaugeHistogram, unknownReset, type ResetHint } from './reset-hint.ts'
import type { GrowthListener } from './sample-columns.ts'
import { isStaleWords, STALE_HIGH, STALE_LOW } from './stale.ts'

const halves = new Uint32Array(2)
/** Without its buckets. */
const bytesPerSample = 5 * 8 + 1 + 2 * 4

/**
 * Histograms as growing columns: PromQL takes sums and differences of whole rows of bucket counts, so they stand as absolute counts,
 * integer or float, in one `Float64Array`, and what a chunk's samples share stands once. The arrays are replaced when the columns grow,
 * so take them afresh after a push. Counts are exact up to 2^53.
 */
export class HistogramColumns {
  /** Milliseconds since 1970. */
  times: Float64Array<ArrayBuffer>
  /** Milliseconds since 1970 at which counting began; 0 = not known. */
  startTimes: Float64Array<ArrayBuffer>
  counts: Float64Array<ArrayBuffer>
  zeroCounts: Float64Array<ArrayBuffer>
  sums: Float64Array<ArrayBuffer>
  /** The memory of `sums`, two words a sum, low word first: a stale marker is only known here. */
  sumWords: Uint32Array<ArrayBuffer>
  /** A `ResetHint` against the sample before, which must then be the one that its writer had before it. */
  hints: Uint8Array<ArrayBuffer>
  /** Index into `layouts`. */
  layoutIndexes: Uint32Array<ArrayBuffer>
  /** Where a sample's counts end in `buckets`: positive ones, then negative ones, in the order of the spans; they begin where those before end. */
  bucketEnds: Uint32Array<ArrayBuffer>
  buckets: Float64Array<ArrayBuffer>
  layouts: HistogramLayout[] = []
  length = 0
  readonly #onGrow: GrowthListener | undefined

  constructor(capacity = 128, bucketCapacity = 1024, onGrow?: GrowthListener) {
    this.#onGrow = onGrow
    this.times = new Float64Array(capacity)
    this.startTimes = new Float64Array(capacity)
    this.counts = new Float64Array(capacity)
    this.zeroCounts = new Float64Array(capacity)
    this.sums = new Float64Array(capacity)
    this.sumWords = new Uint32Array(this.sums.buffer)
    this.hints = new Uint8Array(capacity)
    this.layoutIndexes = new Uint32Array(capacity)
    this.bucketEnds = new Uint32Array(capacity)
    this.buckets = new Float64Array(bucketCapacity)
  }

  get bucketLength(): number {
    return this.length === 0 ? 0 : this.bucketEnds[this.length - 1]!
  }

  bucketStart(i: number): number {
    return i === 0 ? 0 : this.bucketEnds[i - 1]!
  }

  layout(i: number): HistogramLayout {
    return this.layouts[this.layoutIndexes[i]!]!
  }

  /** Such a sample has no counts, no buckets and an empty layout. */
  isStale(i: number): boolean {
    return isStaleWords(this.sumWords[2 * i]!, this.sumWords[2 * i + 1]!)
  }

  /** The index of a layout for `push`; the one of before if that is the same. */
  addLayout(layout: HistogramLayout): number {
    const last = this.layouts.length - 1
    if (last >= 0 && isSameLayout(this.layouts[last]!, layout)) return last
    return this.layouts.push(layout) - 1
  }

  /** Appends a sample whose buckets the caller then sets in `buckets` from the index given. */
  push(
    timeMs: number,
    startTimeMs: number,
    layoutIndex: number,
    hint: number,
    count: number,
    zeroCount: number,
    sumLow: number,
    sumHigh: number,
    bucketCount: number,
  ): number {
    const at = this.length
    if (at === this.times.length) this.#grow()
    const start = this.bucketLength
    const end = start + bucketCount
    if (end > this.buckets.length) this.#growBuckets(end)
    this.times[at] = timeMs
    this.startTimes[at] = startTimeMs
    this.layoutIndexes[at] = layoutIndex
    this.hints[at] = hint
    this.counts[at] = count
    this.zeroCounts[at] = zeroCount
    this.sumWords[2 * at] = sumLow
    this.sumWords[2 * at + 1] = sumHigh
    this.bucketEnds[at] = end
    this.length = at + 1
    return start
  }

  /** Appends a histogram; `hint` is for one that is no gauge. Throws a RangeError if spans and buckets do not fit each other. */
  pushHistogram(timeMs: number, startTimeMs: number, histogram: NativeHistogram, hint: ResetHint = unknownReset): void {
    const { isFloat, schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = histogram
    const layout = makeLayout(isFloat, schema, zeroThreshold, positiveSpans, negativeSpans, customValues)
    const positive = isFloat ? histogram.positiveCounts : histogram.positiveDeltas
    const negative = isFloat ? histogram.negativeCounts : histogram.negativeDeltas
    if (positive.length !== layout.positiveBuckets || negative.length !== layout.negativeBuckets) {
      const wanted = `${layout.positiveBuckets} positive and ${layout.negativeBuckets} negative`
      throw new RangeError(`cannot take histogram: want ${wanted} buckets, as its spans say, got ${positive.length} and ${negative.length}`)
    }
    splitFloat(histogram.sum, halves)
    const start = this.push(
      timeMs,
      startTimeMs,
      this.addLayout(layout),
      histogram.isGauge ? gaugeHistogram : hint,
      histogram.count,
      histogram.zeroCount,
      halves[0]!,
      halves[1]!,
      positive.length + negative.length,
    )
    this.#setBuckets(start, positive, isFloat)
    this.#setBuckets(start + positive.length, negative, isFloat)
  }

  /** Appends a marker that the series ended. */
  pushStale(timeMs: number, startTimeMs: number, isFloat: boolean, hint: ResetHint = unknownReset): void {
    this.push(timeMs, startTimeMs, this.addLayout(emptyLayout(isFloat)), hint, 0, 0, STALE_LOW, STALE_HIGH, 0)
  }

  /** Sample `i` as an object. The sum of a stale one is some NaN: ask `isStale`. */
  histogram(i: number): NativeHistogram {
    const { isFloat, schema, zeroThreshold, positiveSpans, negativeSpans, customValues, positiveBuckets } = this.layout(i)
    const start = this.bucketStart(i)
    const middle = start + positiveBuckets
    const end = this.bucketEnds[i]!
    return {
      schema,
      isFloat,
      count: this.counts[i]!,
      sum: this.sums[i]!,
      zeroThreshold,
      zeroCount: this.zeroCounts[i]!,
      positiveSpans,
      negativeSpans,
      positiveDeltas: isFloat ? [] : this.#deltas(start, middle),
      negativeDeltas: isFloat ? [] : this.#deltas(middle, end),
      positiveCounts: isFloat ? [...this.buckets.subarray(start, middle)] : [],
      negativeCounts: isFloat ? [...this.buckets.subarray(middle, end)] : [],
      customValues,
      isGauge: this.hints[i] === gaugeHistogram,
    }
  }

  /** Drops the samples from `length` on. */
  truncate(length: number): void {
    this.length = length
  }

  clear(): void {
    this.length = 0
    this.layouts = []
  }

  #deltas(start: number, end: number): number[] {
    const deltas: number[] = []
    for (let i = start, before = 0; i < end; before = this.buckets[i]!, i++) deltas.push(this.buckets[i]! - before)
    return deltas
  }

  #setBuckets(start: number, source: readonly number[], isFloat: boolean): void {
    const { buckets } = this
    let count = 0
    for (let i = 0; i < source.length; i++) {
      count = isFloat ? source[i]! : count + source[i]!
      buckets[start + i] = count
    }
  }

  #growBuckets(end: number): void {
    const capacity = Math.max(end, this.buckets.length * 2)
    this.#onGrow?.(this.times.length * bytesPerSample + capacity * 8)
    this.buckets = grownFloats(this.buckets, capacity)
  }

  #grow(): void {
    const capacity = Math.max(16, this.times.length * 2)
    this.#onGrow?.(capacity * bytesPerSample + this.buckets.length * 8)
    this.times = grownFloats(this.times, capacity)
    this.startTimes = grownFloats(this.startTimes, capacity)
    this.counts = grownFloats(this.counts, capacity)
    this.zeroCounts = grownFloats(this.zeroCounts, capacity)
    // Copied as words: a Float64Array's copy may not keep the bits of a signalling NaN.
    const sumWords = new Uint32Array(capacity * 2)
    sumWords.set(this.sumWords)
    this.sumWords = sumWords
    this.sums = new Float64Array(sumWords.buffer)
    const hints = new Uint8Array(capacity)
    hints.set(this.hints)
    this.hints = hints
    this.layoutIndexes = grownWords(this.layoutIndexes, capacity)
    this.bucketEnds = grownWords(this.bucketEnds, capacity)
  }
}

function grownFloats(source: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity)
  grown.set(source)
  return grown
}

function grownWords(source: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(capacity)
  grown.set(source)
  return grown
}
