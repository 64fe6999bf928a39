import { customBucketsSchema } from '@narthex/model/native-histogram'
import { describe, expect, it } from 'vitest'
import { addHistograms } from './combine-histograms.ts'
import { HistogramAverage } from './histogram-average.ts'
import { HistogramSum } from './histogram-sum.ts'
import { buckets, histogram, makeDice, rollHistogram, show } from '../testing/histograms.ts'

describe('HistogramSum', () => {
  it('keeps small numbers beside large ones that cancel out, in every field', () => {
    const at = (value: number) => histogram({ count: value, sum: value, zeroCount: value, positive: buckets(0, value) })
    const sum = new HistogramSum(at(1))
    for (const value of [1e100, 1, -1e100]) sum.add(at(value))
    const { count, sum: total, zeroCount, positive } = sum.total
    expect([count, total, zeroCount, show(positive)]).toEqual([2, 2, 2, '0=2'])
  })

  it('keeps what was lost when later histograms are coarser', () => {
    const sum = new HistogramSum(histogram({ schema: 1, positive: buckets(1, 1, 1) }))
    sum.add(histogram({ schema: 1, positive: buckets(1, 1e100, 1) }))
    sum.add(histogram({ schema: 0, positive: buckets(1, -1e100) }))
    expect(show(sum.total.positive)).toBe('1=3')
  })

  it('stays infinite, not NaN, when it is made coarser', () => {
    const sum = new HistogramSum(histogram({ schema: 1, count: Infinity, positive: buckets(1, Infinity, 1) }))
    sum.add(histogram({ count: 1, positive: buckets(1, 1) }))
    expect([sum.total.count, show(sum.total.positive)]).toEqual([Infinity, '1=Infinity'])
  })

  it('refuses the other kind of buckets and stays as it was', () => {
    const sum = new HistogramSum(histogram({ count: 3 }))
    expect([sum.add(histogram({ schema: customBucketsSchema, count: 1 })), sum.total.count]).toEqual([false, 3])
  })

  it.each(Array.from({ length: 100 }, (_, i) => i))('is that of plain additions of whole numbers (seed %i)', (seed) => {
    const dice = makeDice(seed)
    const isCustom = dice(2) === 0
    const all = Array.from({ length: 6 }, () => rollHistogram(dice, isCustom))
    const sum = new HistogramSum(all[0]!)
    let plain = all[0]!
    for (const one of all.slice(1)) {
      sum.add(one)
      plain = addHistograms(plain, one)!.histogram
    }
    const total = sum.total.compact()
    const wanted = plain.compact()
    expect([total.schema, total.zeroThreshold, total.zeroCount, total.count, total.sum]).toEqual([
      wanted.schema,
      wanted.zeroThreshold,
      wanted.zeroCount,
      wanted.count,
      wanted.sum,
    ])
    expect([show(total.positive), show(total.negative)]).toEqual([show(wanted.positive), show(wanted.negative)])
  })
})

describe('HistogramAverage', () => {
  it('is the histogram itself of one', () => {
    const only = histogram({ count: 4, sum: 5, positive: buckets(0, 1, 2, 1) })
    expect(show(new HistogramAverage(only).average.positive)).toBe('0=1 1=2 2=1')
  })

  it('does not overflow where the sum does', () => {
    const average = new HistogramAverage(histogram({ count: 1.5e308, sum: 1 }))
    for (const count of [1.5e308, 0]) average.add(histogram({ count, sum: 4 }))
    expect(average.average.count / 1e308).toBeCloseTo(1, 12)
    expect(average.average.sum).toBeCloseTo(3, 12)
  })
})
