import fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeFloatG } from './float-writer.ts'

function format(value: number): string {
  const bytes = Buffer.alloc(40)
  return bytes.toString('latin1', 0, writeFloatG(bytes, 0, value))
}

test.each([
  [0, '0'],
  [-0, '0'],
  [1, '1'],
  [-1, '-1'],
  [100000, '100000'],
  [999999, '999999'],
  [1000000, '1e+06'],
  [1234567, '1.234567e+06'],
  [16373518336, '1.6373518336e+10'],
  [9007199254740991, '9.007199254740991e+15'],
  [0.5, '0.5'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [0.00001234, '1.234e-05'],
  [123456.789, '123456.789'],
  [1234567.89, '1.23456789e+06'],
  [0.1 + 0.2, '0.30000000000000004'],
  [1.7976931348623157e308, '1.7976931348623157e+308'],
  [5e-324, '5e-324'],
  [1e21, '1e+21'],
  [-2.5e-7, '-2.5e-07'],
  [1e100, '1e+100'],
  [NaN, 'NaN'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
])('prints %d as Go does', (value, expected) => {
  expect(format(value)).toBe(expected)
})

// Go's rule written the slow way: digits from toExponential, then %e or %f.
function formatSlowly(value: number): string {
  if (value === 0) return '0'
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string]
  const exponent = Number(exponentText)
  if (exponent < -4 || exponent >= 6) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  return String(value).includes('e') ? value.toFixed(20).replace(/0+$/, '') : String(value)
}

test('prints every finite number as the slow way does', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.maxSafeInteger(),
        fc.maxSafeInteger().map((i) => i / 100),
        fc.integer().map((i) => i / 1000),
      ),
      (value) => {
        expect(format(value)).toBe(formatSlowly(value))
        expect(Number(format(value))).toBe(value === 0 ? 0 : value)
      },
    ),
    { numRuns: 5000 },
  )
})
