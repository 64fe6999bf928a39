import { formatFloatExponent, formatFloatG, formatFloatPlain } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { pad } from './format-directive.ts'
import type { Directive } from './format-directive.ts'

/** No double has more digits than this behind the point, so what is asked for beyond is zeros. */
const exactDigitsMax = 1100

/** A bigint (Go's int) or number (Go's float64) under a verb of `fmt`; undefined if the verb is not for it. */
export function formatNumber(value: bigint | number, verb: string, directive: Directive): string | undefined {
  return typeof value === 'bigint' ? formatInteger(value, verb, directive) : formatFloatVerb(value, verb, directive)
}

const bases: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 }
const prefixes: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' }

function formatInteger(value: bigint, verb: string, directive: Directive): string | undefined {
  if (verb === 'c' || verb === 'q' || verb === 'U') return formatCharacter(value, verb, directive)
  const base = bases[verb]
  if (base === undefined) return undefined
  if (directive.precision === 0 && value === 0n) return pad('', { ...directive, zero: false })
  let digits = (value < 0n ? -value : value).toString(base)
  if (verb === 'X') digits = digits.toUpperCase()
  const prefix = verb === 'O' ? '0o' : directive.sharp ? (prefixes[verb] ?? '') : ''
  const sign = value < 0n ? '-' : directive.plus ? '+' : directive.space ? ' ' : ''
  if (directive.precision !== undefined) digits = digits.padStart(directive.precision, '0')
  else if (directive.zero && !directive.minus && directive.width !== undefined) {
    digits = digits.padStart(directive.width - sign.length, '0')
  }
  return pad(sign + prefix + digits, { ...directive, zero: false })
}

function formatCharacter(value: bigint, verb: string, directive: Directive): string {
  const isValid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value < 0xe000n)
  const character = isValid ? String.fromCodePoint(Number(value)) : '\ufffd'
  if (verb === 'c') return pad(character, directive)
  if (verb === 'U') {
    const code = `U+${BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(4, '0')}`
    return pad(directive.sharp && isValid ? `${code} '${character}'` : code, { ...directive, zero: false })
  }
  const escaped = character === "'" ? "\\'" : character === '"' ? '"' : quoteText(character).slice(1, -1)
  return pad(`'${escaped}'`, directive)
}

function formatFloatVerb(value: number, verb: string, directive: Directive): string | undefined {
  const text = floatText(value, verb, directive.precision, directive.sharp)
  if (text === undefined) return undefined
  const isNegative = text.startsWith('-')
  const digits = /^[-+]/.test(text) ? text.slice(1) : text
  // Infinity keeps its plus only where a sign is asked for; NaN takes one only then, too.
  const sign = isNegative ? '-' : directive.plus ? '+' : directive.space ? ' ' : value === Infinity && verb === 'v' ? '+' : ''
  if (!Number.isFinite(value)) return pad((value === Infinity && sign === '' ? '+' : sign) + digits, { ...directive, zero: false })
  if (directive.zero && !directive.minus && directive.width !== undefined) return sign + digits.padStart(directive.width - sign.length, '0')
  return pad(sign + digits, directive)
}

function floatText(value: number, verb: string, precision: number | undefined, sharp: boolean): string | undefined {
  if (!Number.isFinite(value)) return 'vbgGxXfFeE'.includes(verb) ? (Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf') : undefined
  switch (verb) {
    case 'v':
      return precision === undefined ? formatFloatG(value) : formatGeneral(value, precision, sharp)
    case 'g':
      return precision === undefined && !sharp ? formatFloatG(value) : formatGeneral(value, precision ?? 6, sharp)
    case 'G':
      return (precision === undefined && !sharp ? formatFloatG(value) : formatGeneral(value, precision ?? 6, sharp)).toUpperCase()
    case 'e':
      return formatScientific(value, precision ?? 6)
    case 'E':
      return formatScientific(value, precision ?? 6).toUpperCase()
    case 'f':
    case 'F':
      return formatFixed(value, precision ?? 6)
    default:
      return undefined
  }
}

/** Go's 'f' format: `decimals` digits after the point, rounded half to even on the exact value. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return formatFloatPlain(value)
  if (decimals > exactDigitsMax) return formatFixed(value, exactDigitsMax) + '0'.repeat(decimals - exactDigitsMax)
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const digits = String(scaleToInteger(Math.abs(value), decimals)).padStart(decimals + 1, '0')
  return decimals === 0 ? sign + digits : `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** Go's 'e' format with `decimals` digits after the point. */
export function formatScientific(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return formatFloatPlain(value)
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const exact = roundToDigits(Math.abs(value), Math.min(decimals, exactDigitsMax) + 1)
  const { exponent } = exact
  const digits = exact.digits.padEnd(decimals + 1, '0')
  const mantissa = decimals === 0 ? digits : `${digits[0]}.${digits.slice(1)}`
  return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** Go's 'g' format with `precision` digits in all; `sharp` keeps the zeros at the end. */
export function formatGeneral(value: number, precision: number, sharp = false): string {
  if (!Number.isFinite(value)) return formatFloatPlain(value)
  const digitCount = Math.min(Math.max(precision, 1), exactDigitsMax)
  const { exponent } = roundToDigits(Math.abs(value), digitCount)
  const isScientific = exponent < -4 || exponent >= digitCount
  const text = isScientific ? formatScientific(value, digitCount - 1) : formatFixed(value, digitCount - 1 - exponent)
  if (sharp) return text
  const at = text.indexOf('e')
  const mantissa = at < 0 ? text : text.slice(0, at)
  return (mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa) + (at < 0 ? '' : text.slice(at))
}

/** value × 10^decimals as an integer, half to even; exact, because it is worked out in integers. */
function scaleToInteger(value: number, decimals: number): bigint {
  const { mantissa, exponent } = splitDouble(value)
  let numerator = mantissa
  let denominator = 1n
  if (decimals >= 0) numerator *= 10n ** BigInt(decimals)
  else denominator *= 10n ** BigInt(-decimals)
  if (exponent >= 0) numerator <<= BigInt(exponent)
  else denominator <<= BigInt(-exponent)
  const quotient = numerator / denominator
  const twiceRest = (numerator % denominator) * 2n
  const roundsUp = twiceRest > denominator || (twiceRest === denominator && (quotient & 1n) === 1n)
  return roundsUp ? quotient + 1n : quotient
}

function roundToDigits(value: number, count: number): { digits: string; exponent: number } {
  if (value === 0) return { digits: '0'.repeat(count), exponent: 0 }
  let exponent = Number(formatFloatExponent(value).split('e')[1])
  let digits = String(scaleToInteger(value, count - 1 - exponent))
  if (digits.length > count) {
    // 9.99 rounded up to 10.0
    digits = digits.slice(0, count)
    exponent++
  }
  return { digits, exponent }
}

/** A finite, non-negative double as mantissa × 2^exponent. */
function splitDouble(value: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const biased = Number(bits >> 52n)
  const fraction = bits & 0xf_ffff_ffff_ffffn
  return biased === 0 ? { mantissa: fraction, exponent: -1074 } : { mantissa: fraction | 0x10_0000_0000_0000n, exponent: biased - 1075 }
}
