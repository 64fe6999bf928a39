import { isAlphaNumeric, isOneOf } from './characters.ts'

/**
 * What may be a number: 0x1F, 1_000, .5, 1e3. `valid` is false if it cannot be one, or if what follows makes it none (or a duration). Not all
 * that is valid is a number: 1e is found out later, as in Prometheus.
 */
export function scanNumber(text: string, start: number): { valid: boolean; end: number } {
  let i = start
  let digits = decimalDigits
  if (text[i] === '0') {
    i++
    if (text[i] === 'x' || text[i] === 'X') {
      i++
      digits = hexadecimalDigits
      if (text[i] === '_') i++
    }
  }
  const refuse = (length: number) => ({ valid: false, end: i + length })
  if (text[i] === '.') i++
  if (isOneOf(text[i], digits)) i++
  let [hasPoint, hasExponent] = [false, false]
  for (;;) {
    const char = text[i]
    if (char === '.') {
      if (hasPoint) return refuse(1)
      hasPoint = true
      i++
      if (isOneOf(text[i], '_.')) return refuse(1)
      if (digits === hexadecimalDigits) return refuse(0)
    } else if (char === 'e' || char === 'E') {
      // In a hexadecimal number, too.
      if (hasExponent) return refuse(1)
      hasExponent = true
      i++
      if (isOneOf(text[i], '+-')) i++
      if (isOneOf(text[i], '._eE')) return refuse(1)
      if (text[i] === undefined) return refuse(0)
    } else if (char === '_') {
      i++
      if (isOneOf(text[i], '._eE')) return refuse(1)
      if (text[i] === undefined) return refuse(0)
    } else if (isOneOf(char, digits)) {
      while (isOneOf(text[i], digits)) i++
    } else return { valid: !isAlphaNumeric(char ?? ''), end: i }
  }
}

const decimalDigits = '0123456789'
const hexadecimalDigits = '0123456789abcdefABCDEF'
