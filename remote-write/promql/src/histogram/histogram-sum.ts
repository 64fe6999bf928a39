import { isSameBounds } from '@narthex/model/histogram-layout'
import { KahanSum } from '../functions/kahan.ts'
import type { BucketList } from './bucket-list.ts'
import { CompensatedBuckets } from './compensated-buckets.ts'
import { combineHints } from './combine-histograms.ts'
import type { FloatHistogram } from './float-histogram.ts'
import type { CommonLayout, LayoutLosses } from './histogram-layout.ts'
import { changeLayout, findCommonLayout } from './histogram-layout.ts'

/** Adds up histograms, each of their numbers by Neumaier's compensated sum as `KahanSum` does. */
export class HistogramSum {
  /** What is no number that is added up: layout and hint. */
  #shape: FloatHistogram
  #count: KahanSum
  #sum: KahanSum
  #zeroCount: KahanSum
  #positive: CompensatedBuckets
  #negative: CompensatedBuckets
  /** Custom bounds differed in some addition. */
  reconciledBounds = false

  constructor(first: FloatHistogram) {
    this.#shape = first
    this.#count = new KahanSum(first.count)
    this.#sum = new KahanSum(first.sum)
    this.#zeroCount = new KahanSum(first.zeroCount)
    this.#positive = new CompensatedBuckets(first.positive)
    this.#negative = new CompensatedBuckets(first.negative)
  }

  /** False, and nothing is added: one has custom buckets, the other exponential ones. */
  add(histogram: FloatHistogram): boolean {
    let added = histogram
    if (!hasSameLayout(this.#shape, histogram)) {
      const layout = findCommonLayout(this.#sums(), histogram)
      if (layout === undefined) return false
      if (histogram.usesCustomBuckets) this.reconciledBounds = true
      this.#changeLayout(layout)
      added = changeLayout(histogram, layout)
    }
    this.#count.add(added.count)
    this.#sum.add(added.sum)
    this.#zeroCount.add(added.zeroCount)
    this.#positive.add(added.positive)
    this.#negative.add(added.negative)
    this.#shape = this.#shape.withHint(combineHints(this.#shape.hint, histogram.hint))
    return true
  }

  #sums(): FloatHistogram {
    return this.#shape.with({ zeroCount: this.#zeroCount.sum, positive: this.#positive.sums, negative: this.#negative.sums })
  }

  /** Merges buckets; what rounding takes of them goes to what it took before. */
  #changeLayout(layout: CommonLayout): void {
    const before = this.#sums()
    const losses: LayoutLosses = {
      zeroCount: 0,
      positive: new Float64Array(before.positive.counts.length),
      negative: new Float64Array(before.negative.counts.length),
    }
    const sums = changeLayout(before, layout, losses)
    const restsBefore = before.with({
      zeroCount: this.#zeroCount.compensation,
      positive: this.#positive.rests,
      negative: this.#negative.rests,
    })
    const rests = changeLayout(restsBefore, layout)
    this.#shape = sums
    this.#zeroCount.sum = sums.zeroCount
    this.#zeroCount.compensation = rests.zeroCount + losses.zeroCount
    this.#positive = new CompensatedBuckets(sums.positive, withLosses(rests.positive, losses.positive))
    this.#negative = new CompensatedBuckets(sums.negative, withLosses(rests.negative, losses.negative))
  }

  /** Takes the sum, and what it lost, by a factor; not by a negative one. */
  scale(factor: number): void {
    this.#change((value) => value * factor)
  }

  /** Divides the sum, and what it lost, by a positive number. */
  divide(divisor: number): void {
    this.#change((value) => value / divisor)
  }

  #change(compute: (value: number) => number): void {
    for (const part of [this.#count, this.#sum, this.#zeroCount]) {
      part.sum = compute(part.sum)
      part.compensation = compute(part.compensation)
    }
    this.#positive.change(compute)
    this.#negative.change(compute)
  }

  /** Some number of it has become infinite. */
  get hasOverflown(): boolean {
    const isOver = ({ sum }: KahanSum) => sum === Infinity || sum === -Infinity
    return isOver(this.#count) || isOver(this.#sum) || isOver(this.#zeroCount) || this.#positive.hasOverflown || this.#negative.hasOverflown
  }

  copy(): HistogramSum {
    const copy = new HistogramSum(this.#shape)
    for (const [from, to] of [
      [this.#count, copy.#count],
      [this.#sum, copy.#sum],
      [this.#zeroCount, copy.#zeroCount],
    ] as const) {
      to.sum = from.sum
      to.compensation = from.compensation
    }
    copy.#positive = this.#positive.copy()
    copy.#negative = this.#negative.copy()
    copy.reconciledBounds = this.reconciledBounds
    return copy
  }

  get total(): FloatHistogram {
    return this.#shape.with({
      zeroCount: this.#zeroCount.total,
      count: this.#count.total,
      sum: this.#sum.total,
      positive: this.#positive.total,
      negative: this.#negative.total,
    })
  }
}

function withLosses({ indexes, counts }: BucketList, losses: Float64Array): BucketList {
  return { indexes, counts: counts.map((count, i) => count + losses[i]!) }
}

function hasSameLayout(a: FloatHistogram, b: FloatHistogram): boolean {
  return a.schema === b.schema && a.zeroThreshold === b.zeroThreshold && isSameBounds(a.customValues, b.customValues)
}
