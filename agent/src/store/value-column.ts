import { putUvarint } from '@narthex/wire/sample-field'

/** Longest encoding of one value. */
export const valueBytesMax = 9

const scratch = new Float64Array(1)
const scratchWords = new Uint32Array(scratch.buffer)
/** Whole numbers up to here times four stay exact in a varint of 2^53. */
const wholeMax = 2 ** 48
/** Low bits 1 as for a plain value, and more: a number of billionths follows, zigzag. Beyond the bound it would be no shorter. */
const billionthsMark = 5
const billionthsMax = 2 ** 47

/**
 * Writes value bits as FORMAT.md, "Values", says: whole numbers and numbers with two or three decimals as varints, the rest
 * as eight bytes. Returns the offset behind the column; needs room for `valueBytesMax` a value.
 */
export function putValues(bytes: Uint8Array, at: number, words: Uint32Array, count: number): number {
  // Two halves stored and read as one number would wait for each other: that was a quarter of the time here.
  const isAligned = words.byteOffset % 8 === 0
  const values = isAligned ? new Float64Array(words.buffer, words.byteOffset, count) : new Float64Array(words.slice(0, 2 * count).buffer)
  let next = at
  for (let i = 0; i < count; i++) {
    const low = words[2 * i]!
    const high = words[2 * i + 1]!
    const value = values[i]!
    let whole = value
    let kind = 0
    if (Math.floor(value) !== value) {
      // n / 100 is the double nearest to a decimal with two places, so a value scraped as one comes back bit for bit.
      whole = Math.round(value * 100)
      kind = 2
      if (whole / 100 !== value) {
        whole = Math.round(value * 1000)
        kind = 3
        if (whole / 1000 !== value) kind = 1
      }
    }
    // Durations that Go counts in nanoseconds: three bytes less than the eight plain ones.
    if (kind === 1) {
      const billionths = Math.round(value * 1e9)
      if (billionths < billionthsMax && billionths > -billionthsMax && billionths / 1e9 === value) {
        bytes[next++] = billionthsMark
        next = putUvarint(bytes, next, billionths < 0 ? -billionths * 2 - 1 : billionths * 2)
        continue
      }
    }
    // NaN and infinities fail the comparison with the bound, -0 has a high word and no magnitude.
    if (kind === 1 || !(whole < wholeMax && whole > -wholeMax) || (whole === 0 && high !== 0)) {
      bytes[next] = 1
      bytes[next + 1] = low
      bytes[next + 2] = low >>> 8
      bytes[next + 3] = low >>> 16
      bytes[next + 4] = low >>> 24
      bytes[next + 5] = high
      bytes[next + 6] = high >>> 8
      bytes[next + 7] = high >>> 16
      bytes[next + 8] = high >>> 24
      next += 9
      continue
    }
    const code = (whole < 0 ? -whole * 2 - 1 : whole * 2) * 4 + kind
    if (code < 0x80) bytes[next++] = code
    else next = putUvarint(bytes, next, code)
  }
  return next
}

/** Reads `count` values into `words` (two words a value); returns the offset behind the column, -1 if it does not fit before `end`. */
export function readValues(bytes: Uint8Array, at: number, end: number, words: Uint32Array, count: number): number {
  let next = at
  for (let i = 0; i < count; i++) {
    if (next >= end) return -1
    let code = bytes[next++]!
    if (code === 1) {
      if (next + 8 > end) return -1
      words[2 * i] = bytes[next]! | (bytes[next + 1]! << 8) | (bytes[next + 2]! << 16) | (bytes[next + 3]! << 24)
      words[2 * i + 1] = bytes[next + 4]! | (bytes[next + 5]! << 8) | (bytes[next + 6]! << 16) | (bytes[next + 7]! << 24)
      next += 8
      continue
    }
    const isBillionths = code === billionthsMark
    if (isBillionths) {
      if (next >= end) return -1
      code = bytes[next++]!
    }
    if (code >= 0x80) {
      code &= 0x7f
      for (let unit = 128; ; unit *= 128) {
        if (next >= end || unit > 2 ** 49) return -1
        const byte = bytes[next++]!
        code += (byte & 0x7f) * unit
        if (byte < 0x80) break
      }
    }
    const kind = isBillionths ? 1 : code % 4
    const doubled = isBillionths ? code : (code - kind) / 4
    const whole = doubled % 2 === 0 ? doubled / 2 : -(doubled + 1) / 2
    scratch[0] = kind === 0 ? whole : kind === 2 ? whole / 100 : kind === 3 ? whole / 1000 : whole / 1e9
    words[2 * i] = scratchWords[0]!
    words[2 * i + 1] = scratchWords[1]!
  }
  return next
}
