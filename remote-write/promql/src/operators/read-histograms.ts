import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { SeriesSet } from '../storage.ts'

/**
 * The native histograms of the series that a set stands on, after its floats were read; undefined if there are none, as most often. They are in
 * `columns`, which are made when first needed.
 */
export function readHistograms(set: SeriesSet, columns: HistogramColumns | undefined): HistogramColumns | undefined {
  if (set.histograms === undefined || set.hasHistograms?.() === false) return undefined
  const into = columns ?? new HistogramColumns()
  into.clear()
  set.histograms(into)
  return into.length === 0 ? undefined : into
}
