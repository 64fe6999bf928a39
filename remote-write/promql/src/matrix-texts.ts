import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatTimestampSeconds } from '@narthex/model/number'
import { writeHistogram } from './histogram/encode-histogram.ts'
import type { ResultSeries } from './query-result.ts'
import { floatBytesMax, putFloat, putText } from './write-float.ts'

// The texts that an answer's matrix consists of.

/** The floats among samples `from` … `to - 1`, with commas between them; gives how many there are. */
export function writeFloatList(
  writer: ByteWriter,
  { times, values, histograms }: ResultSeries,
  from: number,
  to: number,
  timeTexts: TimeTexts,
): number {
  timeTexts.begin()
  let { bytes, length: at } = writer
  let count = 0
  for (let j = from; j < to; j++) {
    if (histograms !== undefined && histograms[j] !== undefined) continue
    if (at + pointBytesMax > bytes.length) {
      writer.length = at
      writer.reserve(pointBytesMax)
      ;({ bytes } = writer)
    }
    if (count++ > 0) bytes[at++] = comma
    at = timeTexts.put(bytes, at, times, j)
    at = putFloat(bytes, at, values, j)
    bytes[at] = quote
    bytes[at + 1] = closing
    at += 2
  }
  writer.length = at
  return count
}

/** The histograms among samples `from` … `to - 1`, with commas between them. */
export function writeHistogramList(writer: ByteWriter, { times, histograms }: ResultSeries, from: number, to: number): void {
  let count = 0
  for (let j = from; j < to; j++) {
    const histogram = histograms?.[j]
    if (histogram === undefined) continue
    if (count++ > 0) writer.u8(comma)
    writeHistogram(writer, formatTimestampSeconds(times[j]!), histogram)
  }
}

/**
 * What stands before a value: `[1435781430.781,"`. Series of a range query share their times, so those of the first series are kept and tried in their
 * order: each is printed once.
 */
export class TimeTexts {
  #times = new Float64Array(64)
  #count = 0
  /** Their texts one after the other; text i ends at `#ends[i]`. */
  #bytes = new Uint8Array(64 * timeBytesMax)
  #ends = new Uint32Array(64)
  #at = 0

  /** Before each series. */
  begin(): void {
    this.#at = 0
  }

  /** Puts that of `seriesTimes[i]` at `to`, where `timeBytesMax` bytes are free; gives where it ends. Times of a series ascend. */
  put(target: Uint8Array, to: number, seriesTimes: Float64Array, i: number): number {
    const timeMs = seriesTimes[i]!
    const times = this.#times
    const count = this.#count
    let at = this.#at
    while (at < count && times[at]! < timeMs) at++
    this.#at = at
    if (at === count || times[at]! !== timeMs) return this.#print(target, to, timeMs)
    const bytes = this.#bytes
    const end = this.#ends[at]!
    let next = to
    // A short copy costs less than the view that `set` needs.
    for (let from = at === 0 ? 0 : this.#ends[at - 1]!; from < end; from++) target[next++] = bytes[from]!
    return next
  }

  #print(target: Uint8Array, to: number, timeMs: number): number {
    const text = `[${formatTimestampSeconds(timeMs)},"`
    const count = this.#count
    if (this.#at === count && count < timesMax) {
      if (count === this.#times.length) this.#grow()
      this.#times[count] = timeMs
      this.#ends[count] = putText(this.#bytes, count === 0 ? 0 : this.#ends[count - 1]!, text)
      this.#count = count + 1
    }
    return putText(target, to, text)
  }

  #grow(): void {
    const { length } = this.#times
    const [times, ends, bytes] = [new Float64Array(2 * length), new Uint32Array(2 * length), new Uint8Array(2 * length * timeBytesMax)]
    times.set(this.#times)
    ends.set(this.#ends)
    bytes.set(this.#bytes)
    this.#times = times
    this.#ends = ends
    this.#bytes = bytes
  }
}

/** Of `[-9007199254740.991,"` there are 21. */
const timeBytesMax = 32
/** Of a comma, a time, a value and what closes them. */
const pointBytesMax = 1 + timeBytesMax + floatBytesMax + 2
/** More than the API's 11,000 steps; raw samples have times of their own, and are not worth keeping. */
const timesMax = 16_384
const comma = 44
const quote = 34
const closing = 93

export function writeSample(writer: ByteWriter, time: string, value: string): void {
  writer.utf8('[')
  writer.utf8(time)
  writer.utf8(',"')
  writer.utf8(value)
  writer.utf8('"]')
}
