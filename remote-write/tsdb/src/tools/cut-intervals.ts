import { copyHistogram } from '../chunk/copy-histogram.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { SampleRun } from './sample-run.ts'

/** Takes the samples out that are in an interval; `intervals` are first, last, first, last, … in ms, ascending, both ends included. */
export function cutIntervals(run: SampleRun, intervals: readonly number[]): void {
  if (run.isHistogram) cutHistograms(run.histograms, intervals)
  else cutFloats(run, intervals)
}

function cutFloats({ floats }: SampleRun, intervals: readonly number[]): void {
  const { times, words } = floats
  let kept = 0
  for (let i = 0; i < floats.length; i++) {
    if (isWithin(times[i]!, intervals)) continue
    times[kept] = times[i]!
    words[2 * kept] = words[2 * i]!
    words[2 * kept + 1] = words[2 * i + 1]!
    kept++
  }
  floats.length = kept
}

function cutHistograms(histograms: HistogramColumns, intervals: readonly number[]): void {
  const { length } = histograms
  if (!histograms.times.subarray(0, length).some((timeMs) => isWithin(timeMs, intervals))) return
  // Deletions are rare: a copy of what stays is enough.
  const kept = new HistogramColumns(length)
  for (let i = 0; i < length; i++) if (!isWithin(histograms.times[i]!, intervals)) copyHistogram(histograms, i, kept)
  histograms.clear()
  for (let i = 0; i < kept.length; i++) copyHistogram(kept, i, histograms)
}

function isWithin(timeMs: number, intervals: readonly number[]): boolean {
  for (let i = 0; i < intervals.length; i += 2) if (intervals[i]! <= timeMs && timeMs <= intervals[i + 1]!) return true
  return false
}
