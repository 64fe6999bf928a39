import type { MixedFunction, MixedWindow } from '../functions/mixed-window.ts'
import { findResets } from '../functions/rate.ts'
import type { SampleWindow, SampleWindows, WindowFunction, WindowsFunction } from '../functions/sample-window.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { Shift, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { countPresent } from './operator.ts'
import type { HistogramSeries, SampleSeries, SampleSource, StepHistograms, StepSeries, VectorOperator } from './operator.ts'

export interface RangeFunctionOptions {
  readonly grid: StepGrid
  readonly rangeMs: number
  readonly shift: Shift
  readonly evaluate: WindowFunction
  /** The same of all steps of a series in one go. */
  readonly evaluateAll?: WindowsFunction | undefined
  /** For series with histograms, or with start times. */
  readonly evaluateMixed: MixedFunction
  readonly remarks: HistogramRemarks
  /** The function looks at resets. */
  readonly needsResets: boolean
  /** Told once of every series with a float as result. */
  readonly onSeries?: ((series: SampleSeries) => void) | undefined
}

/** Slides a window (t - range, t] over every series, all steps of one series in one go: both ends only ever move forward. */
export class RangeFunctionOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #source: SampleSource
  readonly #options: RangeFunctionOptions
  readonly #window: SampleWindow
  readonly #series: StepSeries
  #windows: SampleWindows | undefined
  /** Samples of each step's window, if somebody wants to know. */
  readonly #lookedAt: Float64Array | undefined
  #resets = new Uint32Array(64)

  constructor(context: QueryContext, source: SampleSource, options: RangeFunctionOptions) {
    this.#context = context
    this.#source = source
    this.#options = options
    this.distinctWithoutName = source.distinctWithoutName
    const { grid, rangeMs } = options
    this.#lookedAt = context.statistics.samplesPerStep === undefined ? undefined : new Float64Array(grid.steps)
    this.#series = {
      labels: undefined!,
      dropName: false,
      values: new Float64Array(grid.steps),
      present: new Uint8Array(grid.steps),
      histograms: undefined,
    }
    this.#window = {
      times: new Float64Array(0),
      values: new Float64Array(0),
      from: 0,
      to: 0,
      startMs: 0,
      endMs: 0,
      rangeMs,
      stepTimeMs: 0,
      resets: this.#resets,
      resetCount: 0,
      resetFrom: 0,
    }
  }

  next(): StepSeries | undefined {
    for (let source = this.#source.next(); source !== undefined; source = this.#source.next()) {
      const { histograms } = source
      const isMixed = histograms !== undefined || source.startTimes !== undefined
      const length = source.length + (histograms?.samples ?? 0)
      this.#context.hold(length, length * 16)
      const series = this.#series
      series.histograms = undefined
      const found = isMixed ? this.#evaluateMixed(source, histograms ?? noHistograms) : this.#evaluate(source)
      this.#context.release(length, length * 16)
      if (found === 0) continue
      if (series.histograms === undefined || this.#hasFloats()) this.#options.onSeries?.(source)
      series.labels = source.labels
      series.dropName = source.dropName
      return series
    }
    return undefined
  }

  /** Returns at how many steps there is a value. */
  #evaluate(series: SampleSeries): number {
    const { evaluateAll } = this.#options
    return evaluateAll === undefined ? this.#evaluateEach(series) : this.#evaluateAll(series, evaluateAll)
  }

  #evaluateAll({ times, values, length }: SampleSeries, evaluateAll: WindowsFunction): number {
    const windows = (this.#windows ??= this.#makeWindows())
    windows.times = times
    windows.values = values
    windows.length = length
    const { from: froms, to: tos, steps, endMs: firstEndMs, stepMs, rangeMs } = windows
    const { values: out, present } = this.#series
    let from = 0
    let to = 0
    // By how much they moved in the step before: of a series with a sample every so often that is right most of the time.
    let fromStride = 0
    let toStride = 0
    let looked = 0
    for (let i = 0; i < steps; i++) {
      const endMs = firstEndMs + i * stepMs
      const windowStartMs = endMs - rangeMs
      const likelyTo = to + toStride
      if (likelyTo < length && likelyTo > 0 && times[likelyTo]! > endMs && times[likelyTo - 1]! <= endMs) to = likelyTo
      else {
        const before = to
        while (to < length && times[to]! <= endMs) to++
        toStride = to - before
      }
      const likelyFrom = from + fromStride
      if (likelyFrom < to && likelyFrom > 0 && times[likelyFrom]! > windowStartMs && times[likelyFrom - 1]! <= windowStartMs)
        from = likelyFrom
      else {
        const before = from
        while (from < to && times[from]! <= windowStartMs) from++
        fromStride = from - before
      }
      froms[i] = from
      tos[i] = to
      present[i] = from === to ? 0 : 1
      looked += to - from
    }
    this.#context.countSamples(this.#options.grid, looked, (step) => tos[step]! - froms[step]!)
    evaluateAll(windows, out, present)
    return countPresent(present)
  }

  #makeWindows(): SampleWindows {
    const { grid, rangeMs, shift } = this.#options
    const { steps, startMs, stepMs } = grid
    const none = new Float64Array(0)
    const endMs = (shift.atMs ?? startMs) - shift.offsetMs
    const [from, to] = [new Uint32Array(steps), new Uint32Array(steps)]
    return { times: none, values: none, length: 0, from, to, steps, endMs, stepMs: shift.atMs === undefined ? stepMs : 0, rangeMs }
  }

  #evaluateEach({ times, values, length }: SampleSeries): number {
    const window = this.#window
    const { grid, rangeMs, shift, evaluate, needsResets } = this.#options
    const { values: out, present } = this.#series
    const { startMs, stepMs, steps } = grid
    window.times = times
    window.values = values
    window.resetFrom = 0
    if (needsResets) {
      const { resets, count } = findResets(values, length, this.#resets)
      this.#resets = resets
      window.resets = resets
      window.resetCount = count
    }
    let from = 0
    let to = 0
    let found = 0
    let looked = 0
    const lookedAt = this.#lookedAt
    // Not chosen step by step: what may be undefined is an object each time.
    const firstEndMs = (shift.atMs ?? startMs) - shift.offsetMs
    const nextMs = shift.atMs === undefined ? stepMs : 0
    for (let i = 0; i < steps; i++) {
      const stepTimeMs = startMs + i * stepMs
      const endMs = firstEndMs + i * nextMs
      const windowStartMs = endMs - rangeMs
      while (to < length && times[to]! <= endMs) to++
      while (from < to && times[from]! <= windowStartMs) from++
      looked += to - from
      if (lookedAt !== undefined) lookedAt[i] = to - from
      if (from === to) {
        present[i] = 0
        continue
      }
      while (window.resetFrom < window.resetCount && window.resets[window.resetFrom]! <= from) window.resetFrom++
      window.from = from
      window.to = to
      window.startMs = windowStartMs
      window.endMs = endMs
      window.stepTimeMs = stepTimeMs
      if (evaluate(window, out, i)) {
        present[i] = 1
        found++
      } else present[i] = 0
      if ((i & 1023) === 1023) this.#context.checkAlive()
    }
    this.#context.countSamples(grid, looked, (step) => lookedAt![step]!)
    return found
  }

  #hasFloats(): boolean {
    const { present, histograms } = this.#series
    return present.some((isPresent, i) => isPresent !== 0 && histograms?.[i] === undefined)
  }

  /** As `#evaluate` with two columns side by side. */
  #evaluateMixed({ times, values, length, labels, startTimes }: SampleSeries, histograms: HistogramSeries): number {
    const { grid, rangeMs, shift, evaluateMixed, remarks } = this.#options
    const { values: out, present } = this.#series
    const { startMs, stepMs, steps } = grid
    const floats = this.#window
    floats.times = times
    floats.values = values
    const { resets, count } = findResets(values, length, this.#resets)
    this.#resets = resets
    floats.resets = resets
    floats.resetCount = count
    floats.resetFrom = 0
    const window: MixedWindow = {
      floats,
      floatStartTimes: startTimes,
      histogramTimes: histograms.times,
      histograms: histograms.values,
      histogramStartTimes: histograms.startTimes,
      histogramFrom: 0,
      histogramTo: 0,
    }
    remarks.metricName = labels.get('__name__')
    const results: StepHistograms = new Array<undefined>(steps)
    const lookedAt = this.#lookedAt
    let [from, to, found, looked, histogramSamples] = [0, 0, 0, 0, 0]
    for (let i = 0; i < steps; i++) {
      const stepTimeMs = startMs + i * stepMs
      const endMs = (shift.atMs ?? stepTimeMs) - shift.offsetMs
      floats.startMs = endMs - rangeMs
      floats.endMs = endMs
      floats.stepTimeMs = stepTimeMs
      while (to < length && times[to]! <= endMs) to++
      while (from < to && times[from]! <= floats.startMs) from++
      while (window.histogramTo < histograms.times.length && histograms.times[window.histogramTo]! <= endMs) {
        histogramSamples += histograms.values[window.histogramTo++]!.sampleCount
      }
      while (window.histogramFrom < window.histogramTo && histograms.times[window.histogramFrom]! <= floats.startMs) {
        histogramSamples -= histograms.values[window.histogramFrom++]!.sampleCount
      }
      while (floats.resetFrom < floats.resetCount && floats.resets[floats.resetFrom]! <= from) floats.resetFrom++
      floats.from = from
      floats.to = to
      looked += to - from + histogramSamples
      if (lookedAt !== undefined) lookedAt[i] = to - from + histogramSamples
      const isEmpty = from === to && window.histogramFrom === window.histogramTo
      const result = isEmpty ? undefined : evaluateMixed(window, i, remarks)
      present[i] = result === undefined ? 0 : 1
      if (result === undefined) continue
      found++
      if (typeof result === 'number') out[i] = result
      else {
        results[i] = result
        this.#series.histograms = results
      }
      if ((i & 63) === 63) this.#context.checkAlive()
    }
    this.#context.countSamples(grid, looked, (step) => lookedAt![step]!)
    return found
  }
}

const noHistograms: HistogramSeries = { times: new Float64Array(0), startTimes: undefined, values: [], samples: 0 }
