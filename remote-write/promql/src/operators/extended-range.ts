import type { FloatHistogram } from '../histogram/float-histogram.ts'
import type { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { countUntil } from './count-until.ts'
import { anchorHistograms, computeEdgedHistograms, countMixedSteps, smoothHistograms } from './extended-histograms.ts'
import type { HistogramSeries, SampleSeries, SampleSource, StepHistograms, StepSeries, VectorOperator } from './operator.ts'
import type { Shift, StepGrid, WindowPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'

/** Values at the left edge, inside the window and at the right edge. */
interface EdgedWindow {
  values: Float64Array
  length: number
  rangeMs: number
}

const anchoredFunctions: readonly string[] = ['changes', 'delta', 'increase', 'rate', 'resets']
const smoothedFunctions: readonly string[] = ['delta', 'increase', 'rate']

/**
 * Functions over anchored and smoothed ranges. Anchored: the window begins with the sample at or before its left edge. Smoothed: values
 * at both edges are interpolated between the samples around them. Nothing is extrapolated in either case.
 */
export class ExtendedRangeOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #source: SampleSource
  readonly #grid: StepGrid
  readonly #shift: Shift
  readonly #rangeMs: number
  readonly #name: string
  readonly #isSmoothed: boolean
  readonly #remarks: HistogramRemarks
  readonly #onSeries: ((series: SampleSeries) => void) | undefined
  readonly #series: StepSeries
  readonly #window: EdgedWindow

  constructor(
    context: QueryContext,
    source: SampleSource,
    grid: StepGrid,
    plan: WindowPlan,
    name: string,
    remarks: HistogramRemarks,
    onSeries: ((series: SampleSeries) => void) | undefined,
  ) {
    this.#isSmoothed = plan.mode === 'smoothed'
    const allowed = this.#isSmoothed ? smoothedFunctions : anchoredFunctions
    if (!allowed.includes(name)) {
      throw new QueryError('execution', `${plan.mode} modifier can only be used with: ${allowed.join(', ')} - not with ${name}`)
    }
    this.#context = context
    this.#source = source
    this.#grid = grid
    this.#shift = plan.selector.shift
    this.#rangeMs = plan.rangeMs
    this.#name = name
    this.#remarks = remarks
    this.#onSeries = onSeries
    this.distinctWithoutName = source.distinctWithoutName
    this.#series = {
      labels: undefined!,
      dropName: false,
      values: new Float64Array(grid.steps),
      present: new Uint8Array(grid.steps),
      histograms: undefined,
    }
    this.#window = { values: new Float64Array(64), length: 0, rangeMs: plan.rangeMs }
  }

  next(): StepSeries | undefined {
    for (let source = this.#source.next(); source !== undefined; source = this.#source.next()) {
      const { histograms } = source
      this.#series.histograms = undefined
      if (!(histograms === undefined ? this.#evaluate(source) : this.#evaluateHistograms(source, histograms))) continue
      if (histograms === undefined) this.#onSeries?.(source)
      this.#series.labels = source.labels
      this.#series.dropName = source.dropName
      return this.#series
    }
    return undefined
  }

  #evaluate(source: SampleSeries): boolean {
    const { startMs, stepMs, steps } = this.#grid
    const { values, present } = this.#series
    const isCounter = this.#name === 'rate' || this.#name === 'increase'
    let found = false
    // Samples at or before the left edge: [0, atLeft); at or before the right edge: [0, atRight).
    let atLeft = 0
    let atRight = 0
    for (let i = 0; i < steps; i++) {
      const endMs = (this.#shift.atMs ?? startMs + i * stepMs) - this.#shift.offsetMs
      const leftMs = endMs - this.#rangeMs
      while (atLeft < source.length && source.times[atLeft]! <= leftMs) atLeft++
      while (atRight < source.length && source.times[atRight]! <= endMs) atRight++
      const isThere = this.#isSmoothed
        ? this.#fillSmoothed(source, atLeft, atRight, leftMs, endMs, isCounter)
        : this.#fillAnchored(source, atLeft, atRight, leftMs)
      present[i] = isThere ? 1 : 0
      if (!isThere) continue
      values[i] = computeEdged(this.#name, this.#window)
      found = true
    }
    return found
  }

  /** Of a series with histograms; where a window has floats too only changes and resets have a value. */
  #evaluateHistograms(source: SampleSeries, histograms: HistogramSeries): boolean {
    const { startMs, stepMs, steps } = this.#grid
    const { values, present } = this.#series
    const remarks = this.#remarks
    const isCounter = this.#name === 'rate' || this.#name === 'increase'
    const { lookbackMs } = this.#context
    remarks.metricName = source.labels.get('__name__')
    const results: StepHistograms = []
    let found = false
    for (let i = 0; i < steps; i++) {
      present[i] = 0
      const endMs = (this.#shift.atMs ?? startMs + i * stepMs) - this.#shift.offsetMs
      const leftMs = endMs - this.#rangeMs
      const latestMs = this.#isSmoothed ? endMs + lookbackMs : endMs
      const edges = { leftMs, endMs, lookbackMs, isCounter }
      const [atLeft, atRight] = [countUntil(histograms.times, leftMs), countUntil(histograms.times, endMs)]
      const hasHistograms = countUntil(histograms.times, latestMs) > countUntil(histograms.times, leftMs - lookbackMs)
      const floatTimes = source.times.subarray(0, source.length)
      const hasFloats = countUntil(floatTimes, latestMs) > countUntil(floatTimes, leftMs - lookbackMs)
      let result: number | FloatHistogram | undefined
      if (hasFloats && hasHistograms) {
        if (this.#name === 'changes' || this.#name === 'resets') result = countMixedSteps(this.#name, source, histograms, edges)
        else remarks.mixedFloats()
      } else if (hasHistograms) {
        const window = this.#isSmoothed
          ? smoothHistograms(histograms, atLeft, atRight, edges, remarks)
          : anchorHistograms(histograms, atLeft, atRight, edges)
        if (window !== undefined) result = computeEdgedHistograms(this.#name, window, this.#rangeMs, remarks)
      } else if (hasFloats) {
        const [left, right] = [countUntil(floatTimes, leftMs), countUntil(floatTimes, endMs)]
        const isThere = this.#isSmoothed
          ? this.#fillSmoothed(source, left, right, leftMs, endMs, isCounter)
          : this.#fillAnchored(source, left, right, leftMs)
        if (isThere) result = computeEdged(this.#name, this.#window)
      }
      if (result === undefined) continue
      found = true
      present[i] = 1
      if (typeof result === 'number') values[i] = result
      else results[i] = result
    }
    if (results.length > 0) this.#series.histograms = results
    return found
  }

  /** False if no sample lies inside the window. */
  #fillAnchored({ times, values }: SampleSeries, atLeft: number, atRight: number, leftMs: number): boolean {
    if (atRight === atLeft) return false
    const hasAnchor = atLeft > 0 && times[atLeft - 1]! > leftMs - this.#context.lookbackMs
    this.#take(values.subarray(hasAnchor ? atLeft - 1 : atLeft, atRight))
    return true
  }

  /** False if all samples are before the window, or all behind it. */
  #fillSmoothed(series: SampleSeries, atLeft: number, atRight: number, leftMs: number, endMs: number, isCounter: boolean): boolean {
    const { times, values, length } = series
    const { lookbackMs } = this.#context
    const hasBefore = atLeft > 0 && times[atLeft - 1]! > leftMs - lookbackMs
    const hasBehind = atRight < length && times[atRight]! <= endMs + lookbackMs
    const inside = atRight - atLeft
    if (inside === 0 && !(hasBefore && hasBehind)) return false
    this.#take(values.subarray(atLeft, atRight), 1)
    const window = this.#window
    if (hasBefore) window.values[0] = interpolate(series, atLeft - 1, leftMs, isCounter)
    else window.values.copyWithin(0, 1, window.length--)
    if (hasBehind && times[atRight - 1] !== endMs) window.values[window.length++] = interpolate(series, atRight - 1, endMs, isCounter)
    return true
  }

  /** Copies values behind `reserved` free places, leaving room for one more. */
  #take(values: Float64Array, reserved = 0): void {
    const window = this.#window
    const length = values.length + reserved
    if (window.values.length < length + 1) window.values = new Float64Array((length + 1) * 2)
    window.values.set(values, reserved)
    window.length = length
  }
}

/** Value at `timeMs` between sample `at` and the next one; the rise of a counter after a reset begins at zero. */
export function interpolate({ times, values, length }: SampleSeries, at: number, timeMs: number, isCounter: boolean): number {
  const before = values[at]!
  if (times[at] === timeMs || at + 1 >= length) return before
  const behind = values[at + 1]!
  const from = isCounter && behind < before ? 0 : before
  return from + ((behind - from) * (timeMs - times[at]!)) / (times[at + 1]! - times[at]!)
}

function computeEdged(name: string, { values, length, rangeMs }: EdgedWindow): number {
  if (name === 'changes' || name === 'resets') return countSteps(name, values, length)
  let result = values[length - 1]! - values[0]!
  if (name === 'delta') return result
  for (let i = 1; i < length; i++) if (values[i]! < values[i - 1]!) result += values[i - 1]!
  return name === 'rate' ? result / (rangeMs / 1000) : result
}

function countSteps(name: 'changes' | 'resets', values: Float64Array, length: number): number {
  let count = 0
  for (let i = 1; i < length; i++) {
    const previous = values[i - 1]!
    const value = values[i]!
    if (name === 'resets' ? value < previous : value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) count++
  }
  return count
}
