import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { SampleColumns } from '@narthex/model/sample-columns'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { histogramOfColumns, statisticsOfColumns } from '../histogram/histograms-of-columns.ts'
import type { StepGrid, WindowPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { SeriesSet } from '../storage.ts'
import type { HistogramSeries, SampleSeries, SampleSource } from './operator.ts'
import { makeHistogramSeries } from './operator.ts'
import { openScan } from './open-scan.ts'
import { HistogramReader, makeFloatColumns } from './read-histograms.ts'
import { readStartTimes, startTimesOf } from './read-start-times.ts'
import { shiftedBounds } from './vector-selector.ts'

/** Reads the samples of a range selector's series, all windows of the query at once, without stale markers. */
export class WindowSource implements SampleSource {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #set: SeriesSet
  readonly #columns: SampleColumns
  readonly #histograms: HistogramReader
  readonly #series: SampleSeries
  readonly #makeHistogram: typeof histogramOfColumns

  /** `beforeMs`, `afterMs`: how much more than the windows is read (for anchored and smoothed). */
  constructor(context: QueryContext, plan: WindowPlan, grid: StepGrid, beforeMs = 0, afterMs = 0) {
    this.#context = context
    this.#columns = makeFloatColumns(context)
    this.#histograms = new HistogramReader(context)
    this.distinctWithoutName = plan.selector.name !== ''
    this.#makeHistogram = plan.selector.statisticsOnly ? statisticsOfColumns : histogramOfColumns
    const { firstMs, lastMs } = shiftedBounds(grid, plan.selector.shift)
    this.#set = openScan(context.queryable, plan.selector.scan, firstMs - plan.rangeMs - beforeMs + 1, lastMs + afterMs)
    const { times, values } = this.#columns
    this.#series = { labels: undefined!, dropName: false, times, values, length: 0, startTimes: undefined, histograms: undefined }
  }

  next(): SampleSeries | undefined {
    while (this.#set.next()) {
      this.#context.checkAlive()
      const columns = this.#columns
      columns.clear()
      this.#set.samples(columns)
      this.#context.statistics.samplesRead += columns.length
      const length = removeStale(columns)
      const read = this.#histograms.read(this.#set, Infinity)
      const histograms = read === undefined ? undefined : this.#takeHistograms(read)
      if (length === 0 && histograms === undefined) continue
      const series = this.#series
      series.histograms = histograms
      series.labels = this.#set.labels()
      series.times = columns.times
      series.values = columns.values
      series.length = length
      series.startTimes = this.#context.useStartTimestamps ? readStartTimes(this.#set, columns.times.subarray(0, length)) : undefined
      return series
    }
    return undefined
  }

  /** Without stale markers; undefined if nothing else is left. */
  #takeHistograms(columns: HistogramColumns): HistogramSeries | undefined {
    this.#context.statistics.samplesRead += columns.length
    const values: FloatHistogram[] = []
    const times = new Float64Array(columns.length)
    const known = this.#context.useStartTimestamps ? startTimesOf(columns) : undefined
    const startTimes = known === undefined ? undefined : new Float64Array(columns.length)
    for (let i = 0; i < columns.length; i++) {
      if (columns.isStale(i)) continue
      times[values.length] = columns.times[i]!
      if (startTimes !== undefined) startTimes[values.length] = known![i]!
      values.push(this.#makeHistogram(columns, i))
    }
    return values.length === 0 ? undefined : makeHistogramSeries(times.subarray(0, values.length), values, startTimes)
  }
}

/** Gives how many samples are left. */
function removeStale(columns: SampleColumns): number {
  const { times, values, length } = columns
  let kept = nextStale(columns, 0)
  for (let i = kept + 1; i < length; i++) {
    const end = nextStale(columns, i)
    times.copyWithin(kept, i, end)
    values.copyWithin(kept, i, end)
    kept += end - i
    i = end
  }
  return kept
}

/** Where the next stale marker is; `length` if there is none. */
function nextStale({ words, values, length }: SampleColumns, from: number): number {
  let i = from
  // A marker is no number, and most samples are.
  while (i < length && (values[i] === values[i] || words[2 * i + 1] !== STALE_HIGH || words[2 * i] !== STALE_LOW)) i++
  return i
}
