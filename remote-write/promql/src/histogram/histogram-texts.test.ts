import { ByteWriter } from '@narthex/bytes/byte-writer'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import { noReset } from '@narthex/model/reset-hint'
import { describe, expect, it } from 'vitest'
import { listBuckets } from './bucket-table.ts'
import { writeHistogram } from './encode-histogram.ts'
import { areEqual } from './equal-histograms.ts'
import { formatHistogram } from './format-histogram.ts'
import { histogramOfColumns } from './histograms-of-columns.ts'
import { nativeOfHistogram } from './native-of-histogram.ts'
import { buckets, histogram, makeDice, rollHistogram } from '../testing/histograms.ts'

const one = histogram({
  count: 9,
  sum: 18.4,
  zeroThreshold: 0.001,
  zeroCount: 2,
  positive: buckets(0, 1, 0, 1),
  negative: buckets(1, 1, 4),
})

function encode(value: ReturnType<typeof histogram>): unknown {
  const writer = new ByteWriter()
  writeHistogram(writer, '1.5', value)
  return JSON.parse(new TextDecoder().decode(writer.view()))
}

describe('a histogram', () => {
  it('is printed from its lowest bucket to its highest, without empty ones', () => {
    expect(formatHistogram(one)).toBe('{count:9, sum:18.4, [-4,-2):4, [-2,-1):1, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:1}')
    const custom = histogram({ schema: customBucketsSchema, count: 3, customValues: [5], positive: buckets(0, 1, 2) })
    expect(formatHistogram(custom)).toBe('{count:3, sum:0, [-Inf,5]:1, (5,+Inf]:2}')
  })

  it('ends its outermost buckets at the largest number and at infinity, and holds no end that is too small for a number', () => {
    const large = histogram({ count: 6, positive: buckets(1023, 1, 2, 3) })
    expect(formatHistogram(large)).toContain(
      '(4.49423283715579e+307,8.98846567431158e+307]:1, (8.98846567431158e+307,1.7976931348623157e+308]:2, (1.7976931348623157e+308,+Inf]:3',
    )
    expect(formatHistogram(histogram({ count: 1, positive: buckets(-1080, 1) }))).toBe('{count:1, sum:0, (0,0):1}')
  })

  it('is written as the API has it: which ends belong to a bucket, its ends, its count', () => {
    expect(encode(one)).toEqual([
      1.5,
      {
        count: '9',
        sum: '18.4',
        buckets: [
          [1, '-4', '-2', '4'],
          [1, '-2', '-1', '1'],
          [3, '-0.001', '0.001', '2'],
          [0, '0.5', '1', '1'],
          [0, '2', '4', '1'],
        ],
      },
    ])
    expect(encode(histogram({}))).toEqual([1.5, { count: '0', sum: '0' }])
  })

  it('has buckets that end where the zero bucket begins', () => {
    const overlapping = histogram({ zeroThreshold: 0.75, zeroCount: 1, positive: buckets(0, 1), negative: buckets(0, 1) })
    expect(listBuckets(overlapping).map(({ lower, upper }) => [lower, upper])).toEqual([
      [-1, -0.75],
      [-0.75, 0.75],
      [0.75, 1],
    ])
  })

  it.each(Array.from({ length: 100 }, (_, i) => i))('is the same after it was stored (seed %i)', (seed) => {
    const rolled = rollHistogram(makeDice(seed)).withHint(noReset).compact()
    const columns = new HistogramColumns()
    columns.pushHistogram(1, 0, nativeOfHistogram(rolled), noReset)
    const read = histogramOfColumns(columns, 0)
    expect([areEqual(read, rolled), read.hint]).toEqual([true, noReset])
  })
})
