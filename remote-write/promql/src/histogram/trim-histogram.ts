import { findBound } from '@narthex/model/bucket-bounds'
import type { BucketList } from './bucket-list.ts'
import type { FloatHistogram } from './float-histogram.ts'
import { fractionBelow } from './histogram-statistics.ts'

/** What is left of one bucket, and the interval that it lies in. */
interface Remainder {
  readonly count: number
  readonly lower: number
  readonly upper: number
}

/**
 * Keeps the observations below a value (`keepsBelow`) or above it. A bucket that the value lies in is shared out as a quantile would be; of one without
 * end only all or nothing can be kept. Count and sum are then estimated from what is left.
 */
export function trimHistogram(histogram: FloatHistogram, value: number, keepsBelow: boolean): FloatHistogram {
  const { schema, zeroThreshold, customValues, usesCustomBuckets } = histogram
  let count = 0
  let sum = 0
  let isTrimmed = false
  const trim = (bucketCount: number, lower: number, upper: number, isLinear: boolean): number => {
    if (bucketCount === 0) return 0
    const left = trimBucket({ count: bucketCount, lower, upper }, value, keepsBelow, isLinear)
    if (left.count !== bucketCount) isTrimmed = true
    count += left.count
    if (left.count !== 0) sum += left.count * middleOf(left, isLinear)
    return left.count
  }
  const trimList = ({ indexes, counts }: BucketList, sign: 1 | -1): BucketList => ({
    indexes,
    counts: counts.map((bucketCount, i) => {
      const near = findBound(indexes[i]! - 1, schema, customValues)
      const far = findBound(indexes[i]!, schema, customValues)
      return sign === 1 ? trim(bucketCount, near, far, usesCustomBuckets) : trim(bucketCount, -far, -near, usesCustomBuckets)
    }),
  })
  const positive = trimList(histogram.positive, 1)
  const negative = trimList(histogram.negative, -1)
  const hasPositive = histogram.positive.counts.some((bucketCount) => bucketCount !== 0)
  const hasNegative = histogram.negative.counts.some((bucketCount) => bucketCount !== 0)
  const zeroLower = hasPositive && !hasNegative ? 0 : -zeroThreshold
  const zeroUpper = hasNegative && !hasPositive ? 0 : zeroThreshold
  // As in Prometheus, a zero bucket of less than nothing is left as it is, and not counted.
  const zeroCount = histogram.zeroCount < 0 ? histogram.zeroCount : trim(histogram.zeroCount, zeroLower, zeroUpper, true)
  // As in Prometheus, the zero bucket is shared out by NaN, and with it everything.
  if (Number.isNaN(value) && zeroCount !== histogram.zeroCount) {
    return histogram.with({ positive, negative, zeroCount: NaN, count: NaN, sum: NaN }).compact()
  }
  return isTrimmed ? histogram.with({ positive, negative, zeroCount, count, sum }).compact() : histogram
}

function trimBucket(bucket: Remainder, value: number, keepsBelow: boolean, isLinear: boolean): Remainder {
  const { count, upper } = bucket
  // Nothing lies on either side of NaN.
  if (Number.isNaN(value)) return { ...bucket, count: 0 }
  if (value === -Infinity || value === Infinity) return keepsBelow === value > 0 ? bucket : { ...bucket, count: 0 }
  let { lower } = bucket
  if (lower === -Infinity && upper !== Infinity && isLinear) {
    // The lowest custom bucket begins at zero if it ends above, else nowhere.
    if (keepsBelow && upper <= 0) return { count, lower, upper: Math.min(upper, value) }
    if (upper <= 0 || value < 0) return { count: 0, lower, upper }
    lower = 0
  }
  if (keepsBelow ? upper <= value : lower >= value) return bucket
  if (keepsBelow ? lower >= value : upper <= value) return { count: 0, lower, upper }
  if (upper === Infinity) return keepsBelow || lower === -Infinity ? { count: 0, lower, upper } : { count, lower: value, upper }
  const below = count * fractionBelow(value, { lower, upper }, isLinear)
  return keepsBelow ? { count: below, lower, upper: value } : { count: count - below, lower: value, upper }
}

/** Where a bucket's observations are taken to be. */
function middleOf({ lower, upper }: Remainder, isLinear: boolean): number {
  if (lower === -Infinity) {
    if (upper === Infinity) return 0
    return upper > 0 ? upper / 2 : upper
  }
  if (upper === Infinity) return lower
  if (isLinear) return (lower + upper) / 2
  return Math.sqrt(Math.abs(lower * upper)) * (upper > 0 ? 1 : -1)
}
