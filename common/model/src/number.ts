/**
 * A sample's value as Prometheus' JSON API prints it: the shortest digits that read back as the same number, with an exponent below
 * 1e-6 and from 1e21 on (at least two digits: `1e-07`), `NaN`, `+Inf`, `-Inf`.
 */
export function formatFloat(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value)
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  return padExponent(String(value))
}

/** Go's `strconv.FormatFloat(value, 'f', -1, 64)`: as `formatFloat`, but never with an exponent. */
export function formatFloatPlain(value: number): string {
  const text = formatFloat(value)
  const at = text.indexOf('e')
  return at < 0 ? text : expandExponent(text, at)
}

/** Go's `strconv.FormatFloat(value, 'e', -1, 64)`: one digit before the point, always an exponent. */
export function formatFloatExponent(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value)
  if (value === 0) return Object.is(value, -0) ? '-0e+00' : '0e+00'
  return padExponent(value.toExponential())
}

/** Go's `strconv.FormatFloat(value, 'g', -1, 64)`, which is also what `%v` prints: with an exponent below 1e-4 and from 1e6 on. */
export function formatFloatG(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value)
  const magnitude = Math.abs(value)
  return magnitude < 1e-4 || magnitude >= 1e6 ? formatFloatExponent(value) : formatFloatPlain(value)
}

/** A number as OpenMetrics wants it in `le` and `quantile`: as 'g', but whole numbers get `.0`. */
export function formatOpenMetricsFloat(value: number): string {
  if (value === 0) return '0.0'
  if (!Number.isFinite(value)) return formatSpecial(value)
  const text = formatFloatG(value)
  return text.includes('.') || text.includes('e') ? text : text + '.0'
}

/** Milliseconds as seconds with no or three decimals (`1435781430.781`), as Prometheus' JSON API prints times. */
export function formatTimestampSeconds(ms: number): string {
  const whole = Math.abs(Math.trunc(ms))
  const fraction = whole % 1000
  const seconds = (ms < 0 && whole > 0 ? '-' : '') + (whole - fraction) / 1000
  return fraction === 0 ? seconds : seconds + '.' + String(fraction).padStart(3, '0')
}

// Go's grammar: underscores may part digits; digits may be missing on one side of the point; a hexadecimal number must have a binary exponent.
const decimalNumber = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/
const hexNumber = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?[0-9]+)$/
const specialNumber = /^(?:([+-]?)inf(?:inity)?|nan)$/i

/** Go's `strconv.ParseFloat(text, 64)`; undefined where Go gives an error (which includes decimal numbers too large for a double). */
export function parseGoFloat(text: string): number | undefined {
  if (text.includes('_')) return hasGoodUnderscores(text) ? parseGoFloat(text.replaceAll('_', '')) : undefined
  if (decimalNumber.test(text)) {
    const value = Number(text)
    return Number.isFinite(value) ? value : undefined
  }
  const special = specialNumber.exec(text)
  if (special !== null) {
    if (special[1] === undefined) return NaN
    return special[1] === '-' ? -Infinity : Infinity
  }
  return parseHexFloat(text)
}

/** Each underscore stands between two digits, or between the prefix `0x` and a digit. */
function hasGoodUnderscores(text: string): boolean {
  const [, hexPrefix, body] = /^[+-]?(0[xX])?(.*)$/s.exec(text)!
  return hexPrefix === undefined ? !/(?<![0-9])_|_(?![0-9])/.test(body!) : !/(?<![0-9a-fA-F])_|_(?![0-9a-fA-F])/.test('0' + body!)
}

function parseHexFloat(text: string): number | undefined {
  const match = hexNumber.exec(text)
  if (match === null) return undefined
  const [, sign, whole, fraction, exponent] = match
  const digits = whole! + fraction!
  if (digits === '') return undefined
  const value = scaleMantissa(BigInt('0x' + digits), Number(exponent) - 4 * fraction!.length)
  if (value === undefined) return undefined
  return sign === '-' ? -value : value
}

/** mantissa × 2^exponent, rounded once to the nearest double, ties to even; undefined when it is too large. */
function scaleMantissa(mantissa: bigint, exponent: number): number | undefined {
  if (mantissa === 0n) return 0
  const bits = mantissa.toString(2).length
  const top = bits + exponent
  if (top > 1024) return undefined
  if (top < -1074) return 0
  // A double keeps 53 bits, fewer below 2^-1022; what is cut off decides the rounding.
  const keptBits = Math.min(53, top + 1074)
  const cut = bits - keptBits
  let kept = mantissa
  if (cut > 0) {
    kept = mantissa >> BigInt(cut)
    const rest = mantissa - (kept << BigInt(cut))
    const half = 1n << BigInt(cut - 1)
    if (rest > half || (rest === half && (kept & 1n) === 1n)) kept += 1n
  }
  const scale = exponent + Math.max(cut, 0)
  // Two steps, because 2^scale alone may not be a double.
  const value = Number(kept) * 2 ** Math.max(scale, -1000) * 2 ** Math.min(scale + 1000, 0)
  return Number.isFinite(value) ? value : undefined
}

function formatSpecial(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '+Inf' : '-Inf'
}

/** JavaScript writes `1e-7` where Go writes `1e-07`. */
function padExponent(text: string): string {
  const at = text.indexOf('e')
  return at >= 0 && text.length - at === 3 ? text.slice(0, at + 2) + '0' + text.slice(at + 2) : text
}

function expandExponent(text: string, at: number): string {
  const exponent = Number(text.slice(at + 1))
  const negative = text.startsWith('-')
  const [whole, fraction = ''] = text.slice(negative ? 1 : 0, at).split('.') as [string, string?]
  const digits = whole + fraction
  const point = whole.length + exponent
  const sign = negative ? '-' : ''
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length)
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
}
