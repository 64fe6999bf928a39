import type { HistogramColumn } from '@narthex/agent/store/frame'
import { readHistogram } from '@narthex/wire/histogram-message'
import type { HeadAppender } from './head-appender.ts'

/** Appends histogram `k` of a scrape to a series; the result is the head's. */
export function appendScrapedHistogram(
  head: HeadAppender,
  reference: number,
  timeMs: number,
  { bytes, offsets }: HistogramColumn,
  k: number,
): number {
  const { histogram, isStale } = readHistogram(bytes, offsets[k]!, offsets[k + 1]!)
  return isStale ? head.appendStaleHistogram(reference, timeMs, histogram.isFloat) : head.appendHistogram(reference, timeMs, histogram)
}
