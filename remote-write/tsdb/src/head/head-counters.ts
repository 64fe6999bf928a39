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
  duplicates = 0
  ceilingRefused = 0
}
