import { isSameBounds } from '@narthex/model/histogram-layout'
import type { BucketList } from './bucket-list.ts'
import { haveSameIndexes } from './bucket-list.ts'
import type { FloatHistogram } from './float-histogram.ts'

/** Equal in every number and in the layout; what is known of resets does not count. */
export function areEqual(a: FloatHistogram, b: FloatHistogram): boolean {
  if (a === b) return true
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    isSameBounds(a.customValues, b.customValues) &&
    areSameBuckets(a.positive, b.positive) &&
    areSameBuckets(a.negative, b.negative)
  )
}

function areSameBuckets(a: BucketList, b: BucketList): boolean {
  return haveSameIndexes(a, b) && a.counts.every((count, i) => Object.is(count, b.counts[i]))
}
