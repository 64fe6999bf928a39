import type { ByteReader } from '@narthex/bytes/byte-reader'
import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { hasTimestamp } from './exemplar-message.ts'
import { beginBlock, endBlock, gaugeFlag, histogramFlag, putValue } from './lines.ts'
import { readDouble, readTag, readTimestampMs, readUint64, skipBytes, skipField } from './protobuf-fields.ts'
import { boundBytes, noBytes } from './protobuf-series.ts'
import type { SeriesWriter } from './protobuf-series.ts'

// Summary {1 sample_count, 2 sample_sum, 3 quantile {1 quantile double, 2 value double}, 4 created_timestamp}
// Histogram {1 sample_count uint64, 4 sample_count_float, 2 sample_sum, 3 bucket, 15 created_timestamp, 16 exemplar; histogram-message.ts}
// Bucket {1 cumulative_count uint64, 4 cumulative_count_float, 2 upper_bound, 3 exemplar}

export interface ProtobufOptions {
  /** Classic series also of histograms that are native. */
  readonly keepClassic: boolean
  /** False: only the classic part of a histogram is read. */
  readonly nativeHistograms: boolean
}

const bucketSuffix = Buffer.from('_bucket')
const countSuffix = Buffer.from('_count')
const sumSuffix = Buffer.from('_sum')
const leLabel = Buffer.from('le="')
const quantileLabel = Buffer.from('quantile="')

/** Writes the lines of a metric that is a Summary or Histogram message. */
export class CompositeReader {
  readonly #body: Uint8Array
  readonly #out: ByteWriter
  readonly #options: ProtobufOptions
  readonly #reader: ByteReader
  readonly #series: SeriesWriter
  // Ranges of the buckets or quantiles: start, end, start, end, …
  readonly #parts: number[] = []

  constructor(body: Uint8Array, out: ByteWriter, options: ProtobufOptions, reader: ByteReader, series: SeriesWriter) {
    this.#body = body
    this.#out = out
    this.#options = options
    this.#reader = reader
    this.#series = series
  }

