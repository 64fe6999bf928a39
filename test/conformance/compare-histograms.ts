import { unknownReset } from '@narthex/model/reset-hint'
import type { BucketList } from '@narthex/promql/histogram/bucket-list'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { isClose } from './is-close.ts'

/** Equal within the tolerance of numbers, empty buckets aside; a hint counts only if one is wanted. */
export function isHistogramClose(got: FloatHistogram, expected: FloatHistogram): boolean {
  const actual = got.compact()
  const wanted = expected.compact()
  return (
    (wanted.hint === unknownReset || actual.hint === wanted.hint) &&
    actual.schema === wanted.schema &&
    isClose(actual.count, wanted.count) &&
    isClose(actual.sum, wanted.sum) &&
    isClose(actual.zeroThreshold, wanted.zeroThreshold) &&
    isClose(actual.zeroCount, wanted.zeroCount) &&
    actual.customValues.join() === wanted.customValues.join() &&
    areBucketsClose(actual.positive, wanted.positive) &&
    areBucketsClose(actual.negative, wanted.negative)
  )
}

function areBucketsClose(a: BucketList, b: BucketList): boolean {
  return a.indexes.join() === b.indexes.join() && a.counts.every((count, i) => isClose(count, b.counts[i]!))
}
