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
 * Reads sample values from bytes. `read` takes plain decimals and leaves `end` at the first byte behind them; what it cannot take exactly
 * (more than 16 digits, large exponents, Inf, NaN, rubbish) leaves `end` at -1, and the caller cuts the token and calls `readToken`.
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
    if (digitCount === 0 || digitCount > 16 || mantissa > integerMax) {
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
      if (i === exponentStart || i - exponentStart > 3) {
        this.end = -1
        return 0
      }
      scale += exponentNegative ? -exponent : exponent
    }
    if (scale < 0) {
      if (scale < -22) {
        this.end = -1
        return 0
      }
      mantissa /= powersOfTen[-scale]!
    } else if (scale > 0) {
      if (scale > 22) {
        this.end = -1
        return 0
      }
      mantissa *= powersOfTen[scale]!
    }
    this.end = i
    return negative ? -mantissa : mantissa
  }

  /** The whole token [start, end) as Go's ParseFloat without hex floats and underscores; throws ValueError with Prometheus' text. */
  readToken(bytes: Uint8Array, start: number, end: number): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
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

function quoteLatin(text: string): string {
  return quoteBytes(Buffer.from(text, 'latin1'), 0, text.length)
}
