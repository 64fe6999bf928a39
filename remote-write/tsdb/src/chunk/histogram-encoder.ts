import { isStaleWords, NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from '@narthex/model/stale'
import { BitWriter } from './bit-writer.ts'
import type { ResetHint } from '@narthex/model/reset-hint'
import { splitFloat, type HistogramLayout } from '@narthex/model/histogram-layout'
import { putLayout } from './histogram-layout.ts'
import { XorFields } from './xor-fields.ts'

const sumField = 2
const firstBucketField = 3
const float = new Float64Array(1)
const halves = new Uint32Array(float.buffer)

/**
 * Writes one histogram chunk (FORMAT.md, "Histogram chunks") sample by sample. All samples have the layout of the first, but for stale
 * ones, after which only stale ones may follow: the rules are `HistogramChunkAppender`'s.
 */
export class HistogramEncoder {
  readonly layout: HistogramLayout
  readonly header: ResetHint
  readonly #writer = new BitWriter()
  // Of floats count, zero count, sum and buckets; of integers the sum alone, as field 0.
  readonly #fields: XorFields
  // Of integers count, zero count, then the difference of each bucket from the one below it.
  readonly #values: Float64Array
  readonly #changes: Float64Array
  #timeMs = 0
  #timeDelta = 0
  sampleCount = 0

  constructor(layout: HistogramLayout, header: ResetHint) {
    const buckets = layout.positiveBuckets + layout.negativeBuckets
    this.layout = layout
    this.header = header
    this.#fields = new XorFields(layout.isFloat ? firstBucketField + buckets : 1)
    this.#values = new Float64Array(layout.isFloat ? 0 : 2 + buckets)
    this.#changes = new Float64Array(this.#values.length)
    this.#writer.put(0, 16)
    this.#writer.put(header << 6, 8)
    putLayout(this.#writer, layout)
  }

  get byteLength(): number {
    return this.#writer.byteLength
  }

  /** A copy of the chunk as it would stand in a file. */
  bytes(): Uint8Array {
    const bytes = this.#writer.finish()
    bytes[0] = this.sampleCount >>> 8
    bytes[1] = this.sampleCount
    return bytes
  }

  /** Appends a sample; its bucket counts stand in `buckets` from `start` on, in the layout's order. A stale one has none. */
  write(timeMs: number, count: number, zeroCount: number, sumLow: number, sumHigh: number, buckets: Float64Array, start: number): void {
    if (this.layout.isFloat) this.#writeFloats(timeMs, count, zeroCount, sumLow, sumHigh, buckets, start)
    else this.#writeIntegers(timeMs, count, zeroCount, sumLow, sumHigh, buckets, start)
    this.#timeMs = timeMs
    this.sampleCount++
  }

  #writeIntegers(
    timeMs: number,
    count: number,
    zeroCount: number,
    sumLow: number,
    sumHigh: number,
    buckets: Float64Array,
    start: number,
  ): void {
    const writer = this.#writer
    const values = this.#values
    const isStale = isStaleWords(sumLow, sumHigh)
    if (this.sampleCount === 0) {
      writer.putVarbitInt(timeMs)
      writer.putVarbitUint(count)
      writer.putVarbitUint(zeroCount)
      this.#fields.putFirst(writer, 0, sumLow, sumHigh)
      values[0] = count
      values[1] = zeroCount
      if (isStale) return
    } else {
      const delta = timeMs - this.#timeMs
      if (this.sampleCount === 1) writer.putVarbitUint(delta)
      else writer.putVarbitInt(delta - this.#timeDelta)
      this.#timeDelta = delta
      if (isStale) {
        writer.put(0, 1)
        writer.put(0, 1)
        this.#fields.put(writer, 0, sumLow, sumHigh)
        return
      }
      this.#putChange(0, count)
      this.#putChange(1, zeroCount)
      this.#fields.put(writer, 0, sumLow, sumHigh)
    }
    const { positiveBuckets } = this.layout
    const bucketCount = values.length - 2
    for (let i = 0, below = 0; i < bucketCount; i++) {
      const bucket = buckets[start + i]!
      const difference = i === positiveBuckets ? bucket : bucket - below
      below = bucket
      if (this.sampleCount === 0) {
        writer.putVarbitInt(difference)
        values[i + 2] = difference
      } else {
        this.#putChange(i + 2, difference)
      }
    }
  }

  // The second sample's change is written as the change of one that was 0.
  #putChange(k: number, value: number): void {
    const change = value - this.#values[k]!
    this.#writer.putVarbitInt(change - this.#changes[k]!)
    this.#values[k] = value
    this.#changes[k] = change
  }

  #writeFloats(
    timeMs: number,
    count: number,
    zeroCount: number,
    sumLow: number,
    sumHigh: number,
    buckets: Float64Array,
    start: number,
  ): void {
    const writer = this.#writer
    const delta = timeMs - this.#timeMs
    if (this.sampleCount === 0) {
      writer.putVarbitInt(timeMs)
    } else {
      writer.putVarbitInt(delta - this.#timeDelta)
      this.#timeDelta = delta
    }
    const isStale = isStaleWords(sumLow, sumHigh)
    this.#putFloat(0, isStale ? 0 : count)
    this.#putFloat(1, isStale ? 0 : zeroCount)
    if (this.sampleCount === 0) this.#fields.putFirst(writer, sumField, sumLow, sumHigh)
    else this.#fields.put(writer, sumField, sumLow, sumHigh)
    if (isStale) return
    const fields = this.#fields
    const bucketCount = this.layout.positiveBuckets + this.layout.negativeBuckets
    for (let i = 0; i < bucketCount; i++) {
      const bucket = buckets[start + i]!
      float[0] = bucket
      const low = bucket === bucket ? halves[0]! : NORMAL_NAN_LOW
      const high = bucket === bucket ? halves[1]! : NORMAL_NAN_HIGH
      if (this.sampleCount === 0) fields.putFirst(writer, firstBucketField + i, low, high)
      else fields.put(writer, firstBucketField + i, low, high)
    }
  }

  #putFloat(k: number, value: number): void {
    splitFloat(value, halves)
    if (this.sampleCount === 0) this.#fields.putFirst(this.#writer, k, halves[0]!, halves[1]!)
    else this.#fields.put(this.#writer, k, halves[0]!, halves[1]!)
  }
}
