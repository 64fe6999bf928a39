import { WireError } from './protobuf-cursor.ts'

/** More of one kind in one request is refused: the columns of a 32 MiB body of empty messages would else take 500 MB. */
export const samplesMax = 4 * 1024 * 1024
export const seriesMax = 2 * 1024 * 1024
const retainedEntries = 64 * 1024

/** Time and value bits of all samples of a request, in the order of the request; reused from request to request. */
export class SampleArea {
  /** Milliseconds since 1970. */
  times: Float64Array = new Float64Array(4096)
  /** words[2 * i] is the low, words[2 * i + 1] the high word of sample i. */
  words: Uint32Array = new Uint32Array(8192)
  /** Start timestamps (2.0), milliseconds since 1970, 0 = none; undefined while no sample of the request has one. */
  startTimes: Float64Array | undefined
  length = 0

  /** Makes room for one more sample; call before writing at `length`. */
  grow(): void {
    if (this.length >= samplesMax) throw new WireError(`cannot read request: want at most ${samplesMax} samples, got more`)
    const times = new Float64Array(this.times.length * 2)
    times.set(this.times)
    this.times = times
    const words = new Uint32Array(this.words.length * 2)
    words.set(this.words)
    this.words = words
    if (this.startTimes === undefined) return
    const startTimes = new Float64Array(this.startTimes.length * 2)
    startTimes.set(this.startTimes)
    this.startTimes = startTimes
  }

  /** Notes the start timestamp of sample `i`, for which there is room. */
  setStartTime(i: number, timeMs: number): void {
    this.startTimes ??= new Float64Array(this.times.length)
    this.startTimes[i] = timeMs
  }

  /**
   * Takes the body of a `Sample` message [start, end) if it is as every sender writes it for a time between 1971 and 2109;
   * false leaves it to a reader of any form. There must be room for one more sample.
   */
  putUsual(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    // ┌ 0x09 value 8 B ┬ 0x10 milliseconds 6 B ┐  a value of 0 is left out
    const hasValue = end - start === 16 && bytes[start] === 0x09
    if (!hasValue && end - start !== 7) return false
    const at = hasValue ? start + 9 : start
    if (bytes[at] !== 0x10) return false
    const b0 = bytes[at + 1]!
    const b1 = bytes[at + 2]!
    const b2 = bytes[at + 3]!
    const b3 = bytes[at + 4]!
    const b4 = bytes[at + 5]!
    const b5 = bytes[at + 6]!
    if ((b0 & b1 & b2 & b3 & b4 & 0x80) === 0 || b5 >= 0x80) return false
    const i = this.length
    this.words[2 * i] = hasValue ? view.getUint32(start + 1, true) : 0
    this.words[2 * i + 1] = hasValue ? view.getUint32(start + 5, true) : 0
    this.times[i] = (b0 & 0x7f) + (((b1 & 0x7f) << 7) | ((b2 & 0x7f) << 14) | ((b3 & 0x7f) << 21)) + ((b4 & 0x7f) | (b5 << 7)) * 0x10000000
    this.length = i + 1
    return true
  }

  /** Empties the area and gives back what an unusually large request took. */
  clear(): void {
    this.length = 0
    this.startTimes = undefined
    if (this.times.length <= retainedEntries) return
    this.times = new Float64Array(4096)
    this.words = new Uint32Array(8192)
  }
}

/**
 * Where the histograms (or exemplars) of a request lie, in the order of the request; reused from request to request. They are known to be
 * fields to their end; `readHistogram`, `readExemplar1` and `readExemplar2` decode them.
 */
export class NestedMessages {
  count = 0
  /** The series of the request that message i belongs to. */
  series: Uint32Array = new Uint32Array(64)
  /** Message i is the request's bytes at [starts[i], ends[i]). */
  starts: Uint32Array = new Uint32Array(64)
  ends: Uint32Array = new Uint32Array(64)

  push(series: number, start: number, end: number): void {
    const i = this.count
    if (i >= this.starts.length) {
      this.series = growUint32(this.series, samplesMax, 'histograms or exemplars')
      this.starts = growUint32(this.starts, samplesMax, 'histograms or exemplars')
      this.ends = growUint32(this.ends, samplesMax, 'histograms or exemplars')
    }
    this.series[i] = series
    this.starts[i] = start
    this.ends[i] = end
    this.count = i + 1
  }

  clear(): void {
    this.count = 0
    this.series = shrinkUint32(this.series, 64)
    this.starts = shrinkUint32(this.starts, 64)
    this.ends = shrinkUint32(this.ends, 64)
  }
}

/** `array` twice as long, refusing more than `max` entries. */
export function growUint32(array: Uint32Array, max: number, what: string): Uint32Array {
  if (array.length >= max) throw new WireError(`cannot read request: want at most ${max} ${what}, got more`)
  const grown = new Uint32Array(Math.min(max, array.length * 2))
  grown.set(array)
  return grown
}

/** A fresh small array in place of one that an unusually large request made long. */
export function shrinkUint32(array: Uint32Array, entries: number): Uint32Array {
  return array.length <= retainedEntries ? array : new Uint32Array(entries)
}
