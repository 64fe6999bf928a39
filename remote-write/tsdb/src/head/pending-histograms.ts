import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { isStaleWords } from '@narthex/model/stale'
import type { ResetHint } from '@narthex/model/reset-hint'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { splitFloat } from '@narthex/model/histogram-layout'
import { putHistogram } from '../wal/histogram-payload.ts'
import type { NewHistogram } from './samples-at.ts'

const firstBytes = 16 * 1024
const bytesKept = 1024 * 1024
const firstCapacity = 64
const capacityKept = 65_536

/**
 * The histograms between two commits. Each also has an entry among the pending samples, at `positions[i]`, that keeps what it replaced and its
 * place in the order; here is what it holds: as columns, and as its record in the log will have it.
 */
export class PendingHistograms {
  count = 0
  positions = new Uint32Array(firstCapacity)
  /** Histogram i of `columns` is `payloads` bytes `[ends[i - 1], ends[i])`; a hint of the reset, then what makes it this histogram. */
  ends = new Uint32Array(firstCapacity)
  columns = new HistogramColumns(firstCapacity, 1024)
  #payloads = new ByteWriter(firstBytes)

  get payloads(): Uint8Array {
    return this.#payloads.bytes
  }

  get bytes(): number {
    return this.count === 0 ? 0 : this.ends[this.count - 1]!
  }

  /** Of the newest one. */
  get lastBytes(): number {
    return this.bytes - this.startOf(this.count - 1)
  }

  startOf(i: number): number {
    return i === 0 ? 0 : this.ends[i - 1]!
  }

  /** Puts a histogram's payload behind the others and gives a hash of it; `keep` or the next call of this decides what becomes of it. */
  put(histogram: NativeHistogram, resetHint: ResetHint, sumLow: number, sumHigh: number): number {
    const writer = this.#payloads
    writer.length = this.bytes
    putHistogram(writer, { histogram, resetHint, sumLow, sumHigh })
    // Without the hint: the same histogram with another one is the same.
    return crc32c(writer.bytes, this.bytes + 1, writer.length) >>> 0
  }

  /** What was `put`, until the next one is. */
  lastPut(hash: number, mark: number): NewHistogram {
    return { payloads: this.payloads, start: this.bytes, end: this.#payloads.length, hash, mark }
  }

  /** Keeps what was `put`; `position` is that of its entry among the pending samples. */
  keep(timeMs: number, histogram: NativeHistogram, resetHint: ResetHint, sumLow: number, sumHigh: number, position: number): void {
    if (this.count === this.positions.length) this.#resize(2 * this.count)
    if (isStaleWords(sumLow, sumHigh)) this.columns.pushStale(timeMs, 0, histogram.isFloat, resetHint)
    else this.columns.pushHistogram(timeMs, 0, histogram, resetHint)
    this.positions[this.count] = position
    this.ends[this.count] = this.#payloads.length
    this.count++
  }

  /** Empties; unusually large buffers are given back. */
  clear(): void {
    if (this.count === 0) return
    this.count = 0
    if (this.#payloads.bytes.length > bytesKept) this.#payloads = new ByteWriter(firstBytes)
    if (this.columns.buckets.length * 8 > bytesKept) this.columns = new HistogramColumns(firstCapacity, 1024)
    this.columns.clear()
    if (this.positions.length > capacityKept) this.#resize(firstCapacity)
  }

  #resize(capacity: number): void {
    const positions = new Uint32Array(capacity)
    positions.set(this.positions.subarray(0, this.count))
    const ends = new Uint32Array(capacity)
    ends.set(this.ends.subarray(0, this.count))
    this.positions = positions
    this.ends = ends
  }
}

const halves = new Uint32Array(2)

/** The words of a histogram's sum, NaNs as Prometheus stores them. */
export function sumWordsOf(sum: number): Uint32Array {
  splitFloat(sum, halves)
  return halves
}
