import { makeLayout, type HistogramLayout } from '@narthex/model/histogram-layout'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketSpan } from '@narthex/model/native-histogram'
import type { BitReader } from './bit-reader.ts'
import type { BitWriter } from './bit-writer.ts'
import { ChunkError } from './xor-decoder.ts'

/** Far more spans than any histogram has: with the finest schema all doubles make 2^19 buckets. */
export const spansMax = 65_536

/** Prometheus knows the exponential schemas -4 to 8 and reads those up to 52. */
const schemaMin = -9
const schemaMax = 52

// A threshold 2^e with -243 ≤ e ≤ 10 takes one byte, e + 244.
const thresholdBase = 244
const rawThreshold = 255
// Bounds that are whole thousandths up to this many are written as such, plus 1; 0 stands before all others.
const thousandthsMax = 33_554_430

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** Writes what stands in a chunk before its samples (FORMAT.md, "Histogram chunks"). */
export function putLayout(writer: BitWriter, layout: HistogramLayout): void {
  putZeroThreshold(writer, layout.zeroThreshold)
  writer.putVarbitInt(layout.schema)
  putSpans(writer, layout.positiveSpans)
  putSpans(writer, layout.negativeSpans)
  if (layout.schema !== customBucketsSchema) return
  writer.putVarbitUint(layout.customValues.length)
  for (const bound of layout.customValues) putBound(writer, bound)
}

/** Throws `ChunkError` for a schema that nobody knows, and for more spans or buckets than the bits that are left could fill. */
export function readLayout(reader: BitReader, isFloat: boolean): HistogramLayout {
  const zeroThreshold = readZeroThreshold(reader)
  const schema = reader.varbitInt()
  if (schema !== customBucketsSchema && (schema < schemaMin || schema > schemaMax)) {
    throw new ChunkError(
      `cannot read histogram chunk: want a schema of ${schemaMin} to ${schemaMax} or ${customBucketsSchema}, got ${schema}`,
    )
  }
  const positiveSpans = readSpans(reader)
  const negativeSpans = readSpans(reader)
  const layout = makeLayout(
    isFloat,
    schema,
    zeroThreshold,
    positiveSpans,
    negativeSpans,
    schema === customBucketsSchema ? readBounds(reader) : [],
  )
  const buckets = layout.positiveBuckets + layout.negativeBuckets
  const bucketsMax = isFloat ? Math.floor(reader.bitsLeft / 64) : reader.bitsLeft
  if (buckets > bucketsMax) {
    throw new ChunkError(`cannot read histogram chunk: want at most ${bucketsMax} buckets in what is left, got ${buckets}`)
  }
  return layout
}

function putZeroThreshold(writer: BitWriter, threshold: number): void {
  if (threshold === 0) {
    writer.put(0, 8)
    return
  }
  float[0] = threshold
  const exponent = (words[1]! >>> 20) - 1023
  // A sign makes the exponent too large, and numbers below 2^-1022 too small.
  if (words[0] === 0 && (words[1]! & 0xf_ffff) === 0 && exponent + thresholdBase > 0 && exponent + thresholdBase < rawThreshold) {
    writer.put(exponent + thresholdBase, 8)
    return
  }
  writer.put(rawThreshold, 8)
  putFloat(writer, threshold)
}

function readZeroThreshold(reader: BitReader): number {
  const code = reader.bits(8)
  if (code === 0) return 0
  return code === rawThreshold ? readFloat(reader) : 2 ** (code - thresholdBase)
}

function putSpans(writer: BitWriter, spans: readonly BucketSpan[]): void {
  writer.putVarbitUint(spans.length)
  for (const { length, offset } of spans) {
    writer.putVarbitUint(length)
    writer.putVarbitInt(offset)
  }
}

function readSpans(reader: BitReader): BucketSpan[] {
  const count = readCount(reader, 'spans', Math.min(spansMax, Math.floor(reader.bitsLeft / 2)))
  const spans: BucketSpan[] = []
  for (let i = 0; i < count; i++) {
    const length = readCount(reader, 'buckets in a span', reader.bitsLeft)
    const offset = reader.varbitInt()
    if (offset !== (offset | 0) || (i > 0 && offset < 0)) {
      throw new ChunkError(`cannot read histogram chunk: want an offset of span ${i} that leads upwards, got ${offset}`)
    }
    spans.push({ offset, length })
  }
  return spans
}

function putBound(writer: BitWriter, bound: number): void {
  const thousandths = Math.round(bound * 1000)
  if (bound >= 0 && bound * 1000 <= thousandthsMax && thousandths / 1000 === bound) {
    writer.putVarbitUint(thousandths + 1)
    return
  }
  writer.put(0, 1)
  putFloat(writer, bound)
}

function readBounds(reader: BitReader): number[] {
  const count = readCount(reader, 'bounds', Math.floor(reader.bitsLeft / 5))
  const bounds: number[] = []
  for (let i = 0; i < count; i++) {
    const code = reader.varbitUint()
    bounds.push(code === 0 ? readFloat(reader) : (code - 1) / 1000)
  }
  return bounds
}

function readCount(reader: BitReader, what: string, max: number): number {
  const count = reader.varbitUint()
  if (count > max) throw new ChunkError(`cannot read histogram chunk: want at most ${max} ${what} in what is left, got ${count}`)
  return count
}

function putFloat(writer: BitWriter, value: number): void {
  float[0] = value
  writer.putWord64(words[0]!, words[1]!)
}

function readFloat(reader: BitReader): number {
  words[1] = reader.bits(32)
  words[0] = reader.bits(32)
  return float[0]!
}
