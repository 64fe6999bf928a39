import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ValueParser } from './value-parser.ts'

/** What `read` makes of the text and where it ends; a 7 behind the limit shows a parser that reads past it. */
function read(text: string): [number, number] {
  const bytes = Buffer.from(`${text}7`)
  const values = new ValueParser()
  const value = values.read(bytes, 0, text.length)
  return [value, values.end]
}

const digits = fc.stringMatching(/^[0-9]{0,20}$/)
const decimals = fc
  .tuple(fc.constantFrom('', '+', '-'), digits, fc.constantFrom('', '.'), digits, fc.constantFrom('', 'e', 'E-', 'e+'), fc.nat(340))
  .filter(([, whole, point, fraction]) => whole !== '' || (point !== '' && fraction !== ''))
  .map(([sign, whole, point, fraction, e, exponent]) => `${sign}${whole}${point}${point && fraction}${e}${e && exponent}`)

test('reads every decimal as the full parser does', () => {
  fc.assert(
    fc.property(decimals, (text) => {
      const value = Number(text)
      if (Number.isFinite(value)) expect(read(text)).toEqual([value, text.length])
      else expect(read(text)[1]).toBe(-1)
    }),
    { numRuns: 5000 },
  )
})

test('reads every double from its shortest text', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = Object.is(value, -0) ? '-0' : String(value)
      expect(read(text)).toEqual([value, text.length])
    }),
    { numRuns: 5000 },
  )
})

test.each([
  '123456789',
  '1234567890',
  '9007199254740992',
  '9007199254740993',
  '1234567890123456',
  '12345678901234567',
  '1e22',
  '1e23',
  '1e-22',
  '1e-23',
  '1e0000000000000000000005',
  '1.7976931348623157e308',
  '1e-400',
])('rounds %s once', (text) => {
  expect(read(text)).toEqual([Number(text), text.length])
})

test.each(['', '+', '.', 'e5', '1e', '1e+', 'Inf', 'NaN', '1e309', '-1e999999999999999999999'])('leaves %j to readToken', (text) => {
  expect(read(text)[1]).toBe(-1)
})

test.each([
  ['12 ', 2],
  ['1.5\n', 3],
  ['1_0', 1],
  ['1.2.3', 3],
  ['0x1', 1],
])('ends in %j at the first byte behind the number', (text, end) => {
  expect(read(text)[1]).toBe(end)
})
