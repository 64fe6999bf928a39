import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'
import { formatOpenMetricsFloat } from '@narthex/model/number'
import { hasTimestamp } from './exemplar-message.ts'
import { ExpositionError, quoteBytes } from './exposition-error.ts'
import { beginBlock, endBlock, exemplarsFlag, gaugeFlag, histogramFlag, putEscaped, putMetadata, putValue } from './lines.ts'
import { linesBytesMax, startFlag, timestampFlag } from './lines.ts'
import { readDouble, readInt64, readTag, readTimestampMs, readUint64, skipBytes, skipField } from './protobuf-fields.ts'
import { byteClasses, decodeUtf8, isUtf8Range, labelByte, labelStart, nameByte, nameStart } from './scan.ts'

// A body is a sequence of ┌ length varint ┬ io.prometheus.client.MetricFamily ┐:
// MetricFamily {1 name, 2 help, 3 type, 4 metric, 5 unit}
// Metric {1 label {1 name, 2 value}, 2 gauge, 3 counter, 4 summary, 5 untyped, 7 histogram, 6 timestamp_ms int64}
// Gauge, Untyped {1 value double} · Counter {1 value double, 2 exemplar, 3 created_timestamp}
// Summary {1 sample_count, 2 sample_sum, 3 quantile {1 quantile double, 2 value double}, 4 created_timestamp}
// Histogram {1 sample_count uint64, 4 sample_count_float, 2 sample_sum, 3 bucket, 15 created_timestamp, 16 exemplar; histogram-message.ts}
// Bucket {1 cumulative_count uint64, 4 cumulative_count_float, 2 upper_bound, 3 exemplar}

/** MetricFamily.type, in the order of the enum. */
const types: readonly MetricType[] = ['counter', 'gauge', 'summary', 'unknown', 'histogram', 'gaugehistogram']

/** The field of Metric that holds the value of a family of this type. */
const valueFields: Readonly<Partial<Record<MetricType, number>>> = {
  gauge: 2,
  counter: 3,
  summary: 4,
  unknown: 5,
  histogram: 7,
  gaugehistogram: 7,
}

export interface ProtobufOptions {
  /** Classic series also of histograms that are native. */
  readonly keepClassic: boolean
  /** False: only the classic part of a histogram is read. */
  readonly nativeHistograms: boolean
}

/**
 * Appends the samples of a body of delimited MetricFamily messages to `out`, as lines for LineParser. Families without metrics leave nothing.
 * Histograms and exemplars are copied as they are. Throws ExpositionError.
 */
export function writeProtobufLines(body: Uint8Array, out: ByteWriter, options: ProtobufOptions): void {
  new FamilyTranscoder(body, out, options).run()
}

class FamilyTranscoder {
  readonly #body: Uint8Array
  readonly #out: ByteWriter
  readonly #options: ProtobufOptions
  readonly #reader: ByteReader

  #type: MetricType = 'unknown'
  #nameStart = 0
  #nameEnd = 0
  #nameIsQuoted = false
  // The metric's labels as `a="b",c="d"`, written once for all of its series.
  readonly #labels = new ByteWriter(256)
  #timestampMs = 0
  #startMs = 0
  // Ranges of the messages that make up a histogram or summary: start, end, start, end, …
  #buckets: number[] = []
  #exemplars: number[] = []

  constructor(body: Uint8Array, out: ByteWriter, options: ProtobufOptions) {
    this.#body = body
    this.#out = out
    this.#options = options
    this.#reader = new ByteReader(body)
  }

  run(): void {
    const reader = this.#reader
    let offset = 0
    try {
      while (offset < this.#body.length) {
        this.#enter(offset, this.#body.length)
        const length = reader.uvarint()
        const start = reader.offset
        reader.skip(length)
        const end = reader.offset
        this.#readFamily(start, end)
        offset = end
      }
    } catch (error) {
      if (error instanceof RangeError) throw new ExpositionError(`invalid protobuf: ${error.message}`, 0, `metric family at byte ${offset}`)
      throw error
    }
  }

