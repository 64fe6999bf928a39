import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { SeriesSet } from '../storage.ts'

/** When counting began for each of a series' floats, ms; 0 = not known. undefined: of none. */
export function readStartTimes(set: SeriesSet, times: Float64Array): Float64Array | undefined {
  if (set.startTimes === undefined || times.length === 0) return undefined
  const startTimes = new Float64Array(times.length)
  set.startTimes(times, startTimes)
  return startTimes.some((time) => time !== 0) ? startTimes : undefined
}

/** As `readStartTimes`, of all histograms. */
export function startTimesOf({ startTimes, length }: HistogramColumns): Float64Array | undefined {
  const known = startTimes.subarray(0, length)
  return known.some((time) => time !== 0) ? known : undefined
}
