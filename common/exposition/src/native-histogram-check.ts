import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { formatFloatG } from '@narthex/model/number'
import { sumDeltas } from './bucket-runs.ts'

/** The exponential schemas that storage knows; formats may carry finer ones up to `reservedSchemaMax`, whose resolution is reduced. */
export const schemaMin = -4
export const schemaMax = 8
export const reservedSchemaMax = 52

/**
 * What is wrong with a histogram whose spans fit its buckets, in the words of Prometheus' storage; undefined when nothing is. Buckets of an
 * integer histogram must hold exactly its observations; NaN observations are in no bucket, which shows in a sum that is NaN.
 */
export function checkNativeHistogram(histogram: NativeHistogram): string | undefined {
  return checkSchema(histogram) ?? checkCounts(histogram)
}

function checkSchema(histogram: NativeHistogram): string | undefined {
  const { schema, customValues, zeroCount, zeroThreshold, negativeSpans } = histogram
  if (schema !== customBucketsSchema) {
    if (!Number.isInteger(schema) || schema < schemaMin || schema > schemaMax) {
      return `histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema ${schema}`
    }
    return customValues.length > 0 ? 'histogram with exponential schema must not have custom bounds' : undefined
  }
  for (let i = 0; i < customValues.length; i++) {
    const bound = customValues[i]!
    if (!(bound < Infinity)) return `custom bucket bound ${i + 1} is ${formatFloatG(bound)}: histogram custom bounds must be finite`
    if (i > 0 && bound <= customValues[i - 1]!) {
      return `previous bound is ${formatFloatG(customValues[i - 1]!)} and current is ${formatFloatG(bound)}: histogram custom bounds must be in strictly increasing order`
    }
  }
  if (zeroCount !== 0) return 'custom buckets: must have zero count of 0'
  if (zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0'
  if (negativeSpans.length > 0) return 'custom buckets: must not have negative spans'
  let buckets = 0
  for (const { offset, length } of histogram.positiveSpans) buckets += offset + length
  if (buckets > customValues.length + 1) {
    return `only ${customValues.length} custom bounds defined which is insufficient to cover total span length of ${buckets}: histogram custom bounds are too few`
  }
  return (histogram.positiveSpans[0]?.offset ?? 0) < 0 ? 'custom buckets: must not begin before the first bound' : undefined
}

function checkCounts(histogram: NativeHistogram): string | undefined {
  const { isFloat, count, sum, zeroCount } = histogram
  if (count < 0 || Number.isNaN(count)) return `histogram's observation count is ${formatFloatG(count)}: must not be negative`
  if (zeroCount < 0 || Number.isNaN(zeroCount))
    return `zero bucket has observation count of ${formatFloatG(zeroCount)}: must not be negative`
  let total = zeroCount
  for (const side of ['negative', 'positive'] as const) {
    const counts = isFloat
      ? side === 'positive'
        ? histogram.positiveCounts
        : histogram.negativeCounts
      : sumDeltas(side === 'positive' ? histogram.positiveDeltas : histogram.negativeDeltas)
    for (let i = 0; i < counts.length; i++) {
      if (!(counts[i]! >= 0)) {
        return `${side} side: bucket number ${i + 1} has observation count of ${formatFloatG(counts[i]!)}: histogram has a bucket whose observation count is negative`
      }
      total += counts[i]!
    }
  }
  if (isFloat) return undefined
  const text = `${total} observations found in buckets, but the Count field is ${count}: histogram's observation count should`
  if (Number.isNaN(sum)) return total > count ? `${text} be at least the number of observations found in the buckets` : undefined
  return total === count ? undefined : `${text} equal the number of observations found in the buckets (in absence of NaN)`
}
