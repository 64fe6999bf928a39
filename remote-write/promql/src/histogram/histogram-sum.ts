import { isSameBounds } from '@narthex/model/histogram-layout'
import { lossOfSum } from '../functions/kahan.ts'
import type { BucketList } from './bucket-list.ts'
import { mapCounts, spreadBuckets } from './bucket-list.ts'
import { combineHints } from './combine-histograms.ts'
import type { CommonLayout, LayoutLosses } from './histogram-layout.ts'
import { changeLayout, findCommonLayout } from './histogram-layout.ts'
import type { FloatHistogram } from './float-histogram.ts'

/** What was lost of a sum by rounding: its part of every number of the histogram. */
type Rest = FloatHistogram

/** Adds up histograms, each of their numbers by Neumaier's compensated sum as `KahanSum` does. */
export class HistogramSum {
  #sum: FloatHistogram
  /** Has the buckets of the sum; undefined while nothing was lost. */
  #rest: Rest | undefined
  /** Custom bounds differed in some addition. */
  reconciledBounds = false

  constructor(first: FloatHistogram) {
    this.#sum = first
  }

  /** False, and nothing is added: one has custom buckets, the other exponential ones. */
  add(histogram: FloatHistogram): boolean {
    const layout = findCommonLayout(this.#sum, histogram)
    if (layout === undefined) return false
    if (this.#sum.usesCustomBuckets && !isSameBounds(this.#sum.customValues, histogram.customValues)) this.reconciledBounds = true
    this.#addAligned(histogram, layout)
    return true
  }

  #addAligned(histogram: FloatHistogram, layout: CommonLayout): void {
    const { sum, rest } = this.#changeLayout(layout)
    const added = changeLayout(histogram, layout)
    const positive = addLists(sum.positive, rest?.positive, added.positive)
    const negative = addLists(sum.negative, rest?.negative, added.negative)
    const zeroCount = sum.zeroCount + added.zeroCount
    const count = sum.count + added.count
    const total = sum.sum + added.sum
    this.#rest = sum.with({
      zeroCount: restOf(sum.zeroCount, added.zeroCount, zeroCount, rest?.zeroCount ?? 0),
      count: restOf(sum.count, added.count, count, rest?.count ?? 0),
      sum: restOf(sum.sum, added.sum, total, rest?.sum ?? 0),
      positive: positive.rest,
      negative: negative.rest,
    })
    this.#sum = sum.with({
      zeroCount,
      count,
      sum: total,
      positive: positive.sum,
      negative: negative.sum,
      hint: combineHints(this.#sum.hint, histogram.hint),
    })
  }

  #changeLayout(layout: CommonLayout): { sum: FloatHistogram; rest: Rest | undefined } {
    const before = this.#sum
    const losses: LayoutLosses = {
      zeroCount: 0,
      positive: new Float64Array(before.positive.counts.length),
      negative: new Float64Array(before.negative.counts.length),
    }
    const sum = changeLayout(before, layout, losses)
    if (sum === before) return { sum, rest: this.#rest }
    const rest = changeLayout(this.#rest ?? zerosOf(before), layout)
    const withLosses = (list: BucketList, lost: Float64Array): BucketList => {
      return { indexes: list.indexes, counts: list.counts.map((count, i) => count + lost[i]!) }
    }
    return {
      sum,
      rest: rest.with({
        zeroCount: rest.zeroCount + losses.zeroCount,
        positive: withLosses(rest.positive, losses.positive),
        negative: withLosses(rest.negative, losses.negative),
      }),
    }
  }

  /** Takes the sum and what it lost by a factor. */
  scale(factor: number): void {
    this.#sum = this.#sum.times(factor)
    this.#rest = this.#rest?.times(factor)
  }

  divide(divisor: number): void {
    this.#sum = this.#sum.dividedBy(divisor)
    this.#rest = this.#rest?.dividedBy(divisor)
  }

  /** Some number of it has become infinite. */
  get hasOverflown(): boolean {
    const { count, sum, zeroCount, positive, negative } = this.#sum
    return (
      isInfinite(count) || isInfinite(sum) || isInfinite(zeroCount) || positive.counts.some(isInfinite) || negative.counts.some(isInfinite)
    )
  }

  copy(): HistogramSum {
    const copy = new HistogramSum(this.#sum)
    copy.#rest = this.#rest
    copy.reconciledBounds = this.reconciledBounds
    return copy
  }

  get total(): FloatHistogram {
    const sum = this.#sum
    const rest = this.#rest
    if (rest === undefined) return sum
    return sum.with({
      zeroCount: sum.zeroCount + rest.zeroCount,
      count: sum.count + rest.count,
      sum: sum.sum + rest.sum,
      positive: withRest(sum.positive, rest.positive),
      negative: withRest(sum.negative, rest.negative),
    })
  }
}

/** Not times zero, which makes NaN of what is infinite. */
function zerosOf(histogram: FloatHistogram): FloatHistogram {
  const positive = mapCounts(histogram.positive, () => 0)
  return histogram.with({ zeroCount: 0, count: 0, sum: 0, positive, negative: mapCounts(histogram.negative, () => 0) })
}

function withRest({ indexes, counts }: BucketList, rest: BucketList): BucketList {
  return { indexes, counts: counts.map((count, i) => count + rest.counts[i]!) }
}

function addLists(sum: BucketList, rest: BucketList | undefined, added: BucketList): { sum: BucketList; rest: BucketList } {
  const left = spreadBuckets(sum, added)
  const right = spreadBuckets(added, sum)
  const before = rest === undefined ? undefined : spreadBuckets(rest, added)
  const { indexes } = left
  const counts = new Float64Array(indexes.length)
  const rests = new Float64Array(indexes.length)
  for (let i = 0; i < counts.length; i++) {
    counts[i] = left.counts[i]! + right.counts[i]!
    rests[i] = restOf(left.counts[i]!, right.counts[i]!, counts[i]!, before === undefined ? 0 : before.counts[i]!)
  }
  return { sum: { indexes, counts }, rest: { indexes, counts: rests } }
}

/** What `a + b = total` lost, on top of what was lost before; nothing of an infinite one. */
function restOf(a: number, b: number, total: number, before: number): number {
  return isInfinite(total) ? 0 : before + lossOfSum(a, b, total)
}

function isInfinite(value: number): boolean {
  return value === Infinity || value === -Infinity
}
