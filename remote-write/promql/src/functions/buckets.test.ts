import { describe, expect, it } from 'vitest'
import type { Buckets } from './buckets.ts'
import { fractionOfBuckets, quantileOfBuckets, sortBuckets } from './buckets.ts'

function makeBuckets(pairs: readonly (readonly [number, number])[]): Buckets {
  const buckets = {
    bounds: Float64Array.from(pairs, ([bound]) => bound),
    counts: Float64Array.from(pairs, ([, count]) => count),
    length: pairs.length,
  }
  sortBuckets(buckets)
  return buckets
}

function quantile(value: number, pairs: readonly (readonly [number, number])[]): { value: number; forced: boolean } {
  const repair = { forcedMonotonic: false, minBound: 0, maxBound: 0, maxFall: 0 }
  return { value: quantileOfBuckets(value, makeBuckets(pairs), repair), forced: repair.forcedMonotonic }
}

const inf = Infinity

describe('quantileOfBuckets', () => {
  it('of counts that are all NaN is the highest bound that is finite', () => {
    const pairs = [-1, 1, 5, inf].map((bound) => [bound, NaN] as const)
    expect(quantile(0.5, pairs).value).toBe(5)
  })

  it('interpolates inside a bucket, the lowest beginning at zero', () => {
    expect(
      quantile(0.25, [
        [1, 10],
        [2, 20],
        [inf, 20],
      ]).value,
    ).toBe(0.5)
    expect(
      quantile(0.75, [
        [2, 20],
        [inf, 20],
        [1, 10],
      ]).value,
    ).toBe(1.5)
  })

  it('gives the highest bound for what lies beyond it', () => {
    expect(
      quantile(0.99, [
        [1, 1],
        [2, 2],
        [inf, 10],
      ]).value,
    ).toBe(2)
  })

  it('gives the lowest bound if that is not positive', () => {
    expect(
      quantile(0.1, [
        [-1, 5],
        [inf, 10],
      ]).value,
    ).toBe(-1)
  })

  it('needs a bucket without bound, a second one, and observations', () => {
    expect(
      quantile(0.5, [
        [1, 1],
        [2, 2],
      ]).value,
    ).toBeNaN()
    expect(quantile(0.5, [[inf, 2]]).value).toBeNaN()
    expect(
      quantile(0.5, [
        [1, 0],
        [inf, 0],
      ]).value,
    ).toBeNaN()
  })

  it('repairs falling counts and says so, but not for rounding', () => {
    expect(
      quantile(0.5, [
        [1, 10],
        [2, 8],
        [inf, 20],
      ]),
    ).toEqual({ value: 1, forced: true })
    expect(
      quantile(0.5, [
        [1, 10],
        [2, 10 - 1e-12],
        [inf, 20],
      ]),
    ).toEqual({ value: 1, forced: false })
  })

  it('adds up buckets of the same bound', () => {
    const { counts, length } = makeBuckets([
      [1, 2],
      [inf, 9],
      [1, 3],
    ])
    expect([...counts.subarray(0, length)]).toEqual([5, 9])
  })

  it('answers values that are no quantiles', () => {
    expect(quantile(-1, [[inf, 1]]).value).toBe(-inf)
    expect(quantile(2, [[inf, 1]]).value).toBe(inf)
    expect(quantile(NaN, [[inf, 1]]).value).toBeNaN()
  })
})

describe('fractionOfBuckets', () => {
  const buckets = makeBuckets([
    [1, 1],
    [2, 3],
    [3, 6],
    [inf, 100],
  ])

  it('interpolates at both ends', () => {
    expect(fractionOfBuckets(0.5, 2.5, buckets)).toBeCloseTo((4.5 - 0.5) / 100)
  })

  it('is all between the infinities and nothing backwards', () => {
    expect(fractionOfBuckets(-inf, inf, buckets)).toBe(1)
    expect(fractionOfBuckets(3, 2, buckets)).toBe(0)
  })
})
