import fc from 'fast-check'
import { expect, it } from 'vitest'
import { quantileOfAny, quantileOfSorted } from './quantile.ts'

it('a quantile of values in any order is that of the sorted ones', () => {
  const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true, min: -1e9, max: 1e9 }))
  const quantile = fc.oneof(fc.double({ min: -0.1, max: 1.1, noNaN: true }), fc.constantFrom(0, 0.5, 1, NaN))
  fc.assert(
    fc.property(quantile, fc.array(number, { maxLength: 200 }), (share, list) => {
      const values = Float64Array.from(list, (value) => value + 0)
      const wanted = quantileOfSorted(share, values.toSorted())
      expect(quantileOfAny(share, values)).toBe(wanted)
    }),
    { numRuns: 2_000 },
  )
})

it('values that are laid out to be slow for it take no longer than sorting them', () => {
  // Each pivot is the least of what is left: a few values a round.
  const count = 200_000
  const values = new Float64Array(count)
  const places = Array.from({ length: count }, (_, i) => i)
  let left = 0
  for (let i = 0; i < count; i++) {
    const middle = (left + count - 1) >>> 1
    const place = places[middle]!
    values[place] = i
    places[middle] = places[left]!
    places[left] = place
    left++
  }
  const begunMs = performance.now()
  expect(quantileOfAny(1, values)).toBe(count - 1)
  expect(performance.now() - begunMs).toBeLessThan(1_000)
})
