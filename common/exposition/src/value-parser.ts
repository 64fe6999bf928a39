import { quoteBytes } from './exposition-error.ts'

// 10^0 … 10^22 are exact doubles, so one multiplication or division of an integer below 2^53 rounds once, as a full parser would.
const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
const integerMax = 9_007_199_254_740_992

const decimal = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/

/** Why a value text is refused, in the words of Prometheus. */
export class ValueError extends Error {
  override name = 'ValueError'
}

/**
 * Reads sample values from bytes. `read` takes decimals and leaves `end` at the first byte behind them; what is none (Inf, NaN, rubbish) or
 * too large for a double leaves `end` at -1, and the caller cuts the token and calls `readToken`.
 */
export class ValueParser {
  end = 0

  read(bytes: Uint8Array, start: number, limit: number): number {
    let i = start
    let byte = bytes[i]!
    let negative = false
    if (byte === 45 || byte === 43) {
      negative = byte === 45
      i++
    }
    let mantissa = 0
    const digitsStart = i
    while (i < limit && (byte = bytes[i]! - 48) >= 0 && byte <= 9) {
      mantissa = mantissa * 10 + byte
      i++
    }
    let digitCount = i - digitsStart
    let scale = 0
    if (i < limit && bytes[i] === 46) {
      i++
      const fractionStart = i
      while (i < limit && (byte = bytes[i]! - 48) >= 0 && byte <= 9) {
        mantissa = mantissa * 10 + byte
        i++
      }
      scale = fractionStart - i
      digitCount -= scale
    }
    if (digitCount === 0) {
      this.end = -1
      return 0
    }
    if (i < limit && (bytes[i]! | 32) === 101) {
      i++
      let exponentNegative = false
      if (i < limit && (bytes[i] === 45 || bytes[i] === 43)) {
        exponentNegative = bytes[i] === 45
        i++
      }
      const exponentStart = i
      let exponent = 0
      while (i < limit && (byte = bytes[i]! - 48) >= 0 && byte <= 9) {
        exponent = exponent * 10 + byte
        i++
      }
      if (i === exponentStart) {
        this.end = -1
        return 0
      }
      scale += exponentNegative ? -exponent : exponent
    }
    if (digitCount > 16 || mantissa > integerMax || scale < -22 || scale > 22) return this.#readLong(bytes, start, i)
    this.end = i
    if (scale < 0) mantissa /= powersOfTen[-scale]!
    else if (scale > 0) mantissa *= powersOfTen[scale]!
    return negative ? -mantissa : mantissa
  }

  /** The decimal [start, end), whose digits are too many for one exact operation. */
  #readLong(bytes: Uint8Array, start: number, end: number): number {
    const value = Number(latin1(bytes, start, end))
    this.end = Number.isFinite(value) ? end : -1
    return value
  }

  /** The whole token [start, end) as Go's ParseFloat without hex floats and underscores; throws ValueError with Prometheus' text. */
  readToken(bytes: Uint8Array, start: number, end: number): number {
    const text = latin1(bytes, start, end)
    if (/[pP_]/.test(text)) throw new ValueError('unsupported character in float')
    if (decimal.test(text)) {
      const value = Number(text)
      if (Number.isFinite(value)) return value
      throw new ValueError(`strconv.ParseFloat: parsing ${quoteLatin(text)}: value out of range`)
    }
    switch (text.toLowerCase()) {
      case 'nan':
        return NaN
      case 'inf':
      case '+inf':
      case 'infinity':
      case '+infinity':
        return Infinity
      case '-inf':
      case '-infinity':
        return -Infinity
    }
    throw new ValueError(`strconv.ParseFloat: parsing ${quoteLatin(text)}: invalid syntax`)
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}

function quoteLatin(text: string): string {
  return quoteBytes(Buffer.from(text, 'latin1'), 0, text.length)
}
