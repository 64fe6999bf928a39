import fc from 'fast-check'
import { expect, test } from 'vitest'
import { putValues, readValues, valueBytesMax } from './value-column.ts'

function roundTrip(words: Uint32Array): { words: Uint32Array; bytes: number } {
  const count = words.length / 2
  const bytes = new Uint8Array(count * valueBytesMax)
  const end = putValues(bytes, 0, words, count)
  const back = new Uint32Array(words.length)
  expect(readValues(bytes, 0, end, back, count)).toBe(end)
  if (end > 0) expect(readValues(bytes, 0, end - 1, back.slice(), count)).toBe(-1)
  return { words: back, bytes: end }
}

test('gives back every bit pattern', () => {
  const decimals = fc.integer().chain((n) => fc.constantFrom(n / 10, n / 100, n / 1000, n / 1e9, n, n * 1000))
  const value = fc.oneof(
    decimals,
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom(0, -0, Infinity, -Infinity, NaN, 2 ** 48, -(2 ** 48), 2 ** 53),
  )
  const bits = fc.oneof(
    value.map((v) => [...new Uint32Array(Float64Array.of(v).buffer)]),
    fc.tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff })),
    fc.constantFrom([2, 0x7ff00000], [1, 0x7ff80000]),
  )
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 50 }), (list) => {
      const words = Uint32Array.from(list.flat() as number[])
      expect(roundTrip(words).words).toEqual(words)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  [0, 1],
  [1, 1],
  [-1, 1],
  [1.25, 2],
  [123456.78, 4],
  [65536, 3],
  [0.1 + 0.2, 9],
])('stores %d in %d bytes', (value, bytes) => {
  expect(roundTrip(new Uint32Array(Float64Array.of(value).buffer)).bytes).toBe(bytes)
})

test('words that do not begin at a multiple of eight bytes are the same values', () => {
  const all = new Uint32Array([0, ...new Uint32Array(Float64Array.of(1, -0.25, 3e300).buffer)])
  const words = all.subarray(1)
  expect(words.byteOffset % 8).toBe(4)
  expect(roundTrip(words)).toEqual(roundTrip(words.slice()))
})
