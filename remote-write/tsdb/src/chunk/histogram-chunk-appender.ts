import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { uniteSpans, type SpanUnion } from './bucket-spans.ts'
import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { floatHistogramEncoding, histogramEncoding } from './chunk-encoding.ts'
import { decodeChunk } from './decode-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { HistogramEncoder } from './histogram-encoder.ts'
import { emptyLayout, hasSameSpans, isSameBounds, makeLayout, type HistogramLayout } from '@narthex/model/histogram-layout'
import { chunkSamplesMax } from './xor-encoder.ts'

/** Prometheus ends a histogram chunk that has grown to this size, but not before it has `histogramChunkSamplesMin` samples. */
export const histogramChunkBytesTarget = 1024
export const histogramChunkSamplesMin = 10

const scratch = new HistogramColumns(1, 256)
const noFloats = new SampleColumns(0)

/**
 * One histogram chunk in the making, integer or float. It takes histograms as long as Prometheus would put them into the same chunk, and
 * writes the earlier ones anew when buckets come that they do not have; to end it at a time or size is for the caller.
 */
export class HistogramChunkAppender {
  readonly isFloat: boolean
  readonly #header: ResetHint
  #encoder: HistogramEncoder | undefined
  #timeMs = -Infinity
  #isStale = false
  #count = 0
  #zeroCount = 0
  /** Bucket counts of the last sample, in the order of the chunk's layout. */
  #last = new Float64Array(0)
  // What the last check found out: none where the spans are the chunk's.
  #positive: SpanUnion | undefined
  #negative: SpanUnion | undefined

  /** `header`: what `append` of the chunk before answered, or its `headerOfNext`. A first sample that knows more itself overrules it. */
  constructor(isFloat: boolean, header: ResetHint = unknownReset) {
    this.isFloat = isFloat
    this.#header = header
  }

  get encoding(): number {
    return this.isFloat ? floatHistogramEncoding : histogramEncoding
  }

  get sampleCount(): number {
    return this.#encoder?.sampleCount ?? 0
  }

  /** Of the chunk as it would stand in a file, without length, encoding and checksum. */
  get byteLength(): number {
    return this.#encoder?.byteLength ?? 0
  }

  /** What the chunk says of its first sample. */
  get header(): ResetHint {
    return this.#encoder?.header ?? this.#header
  }

  /** What its samples have in common; another one when they have been written anew. */
  get layout(): HistogramLayout | undefined {
    return this.#encoder?.layout
  }

