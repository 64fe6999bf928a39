import { ByteReader } from '@narthex/bytes/byte-reader'
import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'
import { ExpositionError, quoteBytes } from './exposition-error.ts'
import { putMetadata } from './lines.ts'
import { readDouble, readInt64, readTag, readUint64, skipBytes, skipField } from './protobuf-fields.ts'
import { CompositeReader, readStartMs } from './protobuf-histogram-lines.ts'
import type { ProtobufOptions } from './protobuf-histogram-lines.ts'
import { noBytes, SeriesWriter } from './protobuf-series.ts'
import { decodeUtf8, isUtf8Range } from './scan.ts'

// A body is a sequence of ┌ length varint ┬ io.prometheus.client.MetricFamily ┐:
// MetricFamily {1 name, 2 help, 3 type, 4 metric, 5 unit}
// Metric {1 label {1 name, 2 value}, 2 gauge, 3 counter, 4 summary, 5 untyped, 7 histogram, 6 timestamp_ms int64}
// Gauge, Untyped {1 value double} · Counter {1 value double, 2 exemplar, 3 created_timestamp}

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
  readonly #reader: ByteReader

  readonly #series: SeriesWriter
  readonly #composites: CompositeReader
  #type: MetricType = 'unknown'

  constructor(body: Uint8Array, out: ByteWriter, options: ProtobufOptions) {
    this.#body = body
    this.#out = out
    this.#reader = new ByteReader(body)
    this.#series = new SeriesWriter(body, out)
    this.#composites = new CompositeReader(body, out, options, this.#reader, this.#series)
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
    let nameFrom = start
    let nameTo = start
    this.#series.beginFamily(start, start)
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
      else if (field === 1) this.#series.beginFamily((nameFrom = from), (nameTo = reader.offset))
      else if (!isUtf8Range(body, from, reader.offset)) this.#series.refuse(`invalid help or unit ${quoteBytes(body, from, reader.offset)}`)
      else if (field === 2) help = decodeUtf8(body, from, reader.offset)
      else unit = decodeUtf8(body, from, reader.offset)
    }
    if (metrics.length === 0) return
    const known = types[type]
    if (known === undefined) this.#series.refuse(`unknown metric type ${type}`)
    this.#type = known
    this.#writeMetadata(nameFrom, nameTo, help, unit)
    for (let i = 0; i < metrics.length; i += 2) this.#readMetric(metrics[i]!, metrics[i + 1]!)
  }

  #writeMetadata(start: number, end: number, help: string, unit: string): void {
    const body = this.#body
    if (start === end || !isUtf8Range(body, start, end)) {
      throw new ExpositionError(`invalid metric name: ${quoteBytes(body, start, end)}`, 0, `byte ${start}`)
    }
    const name = decodeUtf8(body, start, end)
    if (unit !== '') {
      const isTotal = this.#type === 'counter' && name.endsWith('_total')
      if (!(isTotal ? name.slice(0, -'_total'.length) : name).endsWith(`_${unit}`)) {
        this.#series.refuse(`unit ${JSON.stringify(unit)} not a suffix of ${isTotal ? 'counter' : 'metric'} ${JSON.stringify(name)}`)
      }
    }
    if (help !== '') putMetadata(this.#out, 'HELP', name, help)
    putMetadata(this.#out, 'TYPE', name, this.#type)
    if (unit !== '') putMetadata(this.#out, 'UNIT', name, unit)
  }

  #readMetric(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const valueField = valueFields[this.#type]!
    this.#series.beginMetric()
    // A metric without its value has the value of an empty message.
    let valueStart = 0
    let valueEnd = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 6) {
        this.#series.timestampMs = readInt64(reader, tag)
      } else if (field === 1) {
        const from = skipBytes(reader, tag)
        const to = reader.offset
        this.#enter(from, to)
        this.#series.addLabel(reader, to)
        this.#enter(to, end)
      } else if (field === valueField) {
        valueStart = skipBytes(reader, tag)
        valueEnd = reader.offset
      } else {
        skipField(reader, tag)
      }
    }
    if (this.#type === 'summary') this.#composites.readSummary(valueStart, valueEnd)
    else if (valueField === 7) this.#composites.readHistogram(valueStart, valueEnd, this.#type === 'gaugehistogram')
    else this.#readSimple(valueStart, valueEnd)
  }

  /** Counter, gauge or untyped. */
  #readSimple(start: number, end: number): void {
    const reader = this.#enter(start, end)
    const isCounter = this.#type === 'counter'
    let value = 0
    while (reader.offset < end) {
      const tag = readTag(reader)
      const field = tag >>> 3
      if (field === 1) {
        value = readDouble(reader, tag)
      } else if (isCounter && field === 2) {
        const from = skipBytes(reader, tag)
        this.#series.exemplars = [from, reader.offset]
      } else if (isCounter && field === 3) {
        this.#series.startMs = readStartMs(reader, tag)
      } else {
        skipField(reader, tag)
      }
    }
    this.#series.putSeries(noBytes, noBytes, noBytes)
    this.#series.putSample(value)
  }
}
