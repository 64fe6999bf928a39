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
  const plain = lower.replaceAll('_', '')
  if (/^0x[0-9a-f]+$/.test(plain)) return Number(plain)
  if (/^0[0-7]+$/.test(plain)) return Number.parseInt(plain, 8)
  const value = parseGoFloat(plain)
  if (value !== undefined && Number.isFinite(value)) return value
  const why = Number.isFinite(Number(plain)) ? 'invalid syntax' : 'value out of range'
  throw new ParseError(`error parsing number: strconv.ParseFloat: parsing ${quoteText(token.text)}: ${why}`, text, token.start)
}
