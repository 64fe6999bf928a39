import { describe, expect, it } from 'vitest'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { HistogramWalk, makeDice } from '../chunk/testdata/histogram-walk.ts'
import { acceptHistogram, bucketsPerSideMax, emptyHistogram } from './histogram-check.ts'

const integers: NativeHistogram = {
  ...emptyHistogram(false),
  schema: 2,
  count: 6,
  sum: 9,
  zeroCount: 1,
  positiveSpans: [
    { offset: -3, length: 1 },
    { offset: 0, length: 1 },
  ],
  positiveDeltas: [1, 2],
  negativeSpans: [{ offset: 0, length: 1 }],
  negativeDeltas: [1],
}
const floats: NativeHistogram = {
  ...integers,
  isFloat: true,
  count: 7.5,
  positiveDeltas: [],
  negativeDeltas: [],
  positiveCounts: [1, 3],
  negativeCounts: [0.5],
}
const custom: NativeHistogram = {
  ...emptyHistogram(false),
  schema: -53,
  count: 3,
  positiveSpans: [{ offset: 0, length: 3 }],
  positiveDeltas: [1, 0, 0],
  customValues: [-1, 2],
}

describe('a histogram is taken', () => {
  it('as sources make them', () => {
    for (const isCustom of [false, true]) {
      const walk = new HistogramWalk(makeDice(11), isCustom)
      for (let i = 0; i < 500; i++) expect(acceptHistogram(walk.next(), true)).toBeTypeOf('object')
    }
  })

  it.each<[string, NativeHistogram]>([
    ['of integers', integers],
    ['of floats', floats],
    ['of custom buckets', custom],
    ['of the coarsest schema', { ...integers, schema: -4 }],
    ['with more observations than its buckets have, of a sum that is none', { ...integers, sum: NaN, count: 7 }],
    ['with the largest count', { ...integers, count: 2 ** 50, zeroCount: 2 ** 50 - 5 }],
    ['with the most buckets', manyBuckets(bucketsPerSideMax)],
  ])('%s', (_what, histogram) => {
    expect(acceptHistogram(histogram, true)).toEqual(histogram)
  })
})

describe('a histogram is refused', () => {
  const tooMany = "histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"
  it.each<[string, NativeHistogram]>([
    ['histogram has an invalid schema: -5', { ...integers, schema: -5 }],
    ['histogram has an invalid schema: 53', { ...integers, schema: 53 }],
    [
      'positive side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than provided',
      { ...integers, positiveDeltas: [1] },
    ],
    [
      'negative side: span number 2 with offset -1: histogram has a span whose offset is negative',
      {
        ...integers,
        negativeSpans: [
          { offset: 5, length: 1 },
          { offset: -1, length: 0 },
        ],
      },
    ],
    [
      'positive side: bucket number 2 has observation count of -1: histogram has a bucket whose observation count is negative',
      { ...integers, positiveDeltas: [1, -2] },
    ],
    [
      'negative side: bucket number 1 has observation count of -0.5: histogram has a bucket whose observation count is negative',
      { ...floats, negativeCounts: [-0.5] },
    ],
    [`6 observations found in buckets, but the Count field is 7: ${tooMany}`, { ...integers, count: 7 }],
    [
      "6 observations found in buckets, but the Count field is 5: histogram's observation count should be at least the number of observations found in the buckets",
      { ...integers, count: 5, sum: NaN },
    ],
    ['histogram with exponential schema must not have custom bounds', { ...integers, customValues: [1] }],
    [
      'custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: histogram custom bounds are too few',
      { ...custom, customValues: [1] },
    ],
    [
      'custom buckets: previous bound is 2.000000 and current is 2.000000: histogram custom bounds must be in strictly increasing order',
      { ...custom, customValues: [2, 2] },
    ],
    [
      'custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite',
      { ...custom, customValues: [2, Infinity] },
    ],
    ['custom buckets: must have zero count of 0', { ...custom, zeroCount: 1, count: 4 }],
    ['custom buckets: must have zero threshold of 0', { ...custom, zeroThreshold: 1 }],
    ['custom buckets: must not have negative spans', { ...custom, negativeSpans: [{ offset: 0, length: 0 }] }],
    [
      'want whole counts of at most 2^50 in a histogram of integers, got others',
      { ...integers, count: 2 ** 50 + 1, zeroCount: 2 ** 50 - 4 },
    ],
    ['want whole counts of at most 2^50 in a histogram of integers, got others', { ...integers, positiveDeltas: [1.5, 1] }],
    [
      `want at most ${bucketsPerSideMax} buckets, spans or bounds a histogram, got ${bucketsPerSideMax + 1}`,
      manyBuckets(bucketsPerSideMax + 1),
    ],
  ])('%s', (reason, histogram) => {
    expect(acceptHistogram(histogram, true)).toBe(reason)
  })
})

function manyBuckets(count: number): NativeHistogram {
  const positiveCounts = Array.from({ length: count }, () => 1)
  return { ...floats, positiveSpans: [{ offset: 0, length: count }], positiveCounts, count }
}
