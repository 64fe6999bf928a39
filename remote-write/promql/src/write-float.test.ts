import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatFloat } from '@narthex/model/number'
import { floatBytesMax, putFloat } from './write-float.ts'

function written(value: number): string {
  const bytes = new Uint8Array(floatBytesMax + 3)
  const end = putFloat(bytes, 3, Float64Array.of(0, value), 1)
  expect(end - 3).toBeLessThanOrEqual(floatBytesMax)
  return new TextDecoder().decode(bytes.subarray(3, end))
}

it('a value is written as formatFloat gives it', () => {
  const edges = [
    0,
    -0,
    1,
    -1,
    9,
    10,
    4294967295,
    4294967296,
    99999999,
    100000000,
    999999999999999,
    1e15,
    1e15 + 2,
    2 ** 53,
    1e21,
    0.001,
    0.0009,
    0.1,
    0.12,
    0.123,
    0.1234,
  ]
  const more = [
    1e9,
    1e9 - 1,
    10e9,
    123456789012.345,
    999999999999.999,
    1e12 + 0.5,
    0.3,
    0.1 + 0.2,
    NaN,
    Infinity,
    -Infinity,
    5e-324,
    1.7976931348623157e308,
  ]
  for (const value of [...edges, ...more]) for (const signed of [value, -value]) expect(written(signed)).toBe(formatFloat(signed))
  const values = fc.oneof(
    fc.double(),
    fc.maxSafeInteger(),
    fc.integer(),
    fc.integer().map((whole) => whole / 1000),
    fc.maxSafeInteger().map((whole) => whole / 1000),
    fc.maxSafeInteger().map((whole) => whole / 10),
    fc.integer({ min: -99_999, max: 99_999 }).map((whole) => whole / 100),
  )
  fc.assert(
    fc.property(values, (value) => {
      expect(written(value)).toBe(formatFloat(value))
    }),
    { numRuns: 20_000 },
  )
})
