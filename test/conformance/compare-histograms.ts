import type { BucketList } from '@narthex/promql/histogram/bucket-list'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import type { HistogramDescription } from './histogram-description.ts'
import { isClose } from './is-close.ts'

/** Equal within the tolerance of numbers, empty buckets aside; the hint counts only if it is described. */
export function isHistogramClose(got: FloatHistogram, { histogram, hasHint }: HistogramDescription): boolean {
  const actual = got.compact()
  const wanted = histogram.compact()
  return (
    (!hasHint || actual.hint === wanted.hint) &&
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

/** In the notation of the scripts. */
export function describeHistogram(histogram: FloatHistogram): string {
  const { schema, count, sum, zeroCount, zeroThreshold, positive, negative, customValues, hint } = histogram.compact()
  const parts = [`schema:${schema} count:${count} sum:${sum} hint:${hint}`]
  if (zeroCount !== 0 || zeroThreshold !== 0) parts.push(`z_bucket:${zeroCount} z_bucket_w:${zeroThreshold}`)
  if (customValues.length > 0) parts.push(`custom_values:[${customValues.join(' ')}]`)
  for (const [name, { indexes, counts }] of Object.entries({ buckets: positive, n_buckets: negative })) {
    if (counts.length > 0) parts.push(`${name}:[${Array.from(counts, (one, i) => `${indexes[i]}=${one}`).join(' ')}]`)
  }
  return `{{${parts.join(' ')}}}`
}
