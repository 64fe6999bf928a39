import { findResets } from '../functions/rate.ts'
import type { SampleWindow, WindowFunction } from '../functions/sample-window.ts'
import type { Shift, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { SampleSeries, SampleSource, StepSeries, VectorOperator } from './operator.ts'

export interface RangeFunctionOptions {
  readonly grid: StepGrid
  readonly rangeMs: number
  readonly shift: Shift
  readonly evaluate: WindowFunction
  /** The function looks at resets. */
  readonly needsResets: boolean
  /** Told once of every series with samples. */
  readonly onSeries?: (series: SampleSeries) => void
}

/** Slides a window (t - range, t] over every series, all steps of one series in one go: both ends only ever move forward. */
export class RangeFunctionOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #source: SampleSource
  readonly #options: RangeFunctionOptions
  readonly #window: SampleWindow
  readonly #series: StepSeries
  #resets = new Uint32Array(64)

  constructor(context: QueryContext, source: SampleSource, options: RangeFunctionOptions) {
    this.#context = context
    this.#source = source
    this.#options = options
    this.distinctWithoutName = source.distinctWithoutName
    const { grid, rangeMs } = options
    this.#series = { labels: undefined!, dropName: false, values: new Float64Array(grid.steps), present: new Uint8Array(grid.steps) }
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
      const { length } = source
      this.#context.hold(length, length * 16)
      const found = this.#evaluate(source)
      this.#context.release(length, length * 16)
      this.#options.onSeries?.(source)
      if (found === 0) continue
      const series = this.#series
      series.labels = source.labels
      series.dropName = source.dropName
      return series
    }
    return undefined
  }

  /** Returns at how many steps there is a value. */
  #evaluate({ times, values, length }: SampleSeries): number {
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
    for (let i = 0; i < steps; i++) {
      const stepTimeMs = startMs + i * stepMs
      const endMs = (shift.atMs ?? stepTimeMs) - shift.offsetMs
      const windowStartMs = endMs - rangeMs
      while (to < length && times[to]! <= endMs) to++
      while (from < to && times[from]! <= windowStartMs) from++
      looked += to - from
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
    this.#context.statistics.totalQueryableSamples += looked
    return found
  }
}
