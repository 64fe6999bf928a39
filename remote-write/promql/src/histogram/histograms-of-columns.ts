import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { HistogramLayout } from '@narthex/model/histogram-layout'
import type { BucketSpan } from '@narthex/model/native-histogram'
import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { hasFallen } from './detect-reset.ts'
import { FloatHistogram } from './float-histogram.ts'

/**
 * Sample `i` of the columns, which must not be a stale marker. That a chunk began with a reset is not told, as in Prometheus: what is asked for
 * need not begin with the sample before it.
 */
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
    hint: toldHint(columns, i),
  })
}

function toldHint({ hints }: HistogramColumns, i: number): ResetHint {
  const hint = hints[i]! as ResetHint
  return hint === counterReset ? unknownReset : hint
}

/** As `histogramOfColumns` without buckets, for which whether the counter began anew is told of every sample that has another before it. */
export function statisticsOfColumns(columns: HistogramColumns, i: number): FloatHistogram {
  let hint = toldHint(columns, i)
  if (hint === unknownReset) {
    let before = i - 1
    while (before >= 0 && columns.isStale(before)) before--
    if (before >= 0) hint = hasFallen(histogramOfColumns(columns, i), histogramOfColumns(columns, before)) ? counterReset : noReset
  }
  return new FloatHistogram({
    ...{ schema: columns.layout(i).schema, count: columns.counts[i]!, sum: columns.sums[i]!, hint },
    ...{ zeroThreshold: 0, zeroCount: 0, positive: noBuckets, negative: noBuckets, customValues: [] },
  })
}

const noBuckets = { indexes: new Int32Array(0), counts: new Float64Array(0) }

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