  #enter(start: number, end: number): ByteReader {
    this.#reader.offset = start
    this.#reader.end = end
    return this.#reader
  }

  #readFamily(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const body = this.#body
    const metrics: number[] = []
    let type = 0
    let help = ''
    let unit = ''
    this.#nameStart = 0
    this.#nameEnd = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 3) {
        type = readUint64(reader, tag)
        continue
      }
      if (field > 5) {
        skipField(reader, tag)
        continue
      }
      const from = skipBytes(reader, tag)
      if (field === 4) metrics.push(from, reader.offset)
      else if (field === 1) [this.#nameStart, this.#nameEnd] = [from, reader.offset]
      else if (!isUtf8Range(body, from, reader.offset)) this.#refuse(`invalid help or unit ${quoteBytes(body, from, reader.offset)}`)
      else if (field === 2) help = decodeUtf8(body, from, reader.offset)
      else unit = decodeUtf8(body, from, reader.offset)
    }
    if (metrics.length === 0) return
    const known = types[type]
    if (known === undefined) this.#refuse(`unknown metric type ${type}`)
    this.#type = known
    this.#writeMetadata(help, unit)
    for (let i = 0; i < metrics.length; i += 2) this.#readMetric(metrics[i]!, metrics[i + 1]!)
  }

  #writeMetadata(help: string, unit: string): void {
    const body = this.#body
    const [start, end] = [this.#nameStart, this.#nameEnd]
    if (start === end || !isUtf8Range(body, start, end)) {
      throw new ExpositionError(`invalid metric name: ${quoteBytes(body, start, end)}`, 0, `byte ${start}`)
    }
    const name = decodeUtf8(body, start, end)
    this.#nameIsQuoted = !isLegacy(body, start, end, nameStart, nameByte)
    if (unit !== '') {
      const isTotal = this.#type === 'counter' && name.endsWith('_total')
      if (!(isTotal ? name.slice(0, -'_total'.length) : name).endsWith(`_${unit}`)) {
        this.#refuse(`unit ${JSON.stringify(unit)} not a suffix of ${isTotal ? 'counter' : 'metric'} ${JSON.stringify(name)}`)
      }
    }
    if (help !== '') putMetadata(this.#out, 'HELP', name, help)
    putMetadata(this.#out, 'TYPE', name, this.#type)
    if (unit !== '') putMetadata(this.#out, 'UNIT', name, unit)
  }

  #readMetric(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const valueField = valueFields[this.#type]!
    this.#labels.reset()
    this.#timestampMs = 0
    this.#startMs = 0
    // A metric without its value has the value of an empty message.
    let valueStart = 0
    let valueEnd = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 6) {
        this.#timestampMs = readInt64(reader, tag)
      } else if (field === 1) {
        const from = skipBytes(reader, tag)
        const to = reader.offset
        this.#readLabel(from, to)
        this.#enter(to, end)
      } else if (field === valueField) {
        valueStart = skipBytes(reader, tag)
        valueEnd = reader.offset
      } else {
        skipField(reader, tag)
      }
    }
    if (this.#type === 'summary') this.#readSummary(valueStart, valueEnd)
    else if (valueField === 7) this.#readHistogram(valueStart, valueEnd)
    else this.#readSimple(valueStart, valueEnd)
  }

  #readLabel(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const body = this.#body
    const labels = this.#labels
    let [nameFrom, nameTo, valueFrom, valueTo] = [0, 0, 0, 0]
    while (reader.offset < end) {
      const tag = readTag(reader)
      if (tag >>> 3 === 1) {
        nameFrom = skipBytes(reader, tag)
        nameTo = reader.offset
      } else if (tag >>> 3 === 2) {
        valueFrom = skipBytes(reader, tag)
        valueTo = reader.offset
      } else {
        skipField(reader, tag)
      }
    }
    if (nameFrom === nameTo || !isUtf8Range(body, nameFrom, nameTo)) {
      this.#refuse(`invalid label name: ${quoteBytes(body, nameFrom, nameTo)}`)
    }
    if (!isUtf8Range(body, valueFrom, valueTo)) this.#refuse(`invalid label value: ${quoteBytes(body, valueFrom, valueTo)}`)
    if (labels.length > 0) labels.u8(44)
    if (isLegacy(body, nameFrom, nameTo, labelStart, labelByte)) {
      labels.raw(body, nameFrom, nameTo)
    } else {
      labels.u8(34)
      putEscaped(labels, body, nameFrom, nameTo)
      labels.u8(34)
    }
    labels.u8(61)
    labels.u8(34)
    putEscaped(labels, body, valueFrom, valueTo)
    labels.u8(34)
  }

  /** Counter, gauge or untyped. */
  #readSimple(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const isCounter = this.#type === 'counter'
    this.#exemplars.length = 0
    let value = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 1) {
        value = readDouble(reader, tag)
      } else if (isCounter && field === 2) {
        const from = skipBytes(reader, tag)
        this.#exemplars = [from, reader.offset]
      } else if (isCounter && field === 3) {
        this.#readStart(tag)
      } else {
        skipField(reader, tag)
      }
    }
    this.#putSeries(noBytes, noBytes, noBytes)
    this.#putSample(value)
  }

  #readStart(tag: number): void {
    const from = skipBytes(this.#reader, tag)
    this.#startMs = readTimestampMs(this.#reader, from, this.#reader.offset)
  }

  #readSummary(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const quantiles = this.#buckets
    quantiles.length = 0
    this.#exemplars.length = 0
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
        this.#readStart(tag)
      } else {
        skipField(reader, tag)
      }
    }
    this.#putCountAndSum(count, sum)
    for (let i = 0; i < quantiles.length; i += 2) this.#readQuantile(quantiles[i]!, quantiles[i + 1]!)
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
    this.#putSeries(noBytes, quantileLabel, boundBytes(quantile))
    this.#putSample(value)
  }

  #readHistogram(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const buckets = this.#buckets
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
          this.#readStart(tag)
          break
        case 16:
          nativeExemplars.push(skipBytes(reader, tag), reader.offset)
          break
        default:
          skipField(reader, tag)
      }
    }
    isNative &&= this.#options.nativeHistograms
    if (isNative) this.#putNative(start, end, nativeExemplars)
    if (isNative && !(this.#options.keepClassic && buckets.length > 0)) return
    this.#exemplars.length = 0
    const total = countFloat > 0 ? countFloat : count
    this.#putCountAndSum(total, sum)
    this.#putBuckets(total)
  }

  #putBuckets(total: number): void {
    const buckets = this.#buckets
    for (let i = 0; i < buckets.length; i += 2) {
      const bound = this.#readBucket(buckets[i]!, buckets[i + 1]!)
      // Prometheus takes no bucket behind that of +Inf.
      if (bound === Infinity) return
    }
    this.#exemplars.length = 0
    this.#putSeries(bucketSuffix, leLabel, boundBytes(Infinity))
    this.#putSample(total)
  }

  /** Writes one bucket; returns its upper bound. */
  #readBucket(start: number, end: number): number {
    const reader = this.#enter(start, end)
    this.#exemplars.length = 0
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
        this.#exemplars = [from, reader.offset]
      } else {
        skipField(reader, tag)
      }
    }
    this.#putSeries(bucketSuffix, leLabel, boundBytes(bound))
    this.#putSample(countFloat > 0 ? countFloat : count)
    return bound
  }

  #putNative(start: number, end: number, nativeExemplars: readonly number[]): void {
    const out = this.#out
    this.#exemplars = this.#exemplarsWithTime(nativeExemplars.length > 0 ? nativeExemplars : this.#bucketExemplars())
    this.#putSeries(noBytes, noBytes, noBytes)
    const isGauge = this.#type === 'gaugehistogram'
    putValue(out, this.#flags() | histogramFlag | (isGauge ? gaugeFlag : 0), NaN, this.#timestampMs, this.#startMs)
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
    this.#putExemplars()
  }

  #bucketExemplars(): number[] {
    const found: number[] = []
    for (let i = 0; i < this.#buckets.length; i += 2) {
      const end = this.#buckets[i + 1]!
      const reader = this.#enter(this.#buckets[i]!, end)
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
    this.#putSeries(countSuffix, noBytes, noBytes)
    this.#putSample(count)
    this.#putSeries(sumSuffix, noBytes, noBytes)
    this.#putSample(sum)
  }

  /** Name and labels, with `le` or `quantile` last where there is one. */
  #putSeries(suffix: Uint8Array, extraName: Uint8Array, extraValue: Uint8Array): void {
    const out = this.#out
    const labels = this.#labels
    if (out.length > linesBytesMax) this.#refuse(`body expands to more than ${linesBytesMax} bytes`)
    if (this.#nameIsQuoted) {
      out.u8(123)
      out.u8(34)
      putEscaped(out, this.#body, this.#nameStart, this.#nameEnd)
      out.raw(suffix)
      out.u8(34)
      if (labels.length > 0 || extraName.length > 0) out.u8(44)
    } else {
      out.raw(this.#body, this.#nameStart, this.#nameEnd)
      out.raw(suffix)
      if (labels.length === 0 && extraName.length === 0) return
      out.u8(123)
    }
    out.raw(labels.bytes, 0, labels.length)
    if (extraName.length > 0) {
      if (labels.length > 0) out.u8(44)
      out.raw(extraName)
      out.raw(extraValue)
      out.u8(34)
    }
    out.u8(125)
  }

  #putSample(value: number): void {
    putValue(this.#out, this.#flags(), value, this.#timestampMs, this.#startMs)
    this.#putExemplars()
  }

  #flags(): number {
    return (
      (this.#timestampMs !== 0 ? timestampFlag : 0) |
      (this.#startMs !== 0 ? startFlag : 0) |
      (this.#exemplars.length > 0 ? exemplarsFlag : 0)
    )
  }

  #putExemplars(): void {
    if (this.#exemplars.length === 0) return
    const out = this.#out
    const block = beginBlock(out)
    for (let i = 0; i < this.#exemplars.length; i += 2) {
      out.uvarint(this.#exemplars[i + 1]! - this.#exemplars[i]!)
      out.raw(this.#body, this.#exemplars[i]!, this.#exemplars[i + 1]!)
    }
    endBlock(out, block)
  }

  #refuse(problem: string): never {
    const name = quoteBytes(this.#body, this.#nameStart, this.#nameEnd)
    throw new ExpositionError(problem, 0, `metric family ${name} at byte ${this.#nameStart}`)
  }
}

const noBytes = new Uint8Array(0)
const bucketSuffix = Buffer.from('_bucket')
const countSuffix = Buffer.from('_count')
const sumSuffix = Buffer.from('_sum')
const leLabel = Buffer.from('le="')
const quantileLabel = Buffer.from('quantile="')

// Bounds and quantiles are few and come again with every metric and scrape; a target that makes up new ones starts the table over.
const boundsMax = 4096
const boundTexts = new Map<number, Uint8Array>()

function boundBytes(bound: number): Uint8Array {
  let bytes = boundTexts.get(bound)
  if (bytes === undefined) {
    if (boundTexts.size >= boundsMax) boundTexts.clear()
    bytes = Buffer.from(formatOpenMetricsFloat(bound))
    boundTexts.set(bound, bytes)
  }
  return bytes
}

function isLegacy(bytes: Uint8Array, start: number, end: number, first: number, rest: number): boolean {
  if ((byteClasses[bytes[start]!]! & first) === 0) return false
  for (let i = start + 1; i < end; i++) if ((byteClasses[bytes[i]!]! & rest) === 0) return false
  return true
}
