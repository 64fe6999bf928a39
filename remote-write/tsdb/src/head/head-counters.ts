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
  /** Late samples that were taken, which `samplesAppended` has as well, and those that were older than the window. */
  lateAppended = 0
  tooOld = 0
  duplicates = 0
  ceilingRefused = 0
  /** Those of the samples above that are histograms. */
  histogramsAppended = 0
  histogramsOutOfOrder = 0
  histogramsOutOfBounds = 0
  /** Histograms that are in the log, and that the head had no memory for in the end. */
  histogramsDropped = 0
}
