import type { BucketSpan } from './native-histogram.ts'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from './stale.ts'

/** What many histograms of a series have in common: those of one chunk all do, but for stale ones. */
export interface HistogramLayout {
  readonly isFloat: boolean
  readonly schema: number
  readonly zeroThreshold: number
  readonly positiveSpans: readonly BucketSpan[]
  readonly negativeSpans: readonly BucketSpan[]
  /** Upper bounds without +Inf; empty unless the schema is `customBucketsSchema`. */
  readonly customValues: readonly number[]
  /** Sums of the spans' lengths. */
  readonly positiveBuckets: number
  readonly negativeBuckets: number
}

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

const emptyIntegerLayout = makeLayout(false, 0, 0, [], [], [])
const emptyFloatLayout = makeLayout(true, 0, 0, [], [], [])

/** What a stale sample has. */
export function emptyLayout(isFloat: boolean): HistogramLayout {
  return isFloat ? emptyFloatLayout : emptyIntegerLayout
}

export function makeLayout(
  isFloat: boolean,
  schema: number,
  zeroThreshold: number,
  positiveSpans: readonly BucketSpan[],
  negativeSpans: readonly BucketSpan[],
  customValues: readonly number[],
): HistogramLayout {
  return {
    isFloat,
    schema,
    zeroThreshold,
    positiveSpans,
    negativeSpans,
    customValues,
    positiveBuckets: countBuckets(positiveSpans),
    negativeBuckets: countBuckets(negativeSpans),
  }
}

export function countBuckets(spans: readonly BucketSpan[]): number {
  let count = 0
  for (const { length } of spans) count += length
  return count
}

export function isSameBounds(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((bound, i) => bound === b[i]))
}

export function hasSameSpans(a: readonly BucketSpan[], b: readonly BucketSpan[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i]!.length !== b[i]!.length || a[i]!.offset !== b[i]!.offset) return false
  return true
}

export function isSameLayout(a: HistogramLayout, b: HistogramLayout): boolean {
  return (
    a === b ||
    (a.isFloat === b.isFloat &&
      a.schema === b.schema &&
      a.zeroThreshold === b.zeroThreshold &&
      isSameBounds(a.customValues, b.customValues) &&
      hasSameSpans(a.positiveSpans, b.positiveSpans) &&
      hasSameSpans(a.negativeSpans, b.negativeSpans))
  )
}

/** Puts a number as 64 bits; NaN as the one that Prometheus stores. */
export function splitFloat(value: number, into: Uint32Array): void {
  float[0] = value
  into[0] = value === value ? words[0]! : NORMAL_NAN_LOW
  into[1] = value === value ? words[1]! : NORMAL_NAN_HIGH
}
