import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { formatFloat } from '@narthex/model/number'
import { counterReset, gaugeHistogram } from '@narthex/model/reset-hint'

/**
 * Native histogram `i` as JSON: what is 0 or empty is left out, buckets are absolute counts in the order of the spans. `hint` says what cannot be told from
 * the counts: a gauge, or counters that fell though none looks so. The end of a series is "stale".
 */
export function describeHistogramObject(columns: HistogramColumns, i: number): string {
  if (columns.isStale(i)) return '"stale"'
  const layout = columns.layout(i)
  const start = columns.bucketStart(i)
  const middle = start + layout.positiveBuckets
  const hint = columns.hints[i]
  const parts = [`"schema":${layout.schema}`]
  if (layout.isFloat) parts.push('"float":true')
  if (hint === gaugeHistogram) parts.push('"hint":"gauge"')
  else if (hint === counterReset) parts.push('"hint":"reset"')
  parts.push(`"count":${describeNumber(columns.counts[i]!)}`, `"sum":${describeNumber(columns.sums[i]!)}`)
  if (layout.zeroThreshold !== 0) parts.push(`"zero_threshold":${describeNumber(layout.zeroThreshold)}`)
  if (columns.zeroCounts[i] !== 0) parts.push(`"zero_count":${describeNumber(columns.zeroCounts[i]!)}`)
  if (layout.customValues.length > 0) parts.push(`"custom_values":[${layout.customValues.map(describeNumber).join()}]`)
  const addSide = (name: string, spans: typeof layout.positiveSpans, from: number, to: number) => {
    if (to === from) return
    parts.push(`"${name}_spans":[${spans.map(({ offset, length }) => `[${offset},${length}]`).join()}]`)
    parts.push(`"${name}_buckets":[${Array.from(columns.buckets.subarray(from, to), describeNumber).join()}]`)
  }
  addSide('positive', layout.positiveSpans, start, middle)
  addSide('negative', layout.negativeSpans, middle, columns.bucketStart(i) + layout.positiveBuckets + layout.negativeBuckets)
  return `{${parts.join()}}`
}

/** A number of JSON; null for NaN, texts for what JSON has no number for. */
export function describeNumber(value: number): string {
  if (Number.isNaN(value)) return 'null'
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"'
  return formatFloat(value)
}
