import type { StepGrid, WindowPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { interpolateHistograms } from '../histogram/histogram-rate.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { countUntil } from './count-until.ts'
import { interpolate } from './extended-range.ts'
import type { HistogramSeries, SampleSeries, StepHistograms, StepSeries, VectorOperator } from './operator.ts'
import { WindowSource } from './window-source.ts'

/** `metric smoothed`: the value at each step, interpolated between the samples around it that are not older or newer than the lookback. */
export class SmoothedSelectorOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #source: WindowSource
  readonly #plan: WindowPlan
  readonly #grid: StepGrid
  readonly #series: StepSeries
  readonly #remarks: HistogramRemarks

  constructor(context: QueryContext, plan: WindowPlan, grid: StepGrid) {
    this.#context = context
    this.#plan = plan
    this.#grid = grid
    this.#remarks = new HistogramRemarks(context.annotations, plan.selector.span)
    this.#source = new WindowSource(context, plan, grid, 0, context.lookbackMs)
    this.distinctWithoutName = this.#source.distinctWithoutName
    this.#series = {
      labels: undefined!,
      dropName: false,
      values: new Float64Array(grid.steps),
      present: new Uint8Array(grid.steps),
      histograms: undefined,
    }
  }

  next(): StepSeries | undefined {
    for (let source = this.#source.next(); source !== undefined; source = this.#source.next()) {
      const { histograms } = source
      this.#series.histograms = undefined
      if (!(histograms === undefined ? this.#fill(source) : this.#fillHistograms(source, histograms))) continue
      this.#series.labels = source.labels
      return this.#series
    }
    return undefined
  }

  /** Of a series with histograms; where there are floats around too there is no value. */
  #fillHistograms(source: SampleSeries, histograms: HistogramSeries): boolean {
    const { startMs, stepMs, steps } = this.#grid
    const { offsetMs, atMs } = this.#plan.selector.shift
    const { lookbackMs } = this.#context
    const { values, present } = this.#series
    const floatTimes = source.times.subarray(0, source.length)
    this.#remarks.metricName = source.labels.get('__name__')
    const results: StepHistograms = []
    for (let i = 0; i < steps; i++) {
      const t = (atMs ?? startMs + i * stepMs) - offsetMs
      const isNear = (times: Float64Array) => countUntil(times, t + lookbackMs) > countUntil(times, t - lookbackMs)
      present[i] = 0
      if (isNear(floatTimes) && isNear(histograms.times)) {
        this.#remarks.mixedFloats()
        continue
      }
      const at = countUntil(histograms.times, t) - 1
      const histogram = at >= 0 && histograms.times[at]! > t - lookbackMs ? this.#interpolate(histograms, at, t) : undefined
      if (histogram !== undefined) results[i] = histogram
      const floatAt = countUntil(floatTimes, t) - 1
      const hasFloat = floatAt >= 0 && floatTimes[floatAt]! > t - lookbackMs
      if (hasFloat) {
        const isCarried = floatAt + 1 >= source.length || floatTimes[floatAt + 1]! > t + lookbackMs
        values[i] = isCarried ? source.values[floatAt]! : interpolate(source, floatAt, t, false)
      }
      present[i] = histogram !== undefined || hasFloat ? 1 : 0
    }
    if (results.length > 0) this.#series.histograms = results
    return present.includes(1)
  }

  #interpolate({ times, values }: HistogramSeries, at: number, t: number): FloatHistogram | undefined {
    const isCarried = at + 1 >= times.length || times[at + 1]! > t + this.#context.lookbackMs || times[at] === t
    if (isCarried) return values[at]
    const fraction = (t - times[at]!) / (times[at + 1]! - times[at]!)
    return interpolateHistograms(values[at]!, values[at + 1]!, fraction, !values[at + 1]!.isGauge, this.#remarks)
  }

  #fill(source: SampleSeries): boolean {
    const { startMs, stepMs, steps } = this.#grid
    const { offsetMs, atMs } = this.#plan.selector.shift
    const { lookbackMs } = this.#context
    const { values, present } = this.#series
    let behind = 0
    let found = false
    for (let i = 0; i < steps; i++) {
      const t = (atMs ?? startMs + i * stepMs) - offsetMs
      while (behind < source.length && source.times[behind]! <= t) behind++
      const at = behind - 1
      present[i] = at >= 0 && source.times[at]! > t - lookbackMs ? 1 : 0
      if (present[i] === 0) continue
      found = true
      const isCarried = behind >= source.length || source.times[behind]! > t + lookbackMs
      values[i] = isCarried ? source.values[at]! : interpolate(source, at, t, false)
    }
    return found
  }
}
