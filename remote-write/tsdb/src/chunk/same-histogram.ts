import type { BucketSpan } from '@narthex/model/native-histogram'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { isSameBounds } from '@narthex/model/histogram-layout'

/** Whether two samples say the same, however their buckets are laid out: empty ones count as absent. Hints of resets are not compared, nor that of a gauge. */
export function isSameHistogram(a: HistogramColumns, i: number, b: HistogramColumns, k: number): boolean {
  if (a.sumWords[2 * i] !== b.sumWords[2 * k] || a.sumWords[2 * i + 1] !== b.sumWords[2 * k + 1]) return false
  const one = a.layout(i)
  const other = b.layout(k)
  if (one.isFloat !== other.isFloat) return false
  // A stale marker in a chunk has the layout of its neighbours.
  if (a.isStale(i)) return true
  return (
    one.schema === other.schema &&
    one.zeroThreshold === other.zeroThreshold &&
    Object.is(a.counts[i], b.counts[k]) &&
    Object.is(a.zeroCounts[i], b.zeroCounts[k]) &&
    isSameBounds(one.customValues, other.customValues) &&
    hasSameBuckets(one.positiveSpans, a.buckets, a.bucketStart(i), other.positiveSpans, b.buckets, b.bucketStart(k)) &&
    hasSameBuckets(
      one.negativeSpans,
      a.buckets,
      a.bucketStart(i) + one.positiveBuckets,
      other.negativeSpans,
      b.buckets,
      b.bucketStart(k) + other.positiveBuckets,
    )
  )
}

function hasSameBuckets(
  one: readonly BucketSpan[],
  oneCounts: Float64Array,
  oneStart: number,
  other: readonly BucketSpan[],
  otherCounts: Float64Array,
  otherStart: number,
): boolean {
  const filled = listFilled(other, otherCounts, otherStart)
  const mine = listFilled(one, oneCounts, oneStart)
  return mine.length === filled.length && mine.every((number, at) => Object.is(number, filled[at]))
}

/** Index and count of each bucket that is not empty. */
function listFilled(spans: readonly BucketSpan[], counts: Float64Array, start: number): number[] {
  const filled: number[] = []
  let index = 0
  let at = start
  for (const { offset, length } of spans) {
    index += offset
    for (let n = 0; n < length; n++, index++, at++) if (counts[at] !== 0) filled.push(index, counts[at]!)
  }
  return filled
}
