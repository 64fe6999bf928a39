import { KahanSum } from '../functions/kahan.ts'
import type { FloatHistogram } from './float-histogram.ts'
import type { Bucket } from './bucket-table.ts'
import { listBuckets, narrowZeroBucket } from './bucket-table.ts'

/** A number estimated from buckets. `nan`: how NaN observations, which are in no bucket, touch it. */
export interface Estimate {
  readonly value: number
  readonly nan: 'none' | 'isResult' | 'skews'
}

const plain = (value: number): Estimate => ({ value, nan: 'none' })

/**
 * φ-quantile: interpolated exponentially inside exponential buckets, linearly inside custom ones and the zero bucket. Out of [0, 1]: ∓Inf; NaN
 * without observations.
 */
export function quantileOfHistogram(quantile: number, histogram: FloatHistogram): Estimate {
  if (quantile < 0) return plain(-Infinity)
  if (quantile > 1) return plain(Infinity)
  if (histogram.count === 0 || Number.isNaN(quantile)) return plain(NaN)
  const buckets = listBuckets(histogram)
  if (buckets.length === 0) return Number.isNaN(histogram.sum) ? { value: NaN, nan: 'isResult' } : plain(NaN)
  // NaN observations stand above all others, so that ranks count from below.
  const mayHaveNaN = Number.isNaN(histogram.sum)
  const fromBelow = mayHaveNaN || quantile < 0.5
  let rank = (fromBelow ? quantile : 1 - quantile) * histogram.count
  let count = 0
  let bucket: Bucket = buckets[0]!
  for (let i = 0; i < buckets.length; i++) {
    bucket = buckets[fromBelow ? i : buckets.length - 1 - i]!
    count += bucket.count
    if (count >= rank) break
  }
  narrowZeroBucket(bucket, histogram)
  const nan = mayHaveNaN && hasNaN(histogram, buckets) ? 'skews' : 'none'
  if (histogram.usesCustomBuckets) {
    if (bucket.lower === -Infinity) {
      if (bucket.upper <= 0) return plain(bucket.upper)
      bucket.lower = 0
    } else if (bucket.upper === Infinity) return plain(bucket.lower)
  }
  // Rounding may make the buckets more than the whole.
  if (count > histogram.count) count = histogram.count
  if (count < rank) return mayHaveNaN ? { value: NaN, nan: 'isResult' } : plain(bucket.upper)
  rank = fromBelow ? rank - (count - bucket.count) : count - rank
  return { value: interpolate(bucket, rank / bucket.count, histogram), nan }
}

function interpolate({ lower, upper }: Bucket, fraction: number, { usesCustomBuckets }: FloatHistogram): number {
  if (usesCustomBuckets || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction)
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)))
}

function hasNaN(histogram: FloatHistogram, buckets: readonly Bucket[]): boolean {
  return countObservations(buckets) < histogram.count
}

function countObservations(buckets: readonly Bucket[]): number {
  let observations = 0
  for (const { count } of buckets) observations += count
  return observations
}

/** Share of observations between two values; NaN without observations. NaN observations are in no share. */
export function fractionOfHistogram(lower: number, upper: number, histogram: FloatHistogram): Estimate {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return plain(NaN)
  if (lower >= upper) return plain(0)
  const buckets = listBuckets(histogram)
  const mayHaveNaN = Number.isNaN(histogram.sum)
  const countMax = mayHaveNaN ? countObservations(buckets) : histogram.count
  for (const bucket of buckets) {
    narrowZeroBucket(bucket, histogram)
    // As of classic histograms.
    if (histogram.usesCustomBuckets && bucket.lower === -Infinity && bucket.upper > 0) bucket.lower = 0
  }
  const below = (value: number) => Math.min(countBelow(value, buckets, histogram) ?? countMax, countMax)
  const value = (below(upper) - below(lower)) / histogram.count
  return { value, nan: mayHaveNaN && countMax < histogram.count ? 'skews' : 'none' }
}

/** undefined: all. */
function countBelow(value: number, buckets: readonly Bucket[], { usesCustomBuckets }: FloatHistogram): number | undefined {
  let rank = 0
  for (const bucket of buckets) {
    const { lower, upper, count } = bucket
    if (lower >= value) return rank
    if (upper > value) return rank + count * fractionBelow(value, bucket, usesCustomBuckets || bucket.isZero)
    rank += count
  }
  return undefined
}

/** Which share of a bucket lies below a value inside it. Nothing can be said of the inside of an infinite one. */
export function fractionBelow(value: number, { lower, upper }: { lower: number; upper: number }, isLinear: boolean): number {
  if (isLinear) return lower === -Infinity ? 1 : (value - lower) / (upper - lower)
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  const logValue = Math.log2(Math.abs(value))
  return value > 0 ? (logValue - logLower) / (logUpper - logLower) : 1 - (logValue - logUpper) / (logLower - logUpper)
}

/** Variance with all observations of a bucket in its middle: the geometric one of exponential buckets, zero of the zero bucket. */
export function varianceOfHistogram(histogram: FloatHistogram): number {
  const mean = histogram.sum / histogram.count
  const variance = new KahanSum()
  for (const { lower, upper, count } of listBuckets(histogram)) {
    let middle = 0
    if (histogram.usesCustomBuckets) middle = (upper + lower) / 2
    else if (lower > 0 || upper < 0) middle = Math.sqrt(upper * lower) * (upper < 0 ? -1 : 1)
    const delta = middle - mean
    variance.add(count * delta * delta)
  }
  return variance.total / histogram.count
}
