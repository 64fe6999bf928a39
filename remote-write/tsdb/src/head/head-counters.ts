import type { LateBatch } from './late-pending.ts'

/** Totals since the start, for the metrics. */
export class HeadCounters {
  samplesAppended = 0
  seriesCreated = 0
  seriesRemoved = 0
  seriesRefused = 0
  chunksCreated = 0
  chunksRemoved = 0
  outOfOrder = 0
  outOfBounds = 0
  /** Late floats and histograms that were taken, which `samplesAppended` has as well, and samples that were older than the window. */
  lateAppended = 0
  lateHistogramsAppended = 0
  tooOld = 0
  duplicates = 0
  ceilingRefused = 0
  /** Those of the samples above that are histograms. */
  histogramsAppended = 0
  histogramsOutOfOrder = 0
  histogramsOutOfBounds = 0
  histogramsTooOld = 0
  /** Histograms that are in the log, and that the head had no memory for in the end. */
  histogramsDropped = 0

  /** Late samples are committed; those that were only moved were counted before. */
  addLate({ floats, histograms }: LateBatch): void {
    const floatCount = floats.isMoved ? 0 : floats.length
    const histogramCount = histograms.isMoved ? 0 : histograms.length
    this.lateAppended += floatCount
    this.lateHistogramsAppended += histogramCount
    this.samplesAppended += floatCount + histogramCount
    this.histogramsAppended += histogramCount
  }
}
