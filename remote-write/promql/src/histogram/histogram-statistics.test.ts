import { customBucketsSchema } from '@narthex/model/native-histogram'
import { describe, expect, it } from 'vitest'
import { fractionOfHistogram, quantileOfHistogram, varianceOfHistogram } from './histogram-statistics.ts'
import { buckets, histogram, makeDice, rollHistogram } from '../testing/histograms.ts'

const quantile = (q: number, one: ReturnType<typeof histogram>) => quantileOfHistogram(q, one).value
const fraction = (lower: number, upper: number, one: ReturnType<typeof histogram>) => fractionOfHistogram(lower, upper, one).value

describe('quantileOfHistogram', () => {
  const positive = histogram({ count: 4, sum: 5, positive: buckets(0, 1, 2, 1) })

  it('is interpolated on a logarithmic scale, mirrored below zero', () => {
    expect(quantile(0.5, positive)).toBeCloseTo(Math.SQRT2, 12)
    expect(quantile(0.5, positive.with({ positive: buckets(0), negative: positive.positive }))).toBeCloseTo(-Math.SQRT2, 12)
  })

  it('has the first and last edges at 0 and 1, and infinities beyond', () => {
    expect([-0.1, 0, 1, 1.1].map((q) => quantile(q, positive))).toEqual([-Infinity, 0.5, 4, Infinity])
    expect(quantile(NaN, positive)).toBeNaN()
    expect(quantile(0.5, histogram({}))).toBeNaN()
  })

  it('is linear in the zero bucket, which begins at zero without negative buckets', () => {
    const zero = { zeroThreshold: 2, zeroCount: 4, count: 4, sum: 1 }
    expect(quantile(0.5, histogram(zero))).toBe(0)
    expect(quantile(0.25, histogram({ ...zero, count: 5, positive: buckets(3, 1) }))).toBeCloseTo(0.625, 12)
    expect(quantile(0.75, histogram({ ...zero, count: 5, negative: buckets(3, 1) }))).toBeCloseTo(-0.625, 12)
  })

  it('is linear in custom buckets, of which the last gives its lower bound', () => {
    const custom = histogram({ schema: customBucketsSchema, customValues: [5, 10], count: 4, sum: 1, positive: buckets(0, 1, 2, 1) })
    expect([0.125, 0.5, 1].map((q) => quantile(q, custom))).toEqual([2.5, 7.5, 10])
    expect(quantile(0.1, custom.with({ customValues: [-5, 10] }))).toBe(-5)
  })

  it('counts NaN observations above all others', () => {
    const withNaN = positive.with({ count: 5, sum: NaN })
    expect(quantileOfHistogram(0.9, withNaN)).toEqual({ value: NaN, nan: 'isResult' })
    expect(quantileOfHistogram(0.8, withNaN)).toEqual({ value: 4, nan: 'skews' })
    expect(quantileOfHistogram(0.5, positive.with({ sum: NaN })).nan).toBe('none')
  })
})

describe('fractionOfHistogram', () => {
  it('cuts buckets as quantiles do', () => {
    const one = histogram({ count: 4, sum: 5, positive: buckets(0, 1, 2, 1) })
    expect(fraction(1, 2, one)).toBe(0.5)
    expect(fraction(0, Math.SQRT2, one)).toBeCloseTo(0.5, 12)
    expect([fraction(-Infinity, Infinity, one), fraction(3, 3, one), fraction(4, 1, one)]).toEqual([1, 0, 0])
    expect(fraction(NaN, 1, one)).toBeNaN()
  })

  it('leaves NaN observations out of all fractions', () => {
    const withNaN = histogram({ count: 8, sum: NaN, positive: buckets(0, 4) })
    expect(fractionOfHistogram(-Infinity, Infinity, withNaN)).toEqual({ value: 0.5, nan: 'skews' })
  })

  it.each(Array.from({ length: 200 }, (_, i) => i))('is the inverse of the quantile inside a bucket (seed %i)', (seed) => {
    const dice = makeDice(seed)
    const one = rollHistogram(dice)
    if (one.count === 0) return
    const q = (dice(98) + 1) / 100
    const value = quantile(q, one)
    const { customValues } = one
    // The ends of custom buckets are without interpolation.
    if (one.usesCustomBuckets && (customValues.length === 0 || value >= customValues.at(-1)! || value <= customValues[0]!)) return
    expect(fraction(-Infinity, value, one)).toBeCloseTo(q, 9)
  })
})

describe('varianceOfHistogram', () => {
  it('takes the geometric middle of exponential buckets, zero for the zero bucket, the arithmetic one of custom buckets', () => {
    expect(varianceOfHistogram(histogram({ count: 2, sum: 0, positive: buckets(2, 1), negative: buckets(2, 1) }))).toBeCloseTo(8, 12)
    expect(varianceOfHistogram(histogram({ count: 1, sum: 3, zeroThreshold: 1, zeroCount: 1 }))).toBe(9)
    const custom = histogram({ schema: customBucketsSchema, customValues: [0, 4], count: 1, sum: 0, positive: buckets(1, 1) })
    expect(varianceOfHistogram(custom)).toBe(4)
    expect(varianceOfHistogram(histogram({}))).toBeNaN()
  })
})
