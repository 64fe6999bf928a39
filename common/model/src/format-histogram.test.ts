import type { NativeHistogram } from './native-histogram.ts'
import { customBucketsSchema } from './native-histogram.ts'
import { expect, test } from 'vitest'
import { HistogramColumns } from './histogram-columns.ts'
import { formatHistogram } from './format-histogram.ts'

const empty: NativeHistogram = {
  schema: 0,
  isFloat: false,
  count: 0,
  sum: 0,
  zeroThreshold: 0.001,
  zeroCount: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveDeltas: [],
  negativeDeltas: [],
  positiveCounts: [],
  negativeCounts: [],
  customValues: [],
  isGauge: false,
}

function format(histogram: Partial<NativeHistogram>): string {
  const columns = new HistogramColumns()
  columns.pushHistogram(0, 0, { ...empty, ...histogram })
  return formatHistogram(columns, 0)
}

test('buckets stand in ascending order, without empty ones', () => {
  expect(
    format({
      count: 9,
      sum: 18.4,
      zeroCount: 2,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveDeltas: [1, -1],
      negativeSpans: [{ offset: 0, length: 3 }],
      negativeDeltas: [1, 0, 3],
    }),
  ).toBe('{count:9, sum:18.4, [-4,-2):4, [-2,-1):1, [-1,-0.5):1, [-0.001,0.001]:2, (0.5,1]:1}')
})

test('float counts and gaps between spans are printed', () => {
  const positiveSpans = [
    { offset: -2, length: 1 },
    { offset: 3, length: 1 },
  ]
  expect(format({ isFloat: true, count: 2.5, sum: -1, positiveSpans, positiveCounts: [0.5, 2] })).toBe(
    '{count:2.5, sum:-1, (0.125,0.25]:0.5, (2,4]:2}',
  )
})

test.each([
  [-2, 1, '(1,16]'],
  [1, 1, '(1,1.414213562373095]'],
  [3, -1, '(0.8408964152537144,0.9170040432046711]'],
  [8, 1, '(1,1.0027112750502025]'],
  [0, 1024, '(8.98846567431158e+307,1.7976931348623157e+308]'],
  [1, 2048, '(1.2711610061536462e+308,1.7976931348623157e+308]'],
])('bounds of schema %i, bucket %i are %s', (schema, offset, range) => {
  expect(format({ schema, count: 1, positiveSpans: [{ offset, length: 1 }], positiveDeltas: [1] })).toBe(`{count:1, sum:0, ${range}:1}`)
})

test('custom bounds are those of the histogram, open at both ends', () => {
  const histogram = { schema: customBucketsSchema, count: 6, customValues: [1, 2], positiveSpans: [{ offset: 0, length: 3 }] }
  expect(format({ ...histogram, positiveDeltas: [1, 1, 1] })).toBe('{count:6, sum:0, [-Inf,1]:1, (1,2]:2, (2,+Inf]:3}')
})

test('a marker of the end has no counts and no sum', () => {
  const columns = new HistogramColumns()
  columns.pushStale(0, 0, false)
  expect(formatHistogram(columns, 0)).toBe('{count:0, sum:NaN}')
})
