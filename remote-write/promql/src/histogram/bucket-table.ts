import { findBound } from '@narthex/model/bucket-bounds'
import type { FloatHistogram } from './float-histogram.ts'

/** One bucket with observations. */
export interface Bucket {
  lower: number
  upper: number
  readonly count: number
  readonly lowerInclusive: boolean
  readonly upperInclusive: boolean
  /** Around zero, as wide as the threshold on both sides. */
  readonly isZero: boolean
}

/**
 * The buckets with observations from the lowest to the highest, for computing and as the API has them: those that reach into the zero bucket end, or
 * begin, where it does, and a zero bucket of less than nothing is none.
 */
export function listBuckets(histogram: FloatHistogram): Bucket[] {
  const buckets = listStoredBuckets(histogram)
  if (histogram.usesCustomBuckets) return buckets
  const { zeroThreshold } = histogram
  for (const bucket of buckets) {
    if (bucket.isZero) continue
    if (bucket.upper < 0) bucket.upper = Math.min(bucket.upper, -zeroThreshold)
    else bucket.lower = Math.max(bucket.lower, zeroThreshold)
  }
  return buckets.filter(({ isZero, count }) => !isZero || count > 0)
}

/** All buckets that hold anything, with their own bounds. */
export function listStoredBuckets(histogram: FloatHistogram): Bucket[] {
  const { schema, zeroThreshold, zeroCount, positive, negative, customValues, usesCustomBuckets } = histogram
  const buckets: Bucket[] = []
  for (let i = negative.indexes.length - 1; i >= 0; i--) {
    const count = negative.counts[i]!
    if (count === 0) continue
    const index = negative.indexes[i]!
    const upper = -findBound(index - 1, schema, customValues)
    const lower = -findBound(index, schema, customValues)
    buckets.push({ lower, upper, count, lowerInclusive: lower < 0, upperInclusive: false, isZero: false })
  }
  // Custom buckets have none: what a factor of infinity makes of nothing does not count.
  if (zeroCount !== 0 && !usesCustomBuckets) {
    const [lower, upper] = [-zeroThreshold, zeroThreshold]
    buckets.push({ lower, upper, count: zeroCount, lowerInclusive: true, upperInclusive: true, isZero: true })
  }
  for (let i = 0; i < positive.indexes.length; i++) {
    const count = positive.counts[i]!
    if (count === 0) continue
    const index = positive.indexes[i]!
    const lower = findBound(index - 1, schema, customValues)
    const upper = findBound(index, schema, customValues)
    const lowerInclusive = usesCustomBuckets && index === 0
    // A bound that is too small for a number is 0, which no such bucket holds.
    buckets.push({ lower, upper, count, lowerInclusive, upperInclusive: usesCustomBuckets || upper > 0, isZero: false })
  }
  return buckets
}

/**
 * The zero bucket of a histogram without negative buckets is taken to begin at zero, and that of one without positive buckets to end there. Changes
 * the bucket in place.
 */
export function narrowZeroBucket(bucket: Bucket, { positive, negative, usesCustomBuckets }: FloatHistogram): void {
  if (usesCustomBuckets || !(bucket.lower < 0 && bucket.upper > 0)) return
  if (negative.counts.length === 0 && positive.counts.length > 0) bucket.lower = 0
  else if (positive.counts.length === 0 && negative.counts.length > 0) bucket.upper = 0
}
