import { SampleColumns } from '@narthex/model/sample-columns'
import { gaugeHistogram, unknownReset } from '@narthex/model/reset-hint'
import { copyHistogram } from '../chunk/copy-histogram.ts'
import { encodeHistograms } from '../chunk/encode-histograms.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { appendSamples } from './merge-samples.ts'
import { encodeChunks } from './series-chunks.ts'
import type { SeriesChunk } from './series-chunks.ts'

/** Takes the histograms in the intervals (first, last, … both included, ascending) out of `histograms` from position `from` on. */
export function dropDeletedHistograms(intervals: ArrayLike<number>, histograms: HistogramColumns, from: number): void {
  const { times, length } = histograms
  let first = from
  while (first < length && !isWithin(intervals, times[first]!)) first++
  if (first === length) return
  const rest = new HistogramColumns(length - first)
  for (let i = first; i < length; i++) copyHistogram(histograms, i, rest)
  histograms.truncate(first)
  let hasGap = false
  for (let i = 0; i < rest.length; i++) {
    if (isWithin(intervals, rest.times[i]!)) hasGap = true
    else {
      copyHistogram(rest, i, histograms)
      if (hasGap) forgetHint(histograms, histograms.length - 1)
      hasGap = false
    }
  }
}

/** Takes the histograms that have the time of a float out of `histograms` from position `from` on; both ascending. */
export function dropTimesOfFloats(floats: SampleColumns, histograms: HistogramColumns, from: number): void {
  const both: number[] = []
  for (let i = from, k = 0; i < histograms.length && k < floats.length;) {
    const timeMs = histograms.times[i]!
    if (timeMs === floats.times[k]!) both.push(timeMs, timeMs)
    if (timeMs <= floats.times[k]!) i++
    else k++
  }
  if (both.length > 0) dropDeletedHistograms(both, histograms, from)
}

/** Merges `one` into what stands in `into` from `before` on, both ascending in time: each time once, of two with the same time that of `into` stays. */
export function mergeHistograms(into: HistogramColumns, before: number, one: HistogramColumns): void {
  if (one.length === 0) return
  if (into.length === before || one.times[0]! > into.times[into.length - 1]!) {
    for (let i = 0; i < one.length; i++) {
      copyHistogram(one, i, into)
      if (i === 0) forgetHint(into, into.length - 1)
    }
    return
  }
  const kept = new HistogramColumns(into.length - before)
  for (let i = before; i < into.length; i++) copyHistogram(into, i, kept)
  into.truncate(before)
  let left = 0
  let right = 0
  while (left < kept.length || right < one.length) {
    const leftMs = left < kept.length ? kept.times[left]! : Infinity
    const rightMs = right < one.length ? one.times[right]! : Infinity
    if (leftMs <= rightMs) copyHistogram(kept, left, into)
    else copyHistogram(one, right, into)
    // What a source knows of a reset is against its own sample before.
    forgetHint(into, into.length - 1)
    if (leftMs <= rightMs) left++
    if (rightMs <= leftMs) right++
  }
}

/** Appends floats and histograms of a series as chunks in the order of time, none of which overlap. */
export function encodeMixedChunks(floats: SampleColumns, histograms: HistogramColumns, into: SeriesChunk[]): void {
  if (histograms.length === 0) {
    encodeChunks(floats, into)
    return
  }
  let float = 0
  let histogram = 0
  while (float < floats.length || histogram < histograms.length) {
    const nextHistogramMs = histogram < histograms.length ? histograms.times[histogram]! : Infinity
    const firstFloat = float
    while (float < floats.length && floats.times[float]! < nextHistogramMs) float++
    if (float > firstFloat) {
      run.clear()
      appendSamples(floats, firstFloat, float, run)
      encodeChunks(run, into)
    }
    const nextFloatMs = float < floats.length ? floats.times[float]! : Infinity
    const firstHistogram = histogram
    while (histogram < histograms.length && histograms.times[histogram]! < nextFloatMs) histogram++
    encodeHistograms(histograms, firstHistogram, histogram, unknownReset, true, into)
    // Of the same time: one of them, the float.
    if (nextFloatMs === (histograms.times[histogram] ?? NaN) && histogram < histograms.length) histogram++
  }
}

const run = new SampleColumns()

function forgetHint({ hints }: HistogramColumns, i: number): void {
  if (hints[i] !== gaugeHistogram) hints[i] = unknownReset
}

function isWithin(intervals: ArrayLike<number>, timeMs: number): boolean {
  for (let i = 0; i < intervals.length; i += 2) if (intervals[i]! <= timeMs && timeMs <= intervals[i + 1]!) return true
  return false
}
