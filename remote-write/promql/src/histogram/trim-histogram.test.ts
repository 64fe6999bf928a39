import { customBucketsSchema } from '@narthex/model/native-histogram'
import { describe, expect, it } from 'vitest'
import { buckets, histogram, makeDice, rollHistogram, show } from '../testing/histograms.ts'
import { trimHistogram } from './trim-histogram.ts'

describe('trimHistogram', () => {
  const one = histogram({ count: 4, sum: 5, positive: buckets(0, 1, 2, 1) })

  it('keeps a histogram as it is if nothing is to go', () => {
    expect(trimHistogram(one, Infinity, true)).toBe(one)
    expect(trimHistogram(one, 4, true)).toBe(one)
    expect(trimHistogram(one, 0.5, false)).toBe(one)
  })

  it('keeps nothing below or above NaN', () => {
    expect([trimHistogram(one, NaN, true), trimHistogram(one, NaN, false)].map(({ count, sum }) => [count, sum])).toEqual([
      [0, 0],
      [0, 0],
    ])
    const withZero = histogram({ count: 6, sum: 5, zeroCount: 2, zeroThreshold: 0.1, positive: buckets(0, 1, 2, 1) })
    const { count, sum, zeroCount, positive } = trimHistogram(withZero, NaN, true)
    expect([count, sum, zeroCount, positive.counts.length]).toEqual([NaN, NaN, NaN, 0])
  })

  it('shares out the bucket that it cuts, and estimates the sum', () => {
    const below = trimHistogram(one, Math.SQRT2, true)
    expect([show(below.positive).split(' ')[0], below.count]).toEqual(['0=1', 2])
    expect(below.sum).toBeCloseTo(Math.sqrt(0.5) + Math.sqrt(Math.SQRT2), 9)
    expect(trimHistogram(one, 2, false).count).toBe(1)
  })

  it('keeps all or nothing of buckets without an end', () => {
    const custom = histogram({ schema: customBucketsSchema, customValues: [-5], count: 101, sum: 33, positive: buckets(0, 1, 100) })
    expect([trimHistogram(custom, 10, true), trimHistogram(custom, -10, true)].map(({ count, sum }) => [count, sum])).toEqual([
      [1, -5],
      [1, -10],
    ])
    expect([trimHistogram(custom, 10, false), trimHistogram(custom, -10, false)].map(({ count, sum }) => [count, sum])).toEqual([
      [100, 1000],
      [100, -500],
    ])
  })

  it.each(Array.from({ length: 200 }, (_, i) => i))('leaves each observation on one side (seed %i)', (seed) => {
    const dice = makeDice(seed)
    const rolled = rollHistogram(dice, false)
    const value = (dice(2000) - 1000) / 100
    const [below, above] = [trimHistogram(rolled, value, true), trimHistogram(rolled, value, false)]
    expect(below.count + above.count).toBeCloseTo(rolled.count, 9)
  })
})
