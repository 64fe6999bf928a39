import { parseDuration } from '@narthex/model/duration'
import { parseGoFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { ParseError } from './parse-error.ts'
import type { Token } from './token.ts'

/** Value of a number, or of a duration in seconds. Underscores, hexadecimal and octal are allowed as in Go. */
export function readNumber(token: Token, text: string): number {
  if (token.type === 'duration') {
    try {
      return parseDuration(token.text) / 1000
    } catch (error) {
      throw new ParseError(error instanceof Error ? error.message : String(error), text, token.start)
    }
  }
  const lower = token.text.toLowerCase()
  if (lower === 'inf') return Infinity
  if (lower === 'nan') return NaN
  const integer = integerOf(lower)
  if (integer !== undefined) return integer
  // Underscores may part digits.
  const value = /(?<![0-9])_|_(?![0-9])/.test(lower) ? undefined : parseGoFloat(lower.replaceAll('_', ''))
  if (value !== undefined && Number.isFinite(value)) return value
  const why = value === undefined ? 'invalid syntax' : 'value out of range'
  throw new ParseError(`error parsing number: strconv.ParseFloat: parsing ${quoteText(token.text)}: ${why}`, text, token.start)
}

const hexadecimal = /^0x_?[0-9a-f]+(?:_[0-9a-f]+)*$/
const octal = /^0_?[0-7]+(?:_[0-7]+)*$/
const decimal = /^[1-9][0-9]*(?:_[0-9]+)*$/
const int64Max = 2n ** 63n - 1n

/** As Go reads whole numbers; undefined for what is none, or none of 64 bits. */
function integerOf(text: string): number | undefined {
  const plain = text.replaceAll('_', '')
  let value: bigint
  if (hexadecimal.test(text) || decimal.test(text)) value = BigInt(plain)
  else if (octal.test(text)) value = BigInt(`0o${plain.slice(1)}`)
  else return undefined
  return value <= int64Max ? Number(value) : undefined
}
