import fc from 'fast-check'
import { expect, it } from 'vitest'
import { intersect, intersects, subtract, unite } from './postings-set.ts'

const anyList = fc
  .tuple(fc.uniqueArray(fc.nat(300), { maxLength: 60 }), fc.constantFrom(1, 1000, 14_000_000))
  .map(([numbers, factor]) => Uint32Array.from(numbers, (number) => number * factor).sort())

it('intersects, subtracts and unites as sets do', () => {
  fc.assert(
    fc.property(fc.array(anyList, { maxLength: 5 }), anyList, anyList, (lists, a, b) => {
      const [left, right] = [new Set(a), new Set(b)]
      expect(Array.from(intersect(a, b))).toEqual(Array.from(a).filter((reference) => right.has(reference)))
      expect(intersects(a, b)).toBe(Array.from(a).some((reference) => right.has(reference)))
      expect(Array.from(subtract(a, b))).toEqual(Array.from(a).filter((reference) => !right.has(reference)))
      const all = new Set([...left, ...lists.flatMap((list) => [...list])])
      expect(Array.from(unite([a, ...lists]))).toEqual(Array.from(all).sort((x, y) => x - y))
    }),
  )
})

it('unites nothing into nothing, and takes the highest reference', () => {
  expect(unite([])).toHaveLength(0)
  expect(unite([new Uint32Array(0), new Uint32Array(0)])).toHaveLength(0)
  expect(Array.from(unite([Uint32Array.of(2 ** 32 - 1), Uint32Array.of(0, 2 ** 31)]))).toEqual([0, 2 ** 31, 2 ** 32 - 1])
})
