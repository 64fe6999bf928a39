import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { putHistogram } from '@narthex/wire/histogram-message'
import type { HistogramColumn } from '../store/frame.ts'

const none = -1
/** Messages that were replaced may take this much before the others are put together. */
const garbageBytesMax = 16 * 1024

/** The histogram column of the batch being built. Batches are copied by the sink, so all targets build theirs in the same one. */
export class BatchHistograms implements HistogramColumn {
  count = 0
  positions = new Uint32Array(64)
  offsets = new Uint32Array(65)
  readonly #out = new ByteWriter(1024)

  get bytes(): Uint8Array {
    return this.#out.bytes
  }

  reset(): void {
    this.count = 0
    this.#out.reset()
  }

  /** Positions only grow. */
  addMessage(position: number, bytes: Uint8Array, start: number, end: number): void {
    this.#out.raw(bytes, start, end)
    this.#close(position)
  }

  add(position: number, histogram: NativeHistogram): void {
    putHistogram(this.#out, histogram)
    this.#close(position)
  }

  #close(position: number): void {
    if (this.count === this.positions.length) {
      const positions = new Uint32Array(this.count * 2)
      positions.set(this.positions)
      const offsets = new Uint32Array(positions.length + 1)
      offsets.set(this.offsets)
      this.positions = positions
      this.offsets = offsets
    }
    this.positions[this.count++] = position
    this.offsets[this.count] = this.#out.length
  }
}

/**
 * The histograms that a target's series have at the moment, as messages in one buffer: a line that is the same as in the last answer costs
 * nothing, and no object is kept for a series.
 */
export class TargetHistograms {
  // Of series i: the message at [starts[i], ends[i]); starts is `none` for a series with a float.
  #starts = new Int32Array(0)
  #ends = new Int32Array(0)
  #messages = new ByteWriter(1024)
  #liveBytes = 0
  /** Series with a histogram. */
  count = 0

  /** Room for this many series. */
  reserve(capacity: number): void {
    if (capacity <= this.#starts.length) return
    const starts = new Int32Array(capacity).fill(none)
    starts.set(this.#starts)
    const ends = new Int32Array(capacity)
    ends.set(this.#ends)
    this.#starts = starts
    this.#ends = ends
  }

  put(series: number, histogram: NativeHistogram): void {
    this.clear(series)
    const start = this.#messages.length
    putHistogram(this.#messages, histogram)
    this.#starts[series] = start
    this.#ends[series] = this.#messages.length
    this.#liveBytes += this.#messages.length - start
    this.count++
    if (this.#messages.length > 2 * this.#liveBytes + garbageBytesMax) this.#pack()
  }

  /** The series has a float, or is not there. */
  clear(series: number): void {
    const start = this.#starts[series]!
    if (start === none) return
    this.#liveBytes -= this.#ends[series]! - start
    this.#starts[series] = none
    this.count--
  }

  /** Adds the histogram of the series, if it has one, to the batch. */
  addTo(batch: BatchHistograms, series: number, position: number): void {
    const start = this.#starts[series]!
    if (start !== none) batch.addMessage(position, this.#messages.bytes, start, this.#ends[series]!)
  }

  /** Moves the histogram of series `from` to `to`, whose own is gone. */
  move(from: number, to: number): void {
    this.clear(to)
    this.#starts[to] = this.#starts[from]!
    this.#ends[to] = this.#ends[from]!
    this.#starts[from] = none
  }

  clearRange(from: number, to: number): void {
    for (let series = from; series < to; series++) this.clear(series)
  }

  #pack(): void {
    const packed = new ByteWriter(this.#liveBytes * 2)
    for (let series = 0; series < this.#starts.length; series++) {
      const start = this.#starts[series]!
      if (start === none) continue
      this.#starts[series] = packed.length
      packed.raw(this.#messages.bytes, start, this.#ends[series]!)
      this.#ends[series] = packed.length
    }
    this.#messages = packed
  }
}
