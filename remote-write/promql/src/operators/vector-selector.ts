import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { SampleColumns } from '@narthex/model/sample-columns'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { histogramOfColumns, statisticsOfColumns } from '../histogram/histograms-of-columns.ts'
import type { SelectorPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import type { SeriesSet } from '../storage.ts'
import { openScan } from './open-scan.ts'
import { HistogramReader, makeFloatColumns } from './read-histograms.ts'
import { readStartTimes, startTimesOf } from './read-start-times.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/**
 * What a selector puts into the step's value: the sample's value, the time it was taken at in seconds (for `timestamp()`; for `info()` of floats only),
 * or the time at which its counting began, where that is known.
 */
export type SelectorContent = 'value' | 'timestamp' | 'timestamp of float' | 'start timestamp'

/** The latest sample within the lookback window (t - lookback, t] at every step, unless it is a stale marker. */
export class VectorSelectorOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #plan: SelectorPlan
  readonly #grid: StepGrid
  readonly #content: SelectorContent
  readonly #set: SeriesSet
  readonly #columns: SampleColumns
  readonly #histograms: HistogramReader
  readonly #series: StepSeries

  constructor(context: QueryContext, plan: SelectorPlan, grid: StepGrid, content: SelectorContent = 'value') {
    this.#context = context
    this.#columns = makeFloatColumns(context)
    this.#histograms = new HistogramReader(context)
    this.#plan = plan
    this.#grid = grid
    this.#content = content
    this.distinctWithoutName = plan.name !== ''
    const { firstMs, lastMs } = shiftedBounds(grid, plan.shift)
    this.#set = openScan(context.queryable, plan.scan, firstMs - context.lookbackMs + 1, lastMs)
    this.#series = {
      labels: undefined!,
      dropName: false,
      values: new Float64Array(grid.steps),
      present: new Uint8Array(grid.steps),
      histograms: undefined,
    }
  }

  next(): StepSeries | undefined {
    const { statistics } = this.#context
    while (this.#set.next()) {
      this.#context.checkAlive()
      const columns = this.#columns
      columns.clear()
      this.#set.samples(columns)
      statistics.samplesRead += columns.length
      const histograms = this.#histograms.read(this.#set, this.#grid.steps)
      this.#series.histograms = undefined
      let found = 0
      if (histograms !== undefined) {
        statistics.samplesRead += histograms.length
        found = this.#fillMixed(histograms)
      } else if (columns.length > 0) found = this.#fill()
      if (found > 0 && this.#content === 'start timestamp') this.#toStartTimes(histograms)
      if (found === 0) continue
      this.#context.countSamples(this.#grid, found, (step) => this.#samplesAt(step))
      this.#series.labels = this.#set.labels()
      return this.#series
    }
    return undefined
  }

  /** As how many samples the value of a step counts. */
  #samplesAt(step: number): number {
    const { present, histograms } = this.#series
    return present[step] === 0 ? 0 : (histograms?.[step]?.sampleCount ?? 1)
  }

  /** Returns at how many steps there is a value. */
  #fill(): number {
    const { times, values, words, length } = this.#columns
    const { startMs, stepMs, steps } = this.#grid
    const { offsetMs, atMs } = this.#plan.shift
    const { lookbackMs } = this.#context
    const { values: out, present } = this.#series
    const wantsTime = this.#content !== 'value'
    // Not chosen step by step: what may be undefined is an object each time.
    const firstMs = (atMs ?? startMs) - offsetMs
    const nextMs = atMs === undefined ? stepMs : 0
    let found = 0
    let at = -1
    for (let i = 0; i < steps; i++) {
      const t = firstMs + i * nextMs
      while (at + 1 < length && times[at + 1]! <= t) at++
      const isThere = at >= 0 && times[at]! > t - lookbackMs && !(words[2 * at] === STALE_LOW && words[2 * at + 1] === STALE_HIGH)
      if (isThere) {
        out[i] = wantsTime ? times[at]! / 1000 : values[at]!
        present[i] = 1
        found++
      } else present[i] = 0
    }
    return found
  }

  /** Puts start times where the times of samples are; 0 = not known. */
  #toStartTimes(histograms: HistogramColumns | undefined): void {
    const known = new Map<number, number>()
    const collect = (times: Float64Array, startTimes: Float64Array | undefined) => {
      startTimes?.forEach((startMs, i) => {
        if (startMs !== 0) known.set(times[i]! / 1000, startMs / 1000)
      })
    }
    const times = this.#columns.times.subarray(0, this.#columns.length)
    collect(times, readStartTimes(this.#set, times))
    if (histograms !== undefined) collect(histograms.times, startTimesOf(histograms))
    const { values, present } = this.#series
    for (let i = 0; i < values.length; i++) if (present[i] !== 0) values[i] = known.get(values[i]!) ?? 0
  }

  /** As `#fill`, of floats and histograms the latest; counts a histogram as the samples that it is worth. */
  #fillMixed(columns: HistogramColumns): number {
    const { startMs, stepMs, steps } = this.#grid
    const { offsetMs, atMs } = this.#plan.shift
    const { lookbackMs } = this.#context
    const wantsTime = this.#content !== 'value'
    const taken: (FloatHistogram | undefined)[] = wantsTime ? [] : new Array<undefined>(steps)
    let found = this.#fill()
    let at = -1
    let histogram: FloatHistogram | undefined
    let histogramAt = -1
    const { times, length } = this.#columns
    let floatAt = -1
    const { values, present } = this.#series
    for (let i = 0; i < steps; i++) {
      const t = (atMs ?? startMs + i * stepMs) - offsetMs
      while (at + 1 < columns.length && columns.times[at + 1]! <= t) at++
      while (floatAt + 1 < length && times[floatAt + 1]! <= t) floatAt++
      if (at < 0 || columns.times[at]! <= t - lookbackMs || (floatAt >= 0 && times[floatAt]! >= columns.times[at]!)) continue
      // The histogram is the latest, so what was found of a float does not count.
      found -= present[i]!
      present[i] = 0
      if (columns.isStale(at)) continue
      present[i] = 1
      if (this.#content === 'timestamp of float')
        throw new QueryError('execution', `this should be an info metric, with float samples: ${this.#set.labels().toString()}`)
      if (wantsTime) {
        values[i] = columns.times[at]! / 1000
        found++
        continue
      }
      if (histogramAt !== at) {
        histogram = (this.#plan.statisticsOnly ? statisticsOfColumns : histogramOfColumns)(columns, at)
        histogramAt = at
      }
      taken[i] = histogram
      found += histogram!.sampleCount
    }
    if (!wantsTime && taken.some((one) => one !== undefined)) this.#series.histograms = taken
    return found
  }
}

/** First and last moment that a shifted expression is evaluated at. */
export function shiftedBounds(grid: StepGrid, shift: { offsetMs: number; atMs: number | undefined }): { firstMs: number; lastMs: number } {
  const { atMs, offsetMs } = shift
  if (atMs !== undefined) return { firstMs: atMs - offsetMs, lastMs: atMs - offsetMs }
  return { firstMs: grid.startMs - offsetMs, lastMs: grid.startMs + (grid.steps - 1) * grid.stepMs - offsetMs }
}
