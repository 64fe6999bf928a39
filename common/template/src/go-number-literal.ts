import { parseGoFloat } from '@narthex/model/number'
import { unquote } from './go-unquote.ts'

/** A number as a template writes it: whichever of the two it can be. */
export interface NumberLiteral {
  readonly text: string
  readonly integer: bigint | undefined
  readonly float: number | undefined
  /** Written with a point or an exponent: without a wanted type it is a float. */
  readonly looksFloat: boolean
}

const int64Max = (1n << 63n) - 1n
const int64Min = -(1n << 63n)
const uint64Max = (1n << 64n) - 1n

/** Reads Go's integers (`0x1f`, `0b1`, `0o17`, `017`, `1_000`), floats and characters (`'a'`); undefined if it is none of them. */
export function parseNumberLiteral(text: string): NumberLiteral | undefined {
  if (text.startsWith("'")) {
    const character = unquote(text)
    if (character === undefined) return undefined
    const code = BigInt(character.codePointAt(0)!)
    return { text, integer: code, float: Number(code), looksFloat: false }
  }
  const looksFloat = /^[+-]?0[xX]/.test(text) ? /[pP]/.test(text) : /[.eE]/.test(text)
  const whole = looksFloat ? undefined : parseInteger(text)
  if (whole !== undefined) return { text, integer: whole, float: Number(whole), looksFloat }
  if (!looksFloat) return undefined
  const float = parseGoFloat(text)
  if (float === undefined) return undefined
  const integer = Number.isInteger(float) && Math.abs(float) < 2 ** 63 ? BigInt(float) : undefined
  return { text, integer, float, looksFloat }
}

function parseInteger(text: string): bigint | undefined {
  const match =
    /^([+-]?)(?:0[xX](_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)|0[bB](_?[01]+(?:_[01]+)*)|0[oO]?(_?[0-7]+(?:_[0-7]+)*)|(0|[1-9][0-9]*(?:_[0-9]+)*))$/.exec(
      text,
    )
  if (match === null) return undefined
  const [, sign, hex, binary, octal, decimal] = match
  const digits = (hex ?? binary ?? octal ?? decimal!).replaceAll('_', '')
  const prefix = hex !== undefined ? '0x' : binary !== undefined ? '0b' : octal !== undefined ? '0o' : ''
  const value = sign === '-' ? -BigInt(prefix + digits) : BigInt(prefix + digits)
  return value < int64Min || value > uint64Max ? undefined : value
}

/** Whether an integer is an `int`: larger ones are accepted by the parser and refused where an int is needed. */
export function fitsInt(value: bigint): boolean {
  return value >= int64Min && value <= int64Max
}
