import { ByteReader } from '@narthex/bytes/byte-reader'
import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { checkSpans, makeDeltas, mergeBuckets, packBuckets, sumDeltas, unpackBuckets } from './bucket-runs.ts'
import { checkNativeHistogram, reservedSchemaMax, schemaMax } from './native-histogram-check.ts'
import { readDouble, readDoubles, readSint64, readSint64s, readTag, readUint64, skipBytes, skipField } from './protobuf-fields.ts'

// The native part of io.prometheus.client.Histogram:
// 1 sample_count uint64 · 4 sample_count_float double · 2 sample_sum double · 5 schema sint32 · 6 zero_threshold double
// 7 zero_count uint64 · 8 zero_count_float double · 9 and 12 negative_span, positive_span {1 offset sint32, 2 length uint32}
// 10 and 13 …_delta sint64 · 11 and 14 …_count double · ours: 1000 custom_values double

const customValuesField = 1000

/** A message that is no histogram; the text is Prometheus'. */
export class HistogramError extends Error {
  override name = 'HistogramError'
}

/** A histogram as it was read: `positive` and `negative` hold absolute counts, integer or float. */
export interface HistogramDraft {
  schema: number
  isFloat: boolean
  count: number
  sum: number
  zeroThreshold: number
  zeroCount: number
  positiveSpans: BucketSpan[]
  negativeSpans: BucketSpan[]
  positive: number[]
  negative: number[]
  customValues: number[]
}

/**
 * The histogram in [start, end), checked. As Prometheus reads it: a float histogram if a float count is above 0, without empty buckets, and
 * in schema 8 if its resolution is finer. Throws HistogramError for one that makes no sense, RangeError for bytes that are no message.
 */
export function decodeHistogram(bytes: Uint8Array, start: number, end: number, isGauge: boolean): NativeHistogram {
  return makeHistogram(readDraft(bytes, start, end), isGauge)
}

function readDraft(bytes: Uint8Array, start: number, end: number): HistogramDraft {
  const reader = new ByteReader(bytes, start, end)
  const [positiveDeltas, negativeDeltas, positiveCounts, negativeCounts]: number[][] = [[], [], [], []]
  const spans: { starts: number[]; ends: number[]; isPositive: boolean[] } = { starts: [], ends: [], isPositive: [] }
  const [count, zeroCount] = [
    { whole: 0, float: 0 },
    { whole: 0, float: 0 },
  ]
  const draft: HistogramDraft = { ...emptyDraft, positiveSpans: [], negativeSpans: [], customValues: [] }
  while (reader.offset < end) {
    const tag = readTag(reader)
    switch (tag >>> 3) {
      case 1:
        count.whole = readUint64(reader, tag)
        break
      case 4:
        count.float = readDouble(reader, tag)
        break
      case 2:
        draft.sum = readDouble(reader, tag)
        break
      case 5:
        draft.schema = readSint64(reader, tag)
        break
      case 6:
        draft.zeroThreshold = readDouble(reader, tag)
        break
      case 7:
        zeroCount.whole = readUint64(reader, tag)
        break
      case 8:
        zeroCount.float = readDouble(reader, tag)
        break
      case 9:
      case 12:
        spans.starts.push(skipBytes(reader, tag))
        spans.ends.push(reader.offset)
        spans.isPositive.push(tag >>> 3 === 12)
        break
      case 10:
        readSint64s(reader, tag, negativeDeltas!)
        break
      case 11:
        readDoubles(reader, tag, negativeCounts!)
        break
      case 13:
        readSint64s(reader, tag, positiveDeltas!)
        break
      case 14:
        readDoubles(reader, tag, positiveCounts!)
        break
      case customValuesField:
        readDoubles(reader, tag, draft.customValues)
        break
      default:
        skipField(reader, tag)
    }
  }
  for (let i = 0; i < spans.starts.length; i++) {
    const span = readSpan(reader, spans.starts[i]!, spans.ends[i]!)
    ;(spans.isPositive[i] ? draft.positiveSpans : draft.negativeSpans).push(span)
  }
  draft.isFloat = count.float > 0 || zeroCount.float > 0
  draft.count = draft.isFloat ? count.float : count.whole
  draft.zeroCount = draft.isFloat ? zeroCount.float : zeroCount.whole
  draft.positive = draft.isFloat ? positiveCounts! : sumDeltas(positiveDeltas!)
  draft.negative = draft.isFloat ? negativeCounts! : sumDeltas(negativeDeltas!)
  return draft
}

