import { customBucketsSchema } from '@narthex/model/native-histogram'
import { noReset } from '@narthex/model/reset-hint'
import type { LoggedHistogram } from './histogram-payload.ts'

/** A small histogram for tests; with `customValues` of custom buckets. The sum is a stale marker if `isStale`. */
export function histogramOf(
  isFloat: boolean,
  options: { customValues?: readonly number[]; isStale?: boolean; schema?: number } = {},
): LoggedHistogram {
  const { customValues = [], isStale = false } = options
  const buckets = [1, 2, -1]
  return {
    histogram: {
      schema: customValues.length > 0 ? customBucketsSchema : (options.schema ?? 3),
      isFloat,
      count: 9,
      sum: isStale ? NaN : 12.5,
      zeroThreshold: customValues.length > 0 ? 0 : 2 ** -128,
      zeroCount: customValues.length > 0 ? 0 : 2,
      positiveSpans: [
        { offset: -2, length: 2 },
        { offset: 3, length: 1 },
      ],
      negativeSpans: [],
      positiveDeltas: isFloat ? [] : buckets,
      negativeDeltas: [],
      positiveCounts: isFloat ? [1, 3, 2] : [],
      negativeCounts: [],
      customValues,
      isGauge: false,
    },
    resetHint: noReset,
    sumLow: isStale ? 2 : 0,
    sumHigh: isStale ? 0x7ff00000 : 0x40290000,
  }
}