  /** A copy of the chunk's data; throws if there are none. */
  bytes(): Uint8Array {
    if (this.#encoder === undefined) throw new Error('cannot give the bytes of a histogram chunk without samples')
    return this.#encoder.bytes()
  }

  /**
   * Appends a histogram and gives nothing; or leaves the chunk as it is and gives the header of the new chunk that must begin with it.
   * `hint`: what its source knows. Throws a RangeError if times fall, or the histogram is none that
   * its kind of chunk can hold: spans that do not fit the buckets, negative counts of integers.
   */
  append(timeMs: number, histogram: NativeHistogram, hint: ResetHint = unknownReset): ResetHint | undefined {
    scratch.clear()
    scratch.pushHistogram(timeMs, 0, histogram, hint)
    return this.appendFrom(scratch, 0)
  }

  /** As `append`, with a marker that the series ended. */
  appendStale(timeMs: number): ResetHint | undefined {
    scratch.clear()
    scratch.pushStale(timeMs, 0, this.isFloat)
    return this.appendFrom(scratch, 0)
  }

  /** As `append`, with sample `i` of columns. */
  appendFrom(columns: HistogramColumns, i: number): ResetHint | undefined {
    const timeMs = columns.times[i]!
    if (timeMs < this.#timeMs) throw new RangeError(`cannot append histogram: want rising times, got ${timeMs} after ${this.#timeMs}`)
    if (!Number.isSafeInteger(timeMs)) throw new RangeError(`cannot append histogram: want a time in whole ms, got ${timeMs}`)
    if (!this.isFloat && !(columns.counts[i]! >= 0 && columns.zeroCounts[i]! >= 0)) {
      const counts = `${columns.counts[i]} and ${columns.zeroCounts[i]}`
      throw new RangeError(`cannot append histogram: want a count and zero count of at least 0, got ${counts}`)
    }
    if (this.#encoder === undefined) {
      this.#start(columns, i)
    } else {
      const refusal = this.sampleCount < chunkSamplesMax ? this.#check(columns, i) : this.headerOfNextFrom(columns, i)
      if (refusal !== undefined) return refusal
      this.#write(columns, i)
    }
    this.#timeMs = timeMs
    this.#isStale = columns.isStale(i)
    this.#count = columns.counts[i]!
    this.#zeroCount = columns.zeroCounts[i]!
    return undefined
  }

  /** The header of a new chunk that begins with this histogram because this one is full. */
  headerOfNext(histogram: NativeHistogram, hint: ResetHint = unknownReset): ResetHint {
    scratch.clear()
    scratch.pushHistogram(0, 0, histogram, hint)
    return this.headerOfNextFrom(scratch, 0)
  }

  /** As `headerOfNext`, with sample `i` of columns. */
  headerOfNextFrom(columns: HistogramColumns, i: number): ResetHint {
    const hint = columns.hints[i]
    if (this.#encoder === undefined) return hint === gaugeHistogram || hint === counterReset ? hint : unknownReset
    return this.#check(columns, i) ?? (hint === gaugeHistogram ? gaugeHistogram : noReset)
  }

  /** Prometheus' rules: nothing if the histogram may stand in this chunk, else the header of the next one. */
  #check(columns: HistogramColumns, i: number): ResetHint | undefined {
    const { layout, header } = this.#encoder!
    const next = columns.layout(i)
    const isGauge = columns.hints[i] === gaugeHistogram
    const refusal = isGauge ? gaugeHistogram : unknownReset
    this.#positive = undefined
    this.#negative = undefined
    if (columns.hints[i] === counterReset) return counterReset
    if (next.isFloat !== this.isFloat || isGauge !== (header === gaugeHistogram)) return refusal
    if (columns.isStale(i)) return undefined
    // Behind a stale marker stand only stale markers.
    if (this.#isStale) return refusal
    if (!isGauge && columns.counts[i]! < this.#count) return counterReset
    if (next.schema !== layout.schema || next.zeroThreshold !== layout.zeroThreshold) return refusal
    if (!isSameBounds(next.customValues, layout.customValues)) return isGauge ? gaugeHistogram : counterReset
    if (!isGauge && columns.zeroCounts[i]! < this.#zeroCount) return counterReset
    if (!hasSameSpans(layout.positiveSpans, next.positiveSpans)) this.#positive = uniteSpans(layout.positiveSpans, next.positiveSpans)
    if (!hasSameSpans(layout.negativeSpans, next.negativeSpans)) this.#negative = uniteSpans(layout.negativeSpans, next.negativeSpans)
    return !isGauge && this.#hasFallen(columns, i) ? counterReset : undefined
  }

  /** Whether a bucket has less than in the last sample; one that is missing has 0. */
  #hasFallen(columns: HistogramColumns, i: number): boolean {
    const start = columns.bucketStart(i)
    const { positiveBuckets, negativeBuckets } = this.#encoder!.layout
    return (
      hasFallen(this.#last, 0, positiveBuckets, columns.buckets, start, this.#positive) ||
      hasFallen(this.#last, positiveBuckets, negativeBuckets, columns.buckets, start + columns.layout(i).positiveBuckets, this.#negative)
    )
  }

  #start(columns: HistogramColumns, i: number): void {
    const hint = columns.hints[i]
    const known = hint === gaugeHistogram || hint === counterReset ? hint : this.#header
    // Only its own histograms make a chunk one of gauges.
    const header = known === gaugeHistogram && hint !== gaugeHistogram ? unknownReset : known
    const layout = columns.isStale(i) ? emptyLayout(this.isFloat) : columns.layout(i)
    if (layout.isFloat !== this.isFloat) throw new RangeError(`cannot append histogram: want ${this.isFloat ? 'floats' : 'integers'}`)
    this.#encoder = new HistogramEncoder(layout, header)
    this.#put(columns, i, columns.buckets, columns.bucketStart(i))
  }

  #write(columns: HistogramColumns, i: number): void {
    const positive = this.#positive
    const negative = this.#negative
    if (positive === undefined && negative === undefined) {
      this.#put(columns, i, columns.buckets, columns.bucketStart(i))
      return
    }
    const next = columns.layout(i)
    if ((positive?.newInSecond ?? 0) + (negative?.newInSecond ?? 0) > 0) this.#recode(next, positive, negative)
    const { layout } = this.#encoder!
    const row = new Float64Array(layout.positiveBuckets + layout.negativeBuckets)
    const start = columns.bucketStart(i)
    const middle = start + next.positiveBuckets
    place(columns.buckets, start, next.positiveBuckets, row, 0, positive?.secondPlaces)
    place(columns.buckets, middle, next.negativeBuckets, row, layout.positiveBuckets, negative?.secondPlaces)
    this.#put(columns, i, row, 0)
  }

  #put(columns: HistogramColumns, i: number, buckets: Float64Array, start: number): void {
    const encoder = this.#encoder!
    const { sumWords } = columns
    encoder.write(columns.times[i]!, columns.counts[i]!, columns.zeroCounts[i]!, sumWords[2 * i]!, sumWords[2 * i + 1]!, buckets, start)
    if (columns.isStale(i)) return
    const count = encoder.layout.positiveBuckets + encoder.layout.negativeBuckets
    if (this.#last.length !== count) this.#last = new Float64Array(count)
    for (let k = 0; k < count; k++) this.#last[k] = buckets[start + k]!
  }

  /** Writes the samples of before anew, with the buckets that `next` brings. */
  #recode(next: HistogramLayout, positive: SpanUnion | undefined, negative: SpanUnion | undefined): void {
    const old = this.#encoder!
    const layout = makeLayout(
      this.isFloat,
      next.schema,
      next.zeroThreshold,
      positive !== undefined && positive.missingInSecond > 0 ? positive.spans : next.positiveSpans,
      negative !== undefined && negative.missingInSecond > 0 ? negative.spans : next.negativeSpans,
      next.customValues,
    )
    const samples = new HistogramColumns(old.sampleCount, old.sampleCount * (old.layout.positiveBuckets + old.layout.negativeBuckets))
    decodeChunk(this.encoding, old.bytes(), { floats: noFloats, histograms: samples })
    const encoder = new HistogramEncoder(layout, old.header)
    const row = new Float64Array(layout.positiveBuckets + layout.negativeBuckets)
    const { times, counts, zeroCounts, sumWords, buckets } = samples
    for (let i = 0; i < samples.length; i++) {
      const start = samples.bucketStart(i)
      place(buckets, start, old.layout.positiveBuckets, row, 0, positive?.firstPlaces)
      place(buckets, start + old.layout.positiveBuckets, old.layout.negativeBuckets, row, layout.positiveBuckets, negative?.firstPlaces)
      encoder.write(times[i]!, counts[i]!, zeroCounts[i]!, sumWords[2 * i]!, sumWords[2 * i + 1]!, row, 0)
    }
    this.#encoder = encoder
  }
}

/** Puts `count` bucket counts into a row that begins at `rowStart`, at the places of `places` or one after the other. */
function place(
  buckets: Float64Array,
  start: number,
  count: number,
  row: Float64Array,
  rowStart: number,
  places: Int32Array | undefined,
): void {
  for (let k = 0; k < count; k++) row[rowStart + (places === undefined ? k : places[k]!)] = buckets[start + k]!
}

function hasFallen(
  last: Float64Array,
  lastStart: number,
  lastCount: number,
  buckets: Float64Array,
  start: number,
  union: SpanUnion | undefined,
): boolean {
  if (union === undefined) {
    for (let k = 0; k < lastCount; k++) if (buckets[start + k]! < last[lastStart + k]!) return true
    return false
  }
  const { firstPlaces, secondPlaces } = union
  let j = 0
  for (let k = 0; k < lastCount; k++) {
    while (j < secondPlaces.length && secondPlaces[j]! < firstPlaces[k]!) j++
    const count = secondPlaces[j] === firstPlaces[k] ? buckets[start + j]! : 0
    if (count < last[lastStart + k]!) return true
  }
  return false
}
