import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'
import { gaugeHistogram } from '@narthex/model/reset-hint'
import type { BucketList } from './bucket-list.ts'
import { compactBuckets } from './bucket-list.ts'
import type { FloatHistogram } from './float-histogram.ts'

/** The form in which a histogram is stored, without empty buckets. */
export function nativeOfHistogram(histogram: FloatHistogram): NativeHistogram {
  const { schema, count, sum, zeroThreshold, zeroCount, customValues, hint } = histogram
  const positive = compactBuckets(histogram.positive)
  const negative = compactBuckets(histogram.negative)
  return {
    schema,
    isFloat: true,
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positiveSpans: spansOf(positive),
    negativeSpans: spansOf(negative),
    positiveDeltas: [],
    negativeDeltas: [],
    positiveCounts: [...positive.counts],
    negativeCounts: [...negative.counts],
    customValues,
    isGauge: hint === gaugeHistogram,
  }
}

function spansOf({ indexes }: BucketList): BucketSpan[] {
  const spans: { offset: number; length: number }[] = []
  let end = 0
  for (const index of indexes) {
    const last = spans.at(-1)
    if (last !== undefined && index === end) last.length++
    else spans.push({ offset: index - end, length: 1 })
    end = index + 1
  }
  return spans
}
