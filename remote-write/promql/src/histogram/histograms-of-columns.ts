import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { HistogramLayout } from '@narthex/model/histogram-layout'
import type { BucketSpan } from '@narthex/model/native-histogram'
import { gaugeHistogram, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { FloatHistogram } from './float-histogram.ts'

/** Sample `i` of the columns, which must not be a stale marker. */
export function histogramOfColumns(columns: HistogramColumns, i: number): FloatHistogram {
  const layout = columns.layout(i)
  const { positive, negative } = indexesOf(layout)
  const start = columns.bucketStart(i)
  const middle = start + positive.length
  return new FloatHistogram({
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    zeroCount: columns.zeroCounts[i]!,
    count: columns.counts[i]!,
    sum: columns.sums[i]!,
    positive: { indexes: positive, counts: columns.buckets.slice(start, middle) },
    negative: { indexes: negative, counts: columns.buckets.slice(middle, middle + negative.length) },
    customValues: layout.customValues,
    hint: columns.hints[i]! as ResetHint,
  })
}

/** Samples of one layout share their indexes, so that to compare them costs nothing. */
const indexesByLayout = new WeakMap<HistogramLayout, { positive: Int32Array; negative: Int32Array }>()

function indexesOf(layout: HistogramLayout): { positive: Int32Array; negative: Int32Array } {
  let indexes = indexesByLayout.get(layout)
  if (indexes === undefined) {
    const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = layout
    indexes = { positive: listIndexes(positiveSpans, positiveBuckets), negative: listIndexes(negativeSpans, negativeBuckets) }
    indexesByLayout.set(layout, indexes)
  }
  return indexes
}

function listIndexes(spans: readonly BucketSpan[], count: number): Int32Array {
  const indexes = new Int32Array(count)
  let index = 0
  let at = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) indexes[at++] = index++
  }
  return indexes
}

/** A histogram whose hint speaks of a sample that is not the one before it where it now stands. */
export function forgetResets(histogram: FloatHistogram): FloatHistogram {
  return histogram.hint === gaugeHistogram ? histogram : histogram.withHint(unknownReset)
}
