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
    if (this.times.length <= retainedEntries) return
    this.times = new Float64Array(4096)
    this.words = new Uint32Array(8192)
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
