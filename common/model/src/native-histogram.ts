/** The schema of histograms with custom bucket bounds ("NHCB"). */
export const customBucketsSchema = -53

/** Runs of buckets as Prometheus stores them: the first offset is the first bucket's index, later ones the gap to the run before. */
export interface BucketSpan {
  readonly offset: number
  readonly length: number
}

/**
 * One native histogram sample as the exposition formats, remote write and the storage share it. An integer histogram has bucket counts as
 * deltas in `…Deltas`, a float one absolute counts in `…Counts`; the other two arrays are empty. Counts above 2^53 lose their lowest bits.
 */
export interface NativeHistogram {
  /** -4 to 8: base 2^(2^-schema); `customBucketsSchema`: bounds in `customValues`. */
  readonly schema: number
  readonly isFloat: boolean
  readonly count: number
  readonly sum: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly positiveSpans: readonly BucketSpan[]
  readonly negativeSpans: readonly BucketSpan[]
  readonly positiveDeltas: readonly number[]
  readonly negativeDeltas: readonly number[]
  readonly positiveCounts: readonly number[]
  readonly negativeCounts: readonly number[]
  /** Upper bounds without +Inf, ascending; empty unless the schema is `customBucketsSchema`. */
  readonly customValues: readonly number[]
  /** A gauge histogram has no counter resets. */
  readonly isGauge: boolean
}