const emptyDraft: HistogramDraft = {
  schema: 0,
  isFloat: false,
  count: 0,
  sum: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  positiveSpans: [],
  negativeSpans: [],
  positive: [],
  negative: [],
  customValues: [],
}

function readSpan(reader: ByteReader, start: number, end: number): BucketSpan {
  reader.offset = start
  reader.end = end
  let offset = 0
  let length = 0
  while (reader.offset < end) {
    const tag = readTag(reader)
    if (tag >>> 3 === 1) offset = readSint64(reader, tag)
    else if (tag >>> 3 === 2) length = readUint64(reader, tag)
    else skipField(reader, tag)
  }
  return { offset, length }
}

/** A checked histogram without needless empty buckets; throws HistogramError. */
export function makeHistogram(draft: HistogramDraft, isGauge: boolean): NativeHistogram {
  const { isFloat, schema } = draft
  const problem =
    checkSpans(draft.positiveSpans, draft.positive.length, 'positive') ?? checkSpans(draft.negativeSpans, draft.negative.length, 'negative')
  if (problem !== undefined) throw new HistogramError(problem)
  const steps = Number.isInteger(schema) && schema > schemaMax && schema <= reservedSchemaMax ? schema - schemaMax : 0
  const positive = packSide(draft.positiveSpans, draft.positive, steps, schema)
  const negative = packSide(draft.negativeSpans, draft.negative, steps, schema)
  const histogram: NativeHistogram = {
    schema: schema - steps,
    isFloat,
    count: draft.count,
    sum: draft.sum,
    zeroThreshold: draft.zeroThreshold,
    zeroCount: draft.zeroCount,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveDeltas: isFloat ? [] : makeDeltas(positive.counts),
    negativeDeltas: isFloat ? [] : makeDeltas(negative.counts),
    positiveCounts: isFloat ? positive.counts : [],
    negativeCounts: isFloat ? negative.counts : [],
    customValues: draft.customValues,
    isGauge,
  }
  const senseless = checkNativeHistogram(histogram)
  if (senseless !== undefined) throw new HistogramError(senseless)
  return histogram
}

/** Exponential buckets lose all empty ones; with custom bounds two in a row may stay, as Prometheus has it. */
function packSide(spans: readonly BucketSpan[], counts: readonly number[], steps: number, schema: number) {
  const runs = unpackBuckets(spans, counts)
  return packBuckets(steps > 0 ? mergeBuckets(runs, steps) : runs, schema === customBucketsSchema ? 2 : 0)
}

/** Writes the message that `decodeHistogram` reads. */
export function encodeHistogram(out: ByteWriter, histogram: NativeHistogram): void {
  const { isFloat } = histogram
  if (isFloat) putDouble(out, 4, histogram.count)
  else putUint64(out, 1, histogram.count)
  putDouble(out, 2, histogram.sum)
  out.uvarint(5 * 8)
  out.varint(histogram.schema)
  putDouble(out, 6, histogram.zeroThreshold)
  if (isFloat) putDouble(out, 8, histogram.zeroCount)
  else putUint64(out, 7, histogram.zeroCount)
  putSpans(out, 9, histogram.negativeSpans)
  putSpans(out, 12, histogram.positiveSpans)
  putSint64s(out, 10, histogram.negativeDeltas)
  putSint64s(out, 13, histogram.positiveDeltas)
  putDoubles(out, 11, histogram.negativeCounts)
  putDoubles(out, 14, histogram.positiveCounts)
  putDoubles(out, customValuesField, histogram.customValues)
}

function putDouble(out: ByteWriter, field: number, value: number): void {
  out.uvarint(field * 8 + 1)
  out.f64le(value)
}

function putUint64(out: ByteWriter, field: number, value: number): void {
  out.uvarint(field * 8)
  out.uvarint(value)
}

function putSpans(out: ByteWriter, field: number, spans: readonly BucketSpan[]): void {
  for (const { offset, length } of spans) {
    out.uvarint(field * 8 + 2)
    const at = out.length
    out.u8(0)
    out.uvarint(1 * 8)
    out.varint(offset)
    out.uvarint(2 * 8)
    out.uvarint(length)
    // Two small numbers: the length of a span is always one byte.
    out.bytes[at] = out.length - at - 1
  }
}

/** Single values, not packed: the reader takes both, and no length has to be known before. */
function putSint64s(out: ByteWriter, field: number, values: readonly number[]): void {
  for (const value of values) {
    out.uvarint(field * 8)
    out.varint(value)
  }
}

function putDoubles(out: ByteWriter, field: number, values: readonly number[]): void {
  for (const value of values) putDouble(out, field, value)
}
