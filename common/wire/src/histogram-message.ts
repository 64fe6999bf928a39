import { ByteWriter } from '@narthex/bytes/byte-writer'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW, STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { ProtobufCursor, WireError } from './protobuf-cursor.ts'

/** A `Histogram` message of either remote-write version. */
export interface WireHistogram {
  readonly histogram: NativeHistogram
  /** Milliseconds since 1970. */
  readonly timestampMs: number
  /** Milliseconds since 1970; 0 = none. */
  readonly startTimestampMs: number
  /** The source says that the counters began anew. */
  readonly isCounterReset: boolean
  /** The sum is the stale marker, which a number cannot carry: the series ends here. */
  readonly isStale: boolean
}

const counterResetHint = 1
const gaugeHint = 3
const packed = new ByteWriter(256)
const spanBytes = new ByteWriter(16)
const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/**
 * Appends a histogram as a remote-write `Histogram` message (FORMAT.md, "Histogram") without its timestamps, fields 15 and 17, which a
 * writer puts behind it.
 */
export function putHistogram(out: ByteWriter, histogram: NativeHistogram): void {
  const { isFloat, schema } = histogram
  // Counts are members of a oneof: a zero is written too, so that the reader knows which kind it is.
  if (isFloat) putFloat(out, 0x11, histogram.count)
  else putVarint(out, 0x08, histogram.count)
  if (histogram.sum !== 0) putFloat(out, 0x19, histogram.sum)
  if (schema !== 0) {
    out.u8(0x20)
    out.varint(schema)
  }
  if (histogram.zeroThreshold !== 0) putFloat(out, 0x29, histogram.zeroThreshold)
  if (isFloat) putFloat(out, 0x39, histogram.zeroCount)
  else putVarint(out, 0x30, histogram.zeroCount)
  putSpans(out, 0x42, histogram.negativeSpans)
  if (isFloat) putFloats(out, 0x52, histogram.negativeCounts)
  else putDeltas(out, 0x4a, histogram.negativeDeltas)
  putSpans(out, 0x5a, histogram.positiveSpans)
  if (isFloat) putFloats(out, 0x6a, histogram.positiveCounts)
  else putDeltas(out, 0x62, histogram.positiveDeltas)
  if (histogram.isGauge) putVarint(out, 0x70, gaugeHint)
  if (histogram.customValues.length > 0) {
    out.u8(0x82)
    putFloats(out, 0x01, histogram.customValues)
  }
}

/** As `putHistogram`, for the marker that a series of histograms ended, whose sum a number cannot carry. */
export function putStaleHistogram(out: ByteWriter, isFloat: boolean): void {
  if (isFloat) putFloat(out, 0x11, 0)
  else putVarint(out, 0x08, 0)
  out.u8(0x19)
  out.words64le(STALE_LOW, STALE_HIGH)
  if (isFloat) putFloat(out, 0x39, 0)
  else putVarint(out, 0x30, 0)
}

/** Whether the message at [start, end) is of the schema that remote write 1.0 cannot carry. Throws WireError for malformed bytes. */
export function hasCustomBuckets(bytes: Uint8Array, start: number, end: number): boolean {
  const cursor = schemaCursor
  cursor.reset(bytes, start, end)
  let schema = 0
  while (cursor.at < end) {
    const tag = cursor.tag()
    if (tag === 0x20) schema = unzigzag(cursor.varint())
    else cursor.skip(tag)
  }
  return schema === customBucketsSchema
}

const schemaCursor = new ProtobufCursor()

/** The `Histogram` message at [start, end). Throws WireError for malformed bytes; whether its spans fit its buckets is for the caller to check. */
export function readHistogram(bytes: Uint8Array, start: number, end: number): WireHistogram {
  const reader = new HistogramReader(bytes, start, end)
  reader.read()
  return reader.result()
}

