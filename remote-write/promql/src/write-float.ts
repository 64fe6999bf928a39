import { formatFloat } from '@narthex/model/number'

/** Whole numbers up to here, and those with three decimals or fewer up to a thousandth of it, have at most 15 digits. */
const wholeMax = 1e15
const point = 46
const minus = 45
const zero = 48
const eightDigits = 1e8

/** The longest text of a float, `-0.0000012345678901234567`, has 25. */
export const floatBytesMax = 32

/** `00` to `99`: a division gives two digits. */
const pairs = Uint8Array.from({ length: 200 }, (_, i) => zero + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10))

/**
 * Puts what `formatFloat` gives for `values[i]` at `at`, where `floatBytesMax` bytes are free; gives where it ends. Most values are whole or have few
 * decimals: a decimal number of at most 15 digits that reads back as the value is the shortest one, and its digits are had without a search.
 */
// Functions here take places and small whole numbers: any other number becomes an object on its way into a function.
export function putFloat(bytes: Uint8Array, at: number, values: Float64Array, i: number): number {
  const value = values[i]!
  const magnitude = Math.abs(value)
  if (magnitude < wholeMax && magnitude === Math.floor(magnitude) && (value !== 0 || 1 / value > 0)) {
    if (value < 0) bytes[at++] = minus
    if (magnitude < eightDigits) return putUint32(bytes, at, magnitude >>> 0)
    const upper = Math.floor(magnitude / eightDigits)
    return putHalves(bytes, at, upper >>> 0, (magnitude - upper * eightDigits) >>> 0)
  }
  if (magnitude < wholeMax / 1000 && magnitude >= 0.001) {
    const thousandths = Math.round(magnitude * 1000)
    if (thousandths / 1000 === magnitude) {
      if (value < 0) bytes[at++] = minus
      const whole = Math.floor(thousandths / 1000)
      const decimals = (thousandths - whole * 1000) >>> 0
      const upper = Math.floor(whole / eightDigits)
      const lower = (whole - upper * eightDigits) >>> 0
      const end = upper === 0 ? putUint32(bytes, at, lower) : putHalves(bytes, at, upper >>> 0, lower)
      const last = decimals % 10
      const pair = (decimals - last) / 5
      bytes[end] = point
      bytes[end + 1] = pairs[pair]!
      bytes[end + 2] = pairs[pair + 1]!
      bytes[end + 3] = zero + last
      return end + (last !== 0 ? 4 : pairs[pair + 1] !== zero ? 3 : 2)
    }
  }
  return putText(bytes, at, formatFloat(value))
}

/** Puts an ASCII text, for which there must be room; gives where it ends. */
export function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
  return at + text.length
}

/** `upper` and the eight digits of `lower`. */
function putHalves(bytes: Uint8Array, at: number, upper: number, lower: number): number {
  const end = putUint32(bytes, at, upper)
  putPairs(bytes, end, end + 8, lower)
  return end + 8
}

/** At most 8 digits. */
function putUint32(bytes: Uint8Array, at: number, value: number): number {
  let end = at
  if (value < 1e4) end += value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4
  else end += value < 1e6 ? (value < 1e5 ? 5 : 6) : value < 1e7 ? 7 : 8
  putPairs(bytes, at, end, value)
  return end
}

/** The last digits of `value`, as many as there are places. */
function putPairs(bytes: Uint8Array, at: number, end: number, value: number): void {
  let left = value
  let place = end
  while (place - at >= 2) {
    const rest = (left / 100) >>> 0
    const pair = (left - rest * 100) << 1
    place -= 2
    bytes[place] = pairs[pair]!
    bytes[place + 1] = pairs[pair + 1]!
    left = rest
  }
  if (place > at) bytes[at] = zero + left
}
