import { findBound } from '@narthex/model/bucket-bounds'
import { lossOfSum } from '../functions/kahan.ts'
import { isSameBounds } from '@narthex/model/histogram-layout'
import type { BucketList } from './bucket-list.ts'
import { dropFirst, reindexBuckets } from './bucket-list.ts'
import type { FloatHistogram } from './float-histogram.ts'

/** What two histograms must have in common to be added bucket by bucket. */
export interface CommonLayout {
  readonly schema: number
  readonly zeroThreshold: number
  readonly customValues: readonly number[]
}

/** The finest layout that both fit into: the coarser schema, the wider zero bucket, the shared bounds. undefined: custom and exponential buckets. */
export function findCommonLayout(a: FloatHistogram, b: FloatHistogram): CommonLayout | undefined {
  if (a.usesCustomBuckets !== b.usesCustomBuckets) return undefined
  if (a.usesCustomBuckets) {
    const customValues = isSameBounds(a.customValues, b.customValues) ? a.customValues : intersect(a.customValues, b.customValues)
    return { schema: a.schema, zeroThreshold: a.zeroThreshold, customValues }
  }
  return { schema: Math.min(a.schema, b.schema), zeroThreshold: findCommonThreshold(a, b), customValues: a.customValues }
}

/** The wider threshold, moved outwards where it would cut through a bucket with observations of either. */
function findCommonThreshold(a: FloatHistogram, b: FloatHistogram): number {
  let ofA = a.zeroThreshold
  let ofB = b.zeroThreshold
  while (ofA !== ofB) {
    if (ofA > ofB) ofB = widenThreshold(b, ofA)
    if (ofB > ofA) ofA = widenThreshold(a, ofB)
  }
  return ofA
}

/** The least threshold from `wanted` on that cuts through no bucket with observations. */
export function widenThreshold(histogram: FloatHistogram, wanted: number): number {
  const { schema, positive, negative, zeroThreshold } = histogram
  if (wanted === zeroThreshold) return wanted
  let threshold = wanted
  for (;;) {
    const before = threshold
    for (const { indexes, counts } of [positive, negative]) {
      for (let i = 0; i < indexes.length && findBound(indexes[i]! - 1, schema, []) < threshold; i++) {
        const upper = findBound(indexes[i]!, schema, [])
        if (upper > threshold && counts[i] !== 0) threshold = upper
      }
    }
    if (threshold === before) return threshold
  }
}

/** What rounding took when buckets became one, by their place in the new lists. */
export interface LayoutLosses {
  zeroCount: number
  readonly positive: Float64Array
  readonly negative: Float64Array
}

/** The same observations in a coarser layout, which `findCommonLayout` gave or which at least cuts through no bucket with observations. */
export function changeLayout(histogram: FloatHistogram, layout: CommonLayout, losses?: LayoutLosses): FloatHistogram {
  const { schema, zeroThreshold, customValues } = histogram
  if (histogram.usesCustomBuckets) {
    if (isSameBounds(customValues, layout.customValues)) return histogram
    const indexOf = (index: number) => firstBoundFrom(layout.customValues, customValues[index] ?? Infinity)
    return histogram.with({ customValues: layout.customValues, positive: reindexBuckets(histogram.positive, indexOf, losses?.positive) })
  }
  if (schema === layout.schema && zeroThreshold === layout.zeroThreshold) return histogram
  let { positive, negative, zeroCount } = histogram
  if (layout.zeroThreshold > zeroThreshold) {
    const [insidePositive, insideNegative] = [positive, negative].map((list) => countInside(list, schema, layout.zeroThreshold))
    for (const count of [...positive.counts.subarray(0, insidePositive), ...negative.counts.subarray(0, insideNegative)]) {
      if (losses !== undefined) losses.zeroCount += lossOfSum(zeroCount, count, zeroCount + count)
      zeroCount += count
    }
    positive = dropFirst(positive, insidePositive!)
    negative = dropFirst(negative, insideNegative!)
  }
  if (layout.schema < schema) {
    const difference = schema - layout.schema
    const indexOf = (index: number) => ((index - 1) >> difference) + 1
    positive = reindexBuckets(positive, indexOf, losses?.positive)
    negative = reindexBuckets(negative, indexOf, losses?.negative)
  }
  return histogram.with({ schema: layout.schema, zeroThreshold: layout.zeroThreshold, zeroCount, positive, negative })
}

/** Buckets that begin below the threshold. */
function countInside({ indexes }: BucketList, schema: number, threshold: number): number {
  let inside = 0
  while (inside < indexes.length && findBound(indexes[inside]! - 1, schema, []) < threshold) inside++
  return inside
}

/** Bounds that both have. */
function intersect(a: readonly number[], b: readonly number[]): readonly number[] {
  const shared: number[] = []
  let at = 0
  for (const bound of a) {
    while (at < b.length && b[at]! < bound) at++
    if (b[at] === bound) shared.push(bound)
  }
  return shared
}

function firstBoundFrom(bounds: readonly number[], wanted: number): number {
  let index = 0
  while (index < bounds.length && bounds[index]! < wanted) index++
  return index
}
