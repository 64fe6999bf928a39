import type { WindowPlan } from '../plan/plan.ts'
import { QueryError } from '../query-error.ts'
import { countUntil } from './count-until.ts'
import { interpolate } from './extended-range.ts'
import type { SampleSeries } from './operator.ts'

/**
 * The samples of an anchored or smoothed range that is asked for by itself, as times and values: one at either edge and those between them. The
 * first is the last one at or before the left edge, if there is any within the lookback; smoothed ones are interpolated.
 */
export function extendSamples(
  series: SampleSeries,
  { mode, rangeMs }: WindowPlan,
  endMs: number,
  lookbackMs: number,
): { times: number[]; values: number[] } {
  const startMs = endMs - rangeMs
  const isSmoothed = mode === 'smoothed'
  const [firstMs, lastMs] = [startMs - lookbackMs, isSmoothed ? endMs + lookbackMs : endMs]
  const { histograms } = series
  if (histograms !== undefined && countUntil(histograms.times, lastMs) > countUntil(histograms.times, firstMs)) {
    throw new QueryError('execution', `${mode} modifier is not supported with histograms`)
  }
  const times = series.times.subarray(0, series.length)
  const [from, to] = [countUntil(times, firstMs), countUntil(times, lastMs)]
  let last = to - 1
  if (last < from || times[last]! <= startMs) return { times: [], values: [] }
  const first = Math.max(from, Math.min(countUntil(times, startMs), last) - 1)
  if (isSmoothed) while (last > first && times[last - 1]! >= endMs) last--
  const left = isSmoothed && times[first]! < startMs ? interpolate(series, first, startMs, false) : series.values[first]!
  const right = isSmoothed && last > from && times[last]! > endMs ? interpolate(series, last - 1, endMs, false) : series.values[last]!
  const extended = { times: [startMs], values: [left] }
  for (let i = first; i <= last; i++) {
    if (times[i]! <= startMs || times[i]! >= endMs) continue
    extended.times.push(times[i]!)
    extended.values.push(series.values[i]!)
  }
  extended.times.push(endMs)
  extended.values.push(right)
  return extended
}
