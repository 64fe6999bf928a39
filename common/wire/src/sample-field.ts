import type { ByteWriter } from '@narthex/bytes/byte-writer'

/** Longest `samples` field: tag, length, tag + 8 value bytes, tag + 10 time bytes. */
export const sampleFieldBytesMax = 21

/** A `timestamp` field: its first eight bytes as two words, low first, and how many of them are meant; 0 = it is longer. */
export interface TimeWords {
  readonly low: number
  readonly high: number
  readonly bytes: number
}

/** Writes the `samples` field of both remote-write versions; remembers the varint of the last time, which most samples share. */
export class SampleField {
  #timeMs = NaN
  #timeBytes = new Uint8Array(10)
  #timeLength = 0
  #timeWords: TimeWords | undefined

  /** The time of the samples put from now on. Not an argument of `put`: V8 would make an object of it for every call. */
  setTime(timeMs: number): void {
    if (timeMs === this.#timeMs) return
    this.#timeMs = timeMs
    this.#timeWords = undefined
    this.#timeLength = timeMs === 0 ? 0 : putInt64(this.#timeBytes, 0, timeMs)
  }

  /** The `timestamp` field as it follows a value. */
  get timeWords(): TimeWords {
    return (this.#timeWords ??= this.#makeTimeWords())
  }

  #makeTimeWords(): TimeWords {
    const time = this.#timeBytes
    const length = this.#timeLength
    if (length === 0 || length > 7) return { low: 0, high: 0, bytes: 0 }
    let low = 0x10
    let high = 0
    for (let i = 0; i < length; i++) {
      if (i < 3) low |= time[i]! << (8 * i + 8)
      else high |= time[i]! << (8 * i - 24)
    }
    return { low, high, bytes: 1 + length }
  }

  /** Puts one sample at `at` of `bytes` (room for `sampleFieldBytesMax`) and returns the offset behind it. */
  put(bytes: Uint8Array, at: number, low: number, high: number): number {
    const timeBytes = this.#timeBytes
    const timeLength = this.#timeLength
    const hasValue = low !== 0 || high !== 0
    const hasTime = timeLength !== 0
    let next = at
    bytes[next++] = 0x12
    bytes[next++] = (hasValue ? 9 : 0) + (hasTime ? 1 + timeLength : 0)
    if (hasValue) {
      bytes[next] = 0x09
      bytes[next + 1] = low
      bytes[next + 2] = low >>> 8
      bytes[next + 3] = low >>> 16
      bytes[next + 4] = low >>> 24
      bytes[next + 5] = high
      bytes[next + 6] = high >>> 8
      bytes[next + 7] = high >>> 16
      bytes[next + 8] = high >>> 24
      next += 9
    }
    if (hasTime) {
      bytes[next++] = 0x10
      for (let i = 0; i < timeLength; i++) bytes[next++] = timeBytes[i]!
    }
    return next
  }
}

/** Bytes that a histogram's or sample's timestamps take at most: a tag of two bytes and ten of varint each. */
export const timestampBytesMax = 24

/** Puts the start timestamp behind a sample that `SampleField.put` wrote at [at, end); there is room for `timestampBytesMax`. */
export function putSampleStart(bytes: Uint8Array, at: number, end: number, startTimeMs: number): number {
  bytes[end] = 0x18
  const next = putInt64(bytes, end + 1, startTimeMs)
  // 9 bytes of value and 11 of each time: the length stays below 128.
  bytes[at + 1] = next - at - 2
  return next
}

/** Value and time of an `Exemplar` message, the same in both versions. */
export function putExemplarValue(out: ByteWriter, low: number, high: number, timeMs: number): void {
  if (low !== 0 || high !== 0) {
    out.u8(0x11)
    out.words64le(low, high)
  }
  if (timeMs === 0) return
  out.reserve(11)
  out.u8(0x18)
  out.length = putInt64(out.bytes, out.length, timeMs)
}

/** A two's complement varint of a whole number with |value| ≤ 2^53; returns the offset behind it. */
export function putInt64(bytes: Uint8Array, at: number, value: number): number {
  if (value >= 0) return putUvarint(bytes, at, value)
  // -v is the complement of v - 1: ten bytes, the upper ones all ones.
  let rest = -value - 1
  for (let i = 0; i < 9; i++) {
    bytes[at + i] = (~(rest % 128) & 0x7f) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[at + 9] = 1
  return at + 10
}

/** An unsigned varint up to 2^53; returns the offset behind it. */
export function putUvarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let next = at
  while (rest > 0x7fffffff) {
    bytes[next++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 0x80) {
    bytes[next++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[next++] = rest
  return next
}

/** Bytes that `putUvarint` takes for a number below 2^32. */
export function uvarintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5
}
