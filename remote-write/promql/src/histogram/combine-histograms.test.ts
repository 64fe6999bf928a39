import { customBucketsSchema } from '@narthex/model/native-histogram'
import { counterReset, gaugeHistogram, noReset, unknownReset } from '@narthex/model/reset-hint'
import { describe, expect, it } from 'vitest'
import { addHistograms, areConflicting, combineHints, subtractHistograms } from './combine-histograms.ts'
import { buckets, histogram, makeDice, rollHistogram, show } from '../testing/histograms.ts'

function sumOf(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

describe('addHistograms', () => {
  it('takes the coarser schema: buckets 1 and 2 of schema 1 are bucket 1 of schema 0', () => {
    const fine = histogram({ schema: 1, positive: buckets(-1, 1, 2, 4, 8, 16) })
    const { histogram: sum } = addHistograms(fine, histogram({ schema: 0, positive: buckets(1, 100) }))!
    expect([sum.schema, show(sum.positive)]).toEqual([0, '0=3 1=112 2=16'])
  })

  it('takes the wider zero bucket and what it covers', () => {
    const wide = histogram({ zeroThreshold: 2, zeroCount: 1 })
    const narrow = histogram({ zeroThreshold: 0.5, zeroCount: 10, positive: buckets(0, 1, 2, 4), negative: buckets(1, 8, 16) })
    const { histogram: sum } = addHistograms(wide, narrow)!
    expect([sum.zeroThreshold, sum.zeroCount, show(sum.positive), show(sum.negative)]).toEqual([2, 1 + 10 + 1 + 2 + 8, '2=4', '2=16'])
  })

  it('widens a zero bucket on to the end of a populated bucket that it would cut', () => {
    const wide = histogram({ zeroThreshold: 3, zeroCount: 1 })
    const cut = histogram({ positive: buckets(2, 4), negative: buckets(3, 5) })
    const { histogram: sum } = addHistograms(cut, wide)!
    expect([sum.zeroThreshold, sum.zeroCount, show(sum.negative)]).toEqual([4, 5, '3=5'])
    const uncut = addHistograms(histogram({ positive: buckets(2, 0) }), wide)!.histogram
    expect([uncut.zeroThreshold, uncut.zeroCount]).toEqual([3, 1])
  })

  it('keeps the custom bounds that both have, and says so', () => {
    const a = histogram({ schema: customBucketsSchema, customValues: [1, 2, 3], positive: buckets(0, 1, 2, 4, 8) })
    const b = histogram({ schema: customBucketsSchema, customValues: [2, 5], positive: buckets(0, 10, 20, 40) })
    const { histogram: sum, reconciledBounds } = addHistograms(a, b)!
    expect([sum.customValues, show(sum.positive), reconciledBounds]).toEqual([[2], '0=13 1=72', true])
    expect(addHistograms(a, a)!.reconciledBounds).toBe(false)
  })

  it('does not add custom to exponential buckets', () => {
    expect(addHistograms(histogram({}), histogram({ schema: customBucketsSchema }))).toBeUndefined()
  })

  it.each(Array.from({ length: 200 }, (_, i) => i))('loses no observation and is the same the other way round (seed %i)', (seed) => {
    const dice = makeDice(seed)
    const isCustom = dice(3) === 0
    const [a, b] = [rollHistogram(dice, isCustom), rollHistogram(dice, isCustom)]
    const { histogram: sum } = addHistograms(a, b)!
    const { histogram: other } = addHistograms(b, a)!
    expect(sumOf(sum.positive.counts) + sumOf(sum.negative.counts) + sum.zeroCount).toBe(a.count + b.count)
    for (const key of ['schema', 'zeroThreshold', 'zeroCount', 'count', 'sum', 'customValues'] as const)
      expect(other[key]).toEqual(sum[key])
    expect(show(other.compact().positive)).toBe(show(sum.compact().positive))
    expect(show(other.compact().negative)).toBe(show(sum.compact().negative))
    const { histogram: back } = subtractHistograms(sum, b)!
    const { histogram: kept } = addHistograms(a, sum.times(0))!
    expect([back.count, back.zeroCount, show(back.compact().positive)]).toEqual([a.count, kept.zeroCount, show(kept.compact().positive)])
  })
})

describe('hints', () => {
  it('of a sum are those of both, or unknown, or a gauge', () => {
    expect(combineHints(noReset, noReset)).toBe(noReset)
    expect(combineHints(noReset, unknownReset)).toBe(unknownReset)
    expect(combineHints(noReset, counterReset)).toBe(unknownReset)
    expect(combineHints(counterReset, gaugeHistogram)).toBe(gaugeHistogram)
    expect([areConflicting(noReset, counterReset), areConflicting(counterReset, unknownReset)]).toEqual([true, false])
  })

  it('of a difference and of a negative multiple are those of a gauge', () => {
    const counter = histogram({ hint: noReset, count: 3 })
    expect(subtractHistograms(counter, counter)!.histogram.isGauge).toBe(true)
    expect([counter.times(-1).isGauge, counter.times(2).hint, counter.dividedBy(-2).isGauge]).toEqual([true, noReset, true])
  })
})

describe('FloatHistogram', () => {
  it('loses its buckets divided by zero', () => {
    const divided = histogram({ count: 3, sum: -1, zeroCount: 1, positive: buckets(0, 2) }).dividedBy(0)
    expect([divided.count, divided.sum, divided.zeroCount, divided.positive.counts.length]).toEqual([Infinity, -Infinity, Infinity, 0])
  })

  it('counts as many samples as Prometheus takes memory for it', () => {
    expect(histogram({}).sampleCount).toBe(11)
    // Three spans of 8 bytes and five buckets of 8.
    const large = histogram({ positive: { indexes: Int32Array.of(1, 2, 5), counts: new Float64Array(3) }, negative: buckets(0, 1, 2) })
    expect(large.sampleCount).toBe(15)
  })
})
