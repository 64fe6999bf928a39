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
    at = timeTexts.put(bytes, at, times[j]!)
    at = putFloat(bytes, at, values[j]!)
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
  readonly #times: number[] = []
  /** The texts one after the other; text i ends at `#ends[i]`. */
  #bytes = new Uint8Array(64 * timeBytesMax)
  readonly #ends: number[] = []
  #at = 0

  /** Before each series. */
  begin(): void {
    this.#at = 0
  }

  /** Puts it at `to`, where `timeBytesMax` bytes are free; gives where it ends. Times of a series ascend. */
  put(target: Uint8Array, to: number, timeMs: number): number {
    const times = this.#times
    let at = this.#at
    while (at < times.length && times[at]! < timeMs) at++
    this.#at = at
    if (times[at] !== timeMs) return this.#print(target, to, timeMs)
    const bytes = this.#bytes
    const end = this.#ends[at]!
    let next = to
    // A short copy costs less than the view that `set` needs.
    for (let from = at === 0 ? 0 : this.#ends[at - 1]!; from < end; from++) target[next++] = bytes[from]!
    return next
  }

  #print(target: Uint8Array, to: number, timeMs: number): number {
    const end = putText(target, to, `[${formatTimestampSeconds(timeMs)},"`)
    const times = this.#times
    if (this.#at < times.length || this.#at === timesMax) return end
    const begin = times.length === 0 ? 0 : this.#ends[times.length - 1]!
    if (begin + timeBytesMax > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    times.push(timeMs)
    this.#ends.push(putText(this.#bytes, begin, `[${formatTimestampSeconds(timeMs)},"`))
    return end
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
