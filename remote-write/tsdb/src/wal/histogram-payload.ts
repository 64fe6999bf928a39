import { ByteReader } from '@narthex/bytes/byte-reader'
import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { counterReset, gaugeHistogram, noReset, unknownReset } from '@narthex/model/reset-hint'
import type { ResetHint } from '@narthex/model/reset-hint'
import { reduceSchema } from './reduce-schema.ts'
import {
  customFloatHistogramSamplesRecord,
  customHistogramSamplesRecord,
  floatHistogramSamplesRecord,
  histogramSamplesRecord,
} from './wal-format.ts'

// Finer ones are read, and reduced to this.
const schemaMax = 8

// The log's code of a `ResetHint` and back: 1 is a reset there, 2 none.
const hintCodes: readonly ResetHint[] = [unknownReset, counterReset, noReset, gaugeHistogram]

/** A histogram of the log. The sum comes as words too: the one of a stale marker is a signalling NaN that a number quietens. */
export interface LoggedHistogram {
  readonly histogram: NativeHistogram
  /** In the codes of chunks; the log itself has others. */
  readonly resetHint: ResetHint
  readonly sumLow: number
  readonly sumHigh: number
}

// ┌ reset hint 1 B ┬ schema varint ┬ zero threshold f64 ┬ zero count ┬ count ┬ sum f64 ┬ spans ┬ spans ┬ buckets ┬ buckets ┬ bounds ┐
// counts: uvarint or f64 · spans: count, (offset varint ┬ length uvarint)* · buckets: count, (Δ varint or f64)* · positive ones first
// bounds, only of schema -53: count, f64*

/** Passes one histogram; throws `RangeError` if it ends early. */
export function skipHistogram(reader: ByteReader, isFloat: boolean): void {
  reader.u8()
  const schema = reader.varint()
  reader.skip(8)
  for (let i = 0; i < 2; i++) {
    if (isFloat) reader.skip(8)
    else reader.varintWords()
  }
  reader.skip(8)
  for (let side = 0; side < 2; side++) {
    for (let count = readCount(reader, 2); count > 0; count--) {
      reader.varintWords()
      reader.varintWords()
    }
  }
  for (let side = 0; side < 2; side++) {
    const count = readCount(reader, isFloat ? 8 : 1)
    if (isFloat) reader.skip(count * 8)
    else for (let i = 0; i < count; i++) reader.varintWords()
  }
  if (schema === customBucketsSchema) reader.skip(readCount(reader, 8) * 8)
}

/**
 * The histogram in `[start, end)` of a record (`RecordEntries.starts` and `ends`). Undefined if its schema is not known or its
 * spans and buckets disagree, so that it cannot be used. One above 8 is reduced to 8.
 */
export function readHistogram(record: Uint8Array, start: number, end: number, isFloat: boolean): LoggedHistogram | undefined {
  const reader = new ByteReader(record, start, end)
  const resetHint = hintCodes[reader.u8()] ?? unknownReset
  const schema = reader.varint()
  const zeroThreshold = readDouble(reader)
  const zeroCount = isFloat ? readDouble(reader) : reader.uvarint()
  const count = isFloat ? readDouble(reader) : reader.uvarint()
  const sum = readDouble(reader)
  const { low: sumLow, high: sumHigh } = reader
  const positiveSpans = readSpans(reader)
  const negativeSpans = readSpans(reader)
  const positive = readBuckets(reader, isFloat)
  const negative = readBuckets(reader, isFloat)
  const customValues = schema === customBucketsSchema ? readBuckets(reader, true) : []
  if (!isKnownSchema(schema) || !fits(positiveSpans, positive) || !fits(negativeSpans, negative)) return undefined
  const histogram: NativeHistogram = {
    schema,
    isFloat,
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positiveSpans,
    negativeSpans,
    positiveDeltas: isFloat ? [] : positive,
    negativeDeltas: isFloat ? [] : negative,
    positiveCounts: isFloat ? positive : [],
    negativeCounts: isFloat ? negative : [],
    customValues,
    isGauge: resetHint === gaugeHistogram,
  }
  return { histogram: reduceSchema(histogram, schemaMax), resetHint, sumLow, sumHigh }
}

/** The type of record for this histogram, without start times. */
export function histogramRecordOf(histogram: NativeHistogram): number {
  if (histogram.schema === customBucketsSchema) return histogram.isFloat ? customFloatHistogramSamplesRecord : customHistogramSamplesRecord
  return histogram.isFloat ? floatHistogramSamplesRecord : histogramSamplesRecord
}

export function putHistogram(writer: ByteWriter, logged: LoggedHistogram): void {
  const { histogram, resetHint, sumLow, sumHigh } = logged
  const { isFloat } = histogram
  writer.u8(hintCodes[histogram.isGauge ? gaugeHistogram : resetHint]!)
  writer.varint(histogram.schema)
  putDouble(writer, histogram.zeroThreshold)
  for (const number of [histogram.zeroCount, histogram.count]) {
    if (isFloat) putDouble(writer, number)
    else writer.uvarint(number)
  }
  writer.words64be(sumLow, sumHigh)
  for (const spans of [histogram.positiveSpans, histogram.negativeSpans]) {
    writer.uvarint(spans.length)
    for (const { offset, length } of spans) {
      writer.varint(offset)
      writer.uvarint(length)
    }
  }
  const sides = isFloat ? [histogram.positiveCounts, histogram.negativeCounts] : [histogram.positiveDeltas, histogram.negativeDeltas]
  for (const buckets of sides) {
    writer.uvarint(buckets.length)
    for (const bucket of buckets) {
      if (isFloat) putDouble(writer, bucket)
      else writer.varint(bucket)
    }
  }
  if (histogram.schema !== customBucketsSchema) return
  writer.uvarint(histogram.customValues.length)
  for (const bound of histogram.customValues) putDouble(writer, bound)
}

// -9 to 52 are reserved for exponential buckets.
function isKnownSchema(schema: number): boolean {
  return schema === customBucketsSchema || (schema >= -9 && schema <= 52)
}

function fits(spans: readonly BucketSpan[], buckets: readonly number[]): boolean {
  let length = 0
  for (const span of spans) length += span.length
  return length === buckets.length
}

/** A count of things that take at least `bytesEach` bytes, so that no count is believed that cannot be. */
function readCount(reader: ByteReader, bytesEach: number): number {
  const count = reader.uvarint()
  if (count * bytesEach > reader.remaining) throw new RangeError(`want ${count} spans or buckets in ${reader.remaining} bytes`)
  return count
}

function readSpans(reader: ByteReader): BucketSpan[] {
  const spans: BucketSpan[] = []
  for (let count = readCount(reader, 2); count > 0; count--) spans.push({ offset: reader.varint(), length: reader.uvarint() })
  return spans
}

function readBuckets(reader: ByteReader, isFloat: boolean): number[] {
  const buckets: number[] = []
  for (let count = readCount(reader, isFloat ? 8 : 1); count > 0; count--) buckets.push(isFloat ? readDouble(reader) : reader.varint())
  return buckets
}

const double = new Float64Array(1)
const doubleWords = new Uint32Array(double.buffer)

function readDouble(reader: ByteReader): number {
  reader.words64be()
  doubleWords[0] = reader.low
  doubleWords[1] = reader.high
  return double[0]!
}

function putDouble(writer: ByteWriter, value: number): void {
  double[0] = value
  writer.words64be(doubleWords[0]!, doubleWords[1]!)
}