  /** The Summary in [start, end). */
  readSummary(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const quantiles = this.#parts
    quantiles.length = 0
    let count = 0
    let sum = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 1) {
        count = readUint64(reader, tag)
      } else if (field === 2) {
        sum = readDouble(reader, tag)
      } else if (field === 3) {
        quantiles.push(skipBytes(reader, tag), reader.offset)
      } else if (field === 4) {
        this.#series.startMs = readStartMs(reader, tag)
      } else {
        skipField(reader, tag)
      }
    }
    this.#putCountAndSum(count, sum)
    for (let i = 0; i < quantiles.length; i += 2) this.#readQuantile(quantiles[i]!, quantiles[i + 1]!)
  }

  /** The Histogram in [start, end). */
  readHistogram(start: number, end: number, isGauge: boolean): void {
    const reader = this.#enter(start, end)
    const buckets = this.#parts
    buckets.length = 0
    const nativeExemplars: number[] = []
    let [count, countFloat, sum] = [0, 0, 0]
    let isNative = false
    while (reader.offset < end) {
      const tag = readTag(reader)
      switch (tag >>> 3) {
        case 1:
          count = readUint64(reader, tag)
          break
        case 4:
          countFloat = readDouble(reader, tag)
          break
        case 2:
          sum = readDouble(reader, tag)
          break
        case 3:
          buckets.push(skipBytes(reader, tag), reader.offset)
          break
        case 6:
          isNative = readDouble(reader, tag) > 0 || isNative
          break
        case 7:
          isNative = readUint64(reader, tag) > 0 || isNative
          break
        case 9:
        case 12:
          // Also a span of nothing: it marks a native histogram without observations.
          isNative = true
          skipField(reader, tag)
          break
        case 15:
          this.#series.startMs = readStartMs(reader, tag)
          break
        case 16:
          nativeExemplars.push(skipBytes(reader, tag), reader.offset)
          break
        default:
          skipField(reader, tag)
      }
    }
    isNative &&= this.#options.nativeHistograms
    if (isNative) this.#putNative(start, end, nativeExemplars, isGauge)
    if (isNative && !(this.#options.keepClassic && buckets.length > 0)) return
    this.#series.exemplars.length = 0
    const total = countFloat > 0 ? countFloat : count
    this.#putCountAndSum(total, sum)
    this.#putBuckets(total)
  }

  #readQuantile(start: number, end: number): void {
    const reader = this.#enter(start, end)
    let quantile = 0
    let value = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      if (tag >>> 3 === 1) quantile = readDouble(reader, tag)
      else if (tag >>> 3 === 2) value = readDouble(reader, tag)
      else skipField(reader, tag)
    }
    this.#series.putSeries(noBytes, quantileLabel, boundBytes(quantile))
    this.#series.putSample(value)
  }

  #putBuckets(total: number): void {
    const buckets = this.#parts
    for (let i = 0; i < buckets.length; i += 2) {
      const bound = this.#readBucket(buckets[i]!, buckets[i + 1]!)
      // Prometheus takes no bucket behind that of +Inf.
      if (bound === Infinity) return
    }
    this.#series.exemplars.length = 0
    this.#series.putSeries(bucketSuffix, leLabel, boundBytes(Infinity))
    this.#series.putSample(total)
  }

  /** Writes one bucket; returns its upper bound. */
  #readBucket(start: number, end: number): number {
    const reader = this.#enter(start, end)
    this.#series.exemplars.length = 0
    let [bound, count, countFloat] = [0, 0, 0]
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 1) {
        count = readUint64(reader, tag)
      } else if (field === 2) {
        bound = readDouble(reader, tag)
      } else if (field === 4) {
        countFloat = readDouble(reader, tag)
      } else if (field === 3) {
        const from = skipBytes(reader, tag)
        this.#series.exemplars = [from, reader.offset]
      } else {
        skipField(reader, tag)
      }
    }
    this.#series.putSeries(bucketSuffix, leLabel, boundBytes(bound))
    this.#series.putSample(countFloat > 0 ? countFloat : count)
    return bound
  }

  #putNative(start: number, end: number, nativeExemplars: readonly number[], isGauge: boolean): void {
    const out = this.#out
    this.#series.exemplars = this.#exemplarsWithTime(nativeExemplars.length > 0 ? nativeExemplars : this.#bucketExemplars())
    this.#series.putSeries(noBytes, noBytes, noBytes)
    putValue(out, this.#series.flags() | histogramFlag | (isGauge ? gaugeFlag : 0), NaN, this.#series.timestampMs, this.#series.startMs)
    const block = beginBlock(out)
    const reader = this.#enter(start, end)
    // All but the buckets, the created timestamp and the exemplars; fields that follow each other are copied at once.
    let copied = start
    while (reader.offset < end) {
      const from = reader.offset
      const tag = readTag(reader)
      skipField(reader, tag)
      const field = tag >>> 3
      if (field <= 14 && field !== 3) continue
      out.raw(this.#body, copied, from)
      copied = reader.offset
    }
    out.raw(this.#body, copied, end)
    endBlock(out, block)
    this.#series.putExemplars()
  }

  #bucketExemplars(): number[] {
    const found: number[] = []
    for (let i = 0; i < this.#parts.length; i += 2) {
      const end = this.#parts[i + 1]!
      const reader = this.#enter(this.#parts[i]!, end)
      while (reader.offset < end) {
        const tag = readTag(reader)
        if (tag >>> 3 === 3) found.push(skipBytes(reader, tag), reader.offset)
        else skipField(reader, tag)
      }
    }
    return found
  }

  /** Exemplars of native histograms are kept in order of time, so one without a time has no place. */
  #exemplarsWithTime(ranges: readonly number[]): number[] {
    const kept: number[] = []
    for (let i = 0; i < ranges.length; i += 2) {
      if (hasTimestamp(this.#reader, ranges[i]!, ranges[i + 1]!)) kept.push(ranges[i]!, ranges[i + 1]!)
    }
    return kept
  }

  #putCountAndSum(count: number, sum: number): void {
    this.#series.putSeries(countSuffix, noBytes, noBytes)
    this.#series.putSample(count)
    this.#series.putSeries(sumSuffix, noBytes, noBytes)
    this.#series.putSample(sum)
  }

  #enter(start: number, end: number): ByteReader {
    this.#reader.offset = start
    this.#reader.end = end
    return this.#reader
  }
}

/** A created timestamp, as the start timestamp of the metric's series. */
export function readStartMs(reader: ByteReader, tag: number): number {
  const from = skipBytes(reader, tag)
  return readTimestampMs(reader, from, reader.offset)
}
