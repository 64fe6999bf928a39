import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'

/** Bounds of the exponential schemas: bases 2^16 and 2^(1/256). */
export const schemaMin = -4
export const schemaMax = 8

/** `native_histogram_bucket_limit` and `native_histogram_min_bucket_factor` of a job. */
export interface HistogramLimits {
  /** Buckets, positive and negative together; 0 = no limit. */
  readonly bucketLimit: number
  /** Finer schemas are reduced to this one. */
  readonly schemaMax: number
}

/** The finest schema whose buckets grow by at least this factor from one to the next; 1 and less stand for the finest there is. */
export function schemaOfFactor(bucketFactor: number): number {
  const factor = bucketFactor <= 1 ? 1.00271 : bucketFactor
  return Math.min(schemaMax, Math.max(schemaMin, Math.floor(0 - Math.log2(Math.log2(factor)))))
}

/** The histogram within the limits, with wider buckets if need be; undefined when even the widest are too many, or its bounds are its own. */
export function limitHistogram(
  histogram: NativeHistogram,
  { bucketLimit, schemaMax: finest }: HistogramLimits,
): NativeHistogram | undefined {
  const isExponential = histogram.schema !== customBucketsSchema
  let limited = isExponential && histogram.schema > finest ? reduceResolution(histogram, finest) : histogram
  while (bucketLimit > 0 && countBuckets(limited) > bucketLimit) {
    if (!isExponential || limited.schema <= schemaMin) return undefined
    limited = reduceResolution(limited, limited.schema - 1)
  }
  return limited
}

function countBuckets(histogram: NativeHistogram): number {
  const { isFloat, positiveCounts, negativeCounts, positiveDeltas, negativeDeltas } = histogram
  return isFloat ? positiveCounts.length + negativeCounts.length : positiveDeltas.length + negativeDeltas.length
}

/** The same observations in the buckets of a coarser exponential schema. */
export function reduceResolution(histogram: NativeHistogram, schema: number): NativeHistogram {
  const { isFloat } = histogram
  const shift = histogram.schema - schema
  const positive = mergeBuckets(histogram.positiveSpans, isFloat ? histogram.positiveCounts : sumDeltas(histogram.positiveDeltas), shift)
  const negative = mergeBuckets(histogram.negativeSpans, isFloat ? histogram.negativeCounts : sumDeltas(histogram.negativeDeltas), shift)
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveDeltas: isFloat ? [] : makeDeltas(positive.counts),
    negativeDeltas: isFloat ? [] : makeDeltas(negative.counts),
    positiveCounts: isFloat ? positive.counts : [],
    negativeCounts: isFloat ? negative.counts : [],
  }
}

/** Bucket i of a schema is a part of bucket ((i - 1) >> shift) + 1 of the one that is `shift` coarser. */
function mergeBuckets(
  spans: readonly BucketSpan[],
  counts: readonly number[],
  shift: number,
): { readonly spans: BucketSpan[]; readonly counts: number[] } {
  const merged: number[] = []
  const mergedSpans: { offset: number; length: number }[] = []
  let index = 0
  let at = 0
  let last = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length && at < counts.length; i++, index++) {
      const target = ((index - 1) >> shift) + 1
      const count = counts[at++]!
      if (merged.length > 0 && target === last) {
        merged[merged.length - 1]! += count
        continue
      }
      const span = mergedSpans.at(-1)
      if (span !== undefined && target === last + 1) span.length++
      else mergedSpans.push({ offset: span === undefined ? target : target - last - 1, length: 1 })
      merged.push(count)
      last = target
    }
  }
  return { spans: mergedSpans, counts: merged }
}

function sumDeltas(deltas: readonly number[]): number[] {
  let count = 0
  return deltas.map((delta) => (count += delta))
}

function makeDeltas(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (i === 0 ? 0 : counts[i - 1]!))
}
