import { isSameBounds } from '@narthex/model/histogram-layout'
import { counterReset, noReset } from '@narthex/model/reset-hint'
import type { BucketList } from './bucket-list.ts'
import type { FloatHistogram } from './float-histogram.ts'
import { changeLayout, findCommonLayout, widenThreshold } from './histogram-layout.ts'

/** True if the counter began anew between the two: as the storage noted it, or because some number of it fell. */
export function isReset(histogram: FloatHistogram, previous: FloatHistogram): boolean {
  if (histogram.hint === counterReset) return true
  if (histogram.hint === noReset) return false
  return hasFallen(histogram, previous)
}

/** Compares the numbers alone. A layout that became finer can only be that of a new counter. */
export function hasFallen(histogram: FloatHistogram, previous: FloatHistogram): boolean {
  if (histogram.count < previous.count || histogram.usesCustomBuckets !== previous.usesCustomBuckets) return true
  if (histogram.usesCustomBuckets) {
    if (isSameBounds(histogram.customValues, previous.customValues)) return anyFell(histogram.positive, previous.positive)
    const layout = findCommonLayout(histogram, previous)!
    return anyFell(changeLayout(histogram, layout).positive, changeLayout(previous, layout).positive)
  }
  if (histogram.schema > previous.schema || histogram.zeroThreshold < previous.zeroThreshold) return true
  // A zero bucket that ends amid observations of before is another one.
  if (widenThreshold(previous, histogram.zeroThreshold) !== histogram.zeroThreshold) return true
  const before = changeLayout(previous, histogram)
  return (
    histogram.zeroCount < before.zeroCount || anyFell(histogram.positive, before.positive) || anyFell(histogram.negative, before.negative)
  )
}

function anyFell(current: BucketList, previous: BucketList): boolean {
  let at = 0
  for (let i = 0; i < previous.indexes.length; i++) {
    const index = previous.indexes[i]!
    const count = previous.counts[i]!
    while (at < current.indexes.length && current.indexes[at]! < index) at++
    if (current.indexes[at] === index ? current.counts[at]! < count : count !== 0) return true
  }
  return false
}
