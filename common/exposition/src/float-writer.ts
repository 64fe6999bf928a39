// Go's strconv.AppendFloat(v, 'g', -1, 64) straight into bytes: the shortest digits that read back as the same number, in exponent form
// when the exponent is below -4 or at least 6. No string is made for integers and for numbers of at most three decimals, which is nearly
// all that exporters print.

/** The longest text that {@link writeFloatG} writes (sign, 17 digits, point, `e-324`), rounded up. */
export const floatBytesMax = 32

const digits = new Uint8Array(32)

/** Writes `value` as Prometheus' text encoder prints it (`+Inf`, `-Inf`, `NaN`, `0` for -0, `1e+06`); returns the offset behind it. */
export function writeFloatG(bytes: Uint8Array, offset: number, value: number): number {
  if (value !== value) return writeAscii(bytes, offset, 'NaN')
  if (value === 0) return writeAscii(bytes, offset, '0')
  if (value === Infinity) return writeAscii(bytes, offset, '+Inf')
  if (value < 0) {
    bytes[offset++] = 45 // -
    value = -value
    if (value === Infinity) return writeAscii(bytes, offset, 'Inf')
  }
  if (value < 1e15) {
    // Below 2^53 an integer's own digits are its shortest text: every decimal with fewer digits is at least 1 away.
    if (Math.floor(value) === value) return writeScaled(bytes, offset, value, 0)
    // A decimal of at most 15 digits that reads back as this double is the only one of that length, hence the shortest.
    const thousandths = Math.round(value * 1000)
    if (thousandths < 1e15 && thousandths / 1000 === value) return writeScaled(bytes, offset, thousandths, 3)
  }
  return writeFromText(bytes, offset, String(value))
}

/** Writes integer / 10^decimals. */
function writeScaled(bytes: Uint8Array, offset: number, integer: number, decimals: number): number {
  let start = digits.length
  while (integer > 0x3fffffff) {
    const quotient = Math.floor(integer / 10)
    digits[--start] = integer - quotient * 10 + 48
    integer = quotient
  }
  for (let rest = integer | 0; rest > 0;) {
    const quotient = (rest / 10) | 0
    digits[--start] = rest - quotient * 10 + 48
    rest = quotient
  }
  const pointAt = digits.length - start - decimals
  let end = digits.length
  while (digits[end - 1] === 48) end--
  return layOut(bytes, offset, start, end, pointAt)
}

/** Takes the digits from JavaScript's own shortest text, `123.4e-7`, whose layout differs from Go's. */
function writeFromText(bytes: Uint8Array, offset: number, text: string): number {
  let length = 0
  let pointAt = -1
  let exponent = 0
  let leadingZeros = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 46) {
      pointAt = length + leadingZeros
    } else if (char === 101) {
      exponent = Number(text.slice(i + 1))
      break
    } else if (char === 48 && length === 0) {
      leadingZeros++
    } else {
      digits[length++] = char
    }
  }
  if (pointAt < 0) pointAt = length + leadingZeros
  let end = length
  while (digits[end - 1] === 48) end--
  return layOut(bytes, offset, 0, end, pointAt - leadingZeros + exponent)
}

/** Lays out digits[start, end), whose decimal point stands `pointAt` digits behind start, as Go's %g does. */
function layOut(bytes: Uint8Array, offset: number, start: number, end: number, pointAt: number): number {
  const exponent = pointAt - 1
  if (exponent < -4 || exponent >= 6) {
    bytes[offset++] = digits[start++]!
    if (start < end) {
      bytes[offset++] = 46 // .
      while (start < end) bytes[offset++] = digits[start++]!
    }
    bytes[offset++] = 101 // e
    bytes[offset++] = exponent < 0 ? 45 : 43
    const size = exponent < 0 ? -exponent : exponent
    if (size >= 100) bytes[offset++] = 48 + ((size / 100) | 0)
    bytes[offset++] = 48 + (((size / 10) | 0) % 10)
    bytes[offset++] = 48 + (size % 10)
    return offset
  }
  if (pointAt <= 0) {
    bytes[offset++] = 48
    bytes[offset++] = 46
    for (let i = pointAt; i < 0; i++) bytes[offset++] = 48
    while (start < end) bytes[offset++] = digits[start++]!
    return offset
  }
  for (let i = 0; i < pointAt; i++) bytes[offset++] = start < end ? digits[start++]! : 48
  if (start < end) {
    bytes[offset++] = 46
    while (start < end) bytes[offset++] = digits[start++]!
  }
  return offset
}

function writeAscii(bytes: Uint8Array, offset: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[offset++] = text.charCodeAt(i)
  return offset
}
