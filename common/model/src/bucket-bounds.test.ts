import { expect, test } from 'vitest'
import { findBound } from './bucket-bounds.ts'
import { customBucketsSchema } from './native-histogram.ts'

test.each([
  [0, 0, 1],
  [1, 0, 2],
  [-1, 0, 0.5],
  [1, -2, 16],
  [1, 1, 1.414213562373095],
  [3, 2, 1.6817928305074288],
  [-1, 3, 0.9170040432046711],
  [1, 8, 1.0027112750502025],
  [256, 8, 2],
])('bucket %i of schema %i ends at %d', (index, schema, bound) => {
  expect(findBound(index, schema, [])).toBe(bound)
})

test.each([
  [1024, 0],
  [64, -4],
  [262_144, 8],
])('the last bucket of schema (%i of %i) ends at the largest number', (index, schema) => {
  expect(findBound(index, schema, [])).toBe(Number.MAX_VALUE)
})

test('custom buckets end at their bounds, the last one never', () => {
  expect([-1, 0, 1, 2].map((index) => findBound(index, customBucketsSchema, [5, 10]))).toEqual([-Infinity, 5, 10, Infinity])
})
