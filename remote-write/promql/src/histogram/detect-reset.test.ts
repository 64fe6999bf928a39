import { findBound } from '@narthex/model/bucket-bounds'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import { counterReset, gaugeHistogram, noReset } from '@narthex/model/reset-hint'
import { describe, expect, it, test } from 'vitest'
import { addHistograms } from './combine-histograms.ts'
import { hasFallen, isReset } from './detect-reset.ts'
import { buckets, histogram, makeDice, rollHistogram } from '../testing/histograms.ts'

const before = histogram({ schema: 1, zeroThreshold: 0.1, zeroCount: 2, count: 10, positive: buckets(1, 3, 2), negative: buckets(0, 3) })

describe('a counter that goes on', () => {
  test.each([
    ['with equal numbers', before],
    ['with more in a bucket', before.with({ count: 11, positive: buckets(1, 4, 2) })],
    ['with a new bucket', before.with({ count: 11, positive: buckets(0, 1, 3, 2) })],
    ['with a coarser schema', before.with({ schema: 0, positive: buckets(1, 5), negative: buckets(0, 3) })],
    [
      'with a wider zero bucket',
      before.with({ zeroThreshold: findBound(1, 1, []), zeroCount: 8, positive: buckets(2, 2), negative: buckets(1, 0) }),
    ],
    ['without a bucket that was empty', before.with({ positive: buckets(1, 3, 2) })],
  ])('is none that began anew, %s', (_, current) => {
    expect(hasFallen(current, before)).toBe(false)
  })
})

describe('a counter began anew', () => {
  test.each([
    ['if the count fell', before.with({ count: 9 })],
    ['if one bucket fell', before.with({ positive: buckets(1, 4, 1) })],
    ['if a bucket is gone', before.with({ positive: buckets(1, 5) })],
    ['if a negative bucket fell', before.with({ negative: buckets(0, 2) })],
    ['if the zero bucket fell', before.with({ zeroCount: 1, count: 11 })],
    ['if it has a finer schema', before.with({ schema: 2 })],
    ['if it has a narrower zero bucket', before.with({ zeroThreshold: 0.05 })],
    ['if its zero bucket ends amid observations', before.with({ zeroThreshold: 1.2, zeroCount: 9, count: 20 })],
    ['if it has custom buckets now', before.with({ schema: customBucketsSchema, count: 100 })],
  ])('%s', (_, current) => {
    expect(hasFallen(current, before)).toBe(true)
  })
})

describe('custom bounds', () => {
  const custom = histogram({ schema: customBucketsSchema, customValues: [2, 4, 6], count: 15, positive: buckets(0, 1, 2, 5, 7) })
  it('that differ are compared where both have some', () => {
    expect(hasFallen(custom.with({ customValues: [2, 3, 4, 6], positive: buckets(0, 1, 1, 1, 5, 7) }), custom)).toBe(false)
    expect(hasFallen(custom.with({ customValues: [2, 3, 4, 6], positive: buckets(0, 1, 0, 1, 5, 8) }), custom)).toBe(true)
  })
})

describe('what the storage noted', () => {
  it('stands above the numbers, but for gauges', () => {
    expect(isReset(before.with({ hint: counterReset }), before)).toBe(true)
    expect(isReset(before.with({ hint: noReset, count: 1 }), before)).toBe(false)
    expect(isReset(before.with({ hint: gaugeHistogram, count: 1 }), before)).toBe(true)
  })
})

it.each(Array.from({ length: 100 }, (_, i) => i))('what only grows did not begin anew (seed %i)', (seed) => {
  const dice = makeDice(seed)
  const isCustom = dice(3) === 0
  const first = rollHistogram(dice, isCustom)
  const { histogram: grown } = addHistograms(first, rollHistogram(dice, isCustom))!
  expect(hasFallen(grown, first)).toBe(false)
  if (first.count > 0) expect(hasFallen(first.times(0), first)).toBe(true)
})