class HistogramReader {
  readonly #cursor = new ProtobufCursor()
  readonly #view: DataView
  #count = 0
  #isFloat = false
  #sum = 0
  #isStale = false
  #schema = 0
  #zeroThreshold = 0
  #zeroCount = 0
  #hint = 0
  #timestampMs = 0
  #startTimestampMs = 0
  readonly #negativeSpans: BucketSpan[] = []
  readonly #positiveSpans: BucketSpan[] = []
  readonly #negativeDeltas: number[] = []
  readonly #positiveDeltas: number[] = []
  readonly #negativeCounts: number[] = []
  readonly #positiveCounts: number[] = []
  readonly #customValues: number[] = []

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#cursor.reset(bytes, start, end)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  read(): void {
    const cursor = this.#cursor
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      this.#readField(Math.floor(tag / 8), tag)
    }
  }

  result(): WireHistogram {
    const histogram: NativeHistogram = {
      schema: this.#schema,
      isFloat: this.#isFloat,
      count: this.#count,
      sum: this.#sum,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: this.#zeroCount,
      positiveSpans: this.#positiveSpans,
      negativeSpans: this.#negativeSpans,
      positiveDeltas: this.#positiveDeltas,
      negativeDeltas: this.#negativeDeltas,
      positiveCounts: this.#positiveCounts,
      negativeCounts: this.#negativeCounts,
      customValues: this.#customValues,
      isGauge: this.#hint === gaugeHint,
    }
    return {
      histogram,
      timestampMs: this.#timestampMs,
      startTimestampMs: this.#startTimestampMs,
      isCounterReset: this.#hint === counterResetHint,
      isStale: this.#isStale,
    }
  }

  #readField(field: number, tag: number): void {
    const cursor = this.#cursor
    switch (field) {
      case 1:
        this.#count = this.#varint(tag)
        this.#isFloat = false
        return
      case 2:
        this.#count = this.#float(tag)
        this.#isFloat = true
        return
      case 3:
        this.#readSum(tag)
        return
      case 4:
        this.#schema = unzigzag(this.#varint(tag))
        return
      case 5:
        this.#zeroThreshold = this.#float(tag)
        return
      case 6:
        this.#zeroCount = this.#varint(tag)
        return
      case 7:
        this.#zeroCount = this.#float(tag)
        return
      case 8:
        return this.#readSpan(tag, this.#negativeSpans)
      case 9:
        return this.#readDeltas(tag, this.#negativeDeltas)
      case 10:
        return this.#readFloats(tag, this.#negativeCounts)
      case 11:
        return this.#readSpan(tag, this.#positiveSpans)
      case 12:
        return this.#readDeltas(tag, this.#positiveDeltas)
      case 13:
        return this.#readFloats(tag, this.#positiveCounts)
      case 14:
        this.#hint = this.#varint(tag)
        return
      case 15:
        cursor.expectWireType(tag, 0)
        this.#timestampMs = cursor.int64()
        return
      case 16:
        return this.#readFloats(tag, this.#customValues)
      case 17:
        cursor.expectWireType(tag, 0)
        this.#startTimestampMs = cursor.int64()
        return
      default:
        cursor.skip(tag)
    }
  }

  #varint(tag: number): number {
    this.#cursor.expectWireType(tag, 0)
    return this.#cursor.varint()
  }

  #float(tag: number): number {
    this.#cursor.expectWireType(tag, 1)
    return this.#double()
  }

  #double(): number {
    const { at, end } = this.#cursor
    if (at + 8 > end) throw new WireError(`cannot read float at byte ${at}: want 8 bytes, got ${end - at}`)
    this.#cursor.at = at + 8
    return this.#view.getFloat64(at, true)
  }

  #readSum(tag: number): void {
    const { at } = this.#cursor
    this.#sum = this.#float(tag)
    this.#isStale = this.#view.getUint32(at, true) === 2 && this.#view.getUint32(at + 4, true) === 0x7ff0_0000
  }

  #readSpan(tag: number, spans: BucketSpan[]): void {
    const cursor = this.#cursor
    cursor.expectWireType(tag, 2)
    const savedEnd = cursor.end
    cursor.end = cursor.fieldEnd()
    let offset = 0
    let length = 0
    while (cursor.at < cursor.end) {
      const inner = cursor.tag()
      if (inner === 0x08) offset = unzigzag(cursor.varint())
      else if (inner === 0x10) length = cursor.varint()
      else cursor.skip(inner)
    }
    spans.push({ offset, length })
    cursor.end = savedEnd
  }

  /** Packed, or one a field. */
  #readDeltas(tag: number, deltas: number[]): void {
    const cursor = this.#cursor
    if ((tag & 7) === 0) {
      deltas.push(unzigzag(cursor.varint()))
      return
    }
    cursor.expectWireType(tag, 2)
    const savedEnd = cursor.end
    cursor.end = cursor.fieldEnd()
    while (cursor.at < cursor.end) deltas.push(unzigzag(cursor.varint()))
    cursor.end = savedEnd
  }

  #readFloats(tag: number, floats: number[]): void {
    const cursor = this.#cursor
    if ((tag & 7) === 1) {
      floats.push(this.#double())
      return
    }
    cursor.expectWireType(tag, 2)
    const savedEnd = cursor.end
    cursor.end = cursor.fieldEnd()
    while (cursor.at < cursor.end) floats.push(this.#double())
    cursor.end = savedEnd
  }
}

function putVarint(out: ByteWriter, tag: number, value: number): void {
  out.u8(tag)
  out.uvarint(value)
}

function putFloat(out: ByteWriter, tag: number, value: number): void {
  out.u8(tag)
  putDouble(out, value)
}

/** NaN as the one that Prometheus stores. */
function putDouble(out: ByteWriter, value: number): void {
  float[0] = value
  if (value === value) out.words64le(words[0]!, words[1]!)
  else out.words64le(NORMAL_NAN_LOW, NORMAL_NAN_HIGH)
}

function putSpans(out: ByteWriter, tag: number, spans: readonly BucketSpan[]): void {
  for (const { offset, length } of spans) {
    spanBytes.reset()
    if (offset !== 0) {
      spanBytes.u8(0x08)
      spanBytes.varint(offset)
    }
    if (length !== 0) putVarint(spanBytes, 0x10, length)
    putVarint(out, tag, spanBytes.length)
    out.raw(spanBytes.bytes, 0, spanBytes.length)
  }
}

function putDeltas(out: ByteWriter, tag: number, deltas: readonly number[]): void {
  if (deltas.length === 0) return
  packed.reset()
  for (const delta of deltas) packed.varint(delta)
  putVarint(out, tag, packed.length)
  out.raw(packed.bytes, 0, packed.length)
}

function putFloats(out: ByteWriter, tag: number, floats: readonly number[]): void {
  if (floats.length === 0) return
  putVarint(out, tag, floats.length * 8)
  for (const value of floats) putDouble(out, value)
}

function unzigzag(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2
}
