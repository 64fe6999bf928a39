import type { StepGrid, WindowPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { interpolate } from './extended-range.ts'
import type { SampleSeries, StepSeries, VectorOperator } from './operator.ts'
import { WindowSource } from './window-source.ts'

/** `metric smoothed`: the value at each step, interpolated between the samples around it that are not older or newer than the lookback. */
export class SmoothedSelectorOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #source: WindowSource
  readonly #plan: WindowPlan
  readonly #grid: StepGrid
  readonly #series: StepSeries

  constructor(context: QueryContext, plan: WindowPlan, grid: StepGrid) {
    this.#context = context
    this.#plan = plan
    this.#grid = grid
    this.#source = new WindowSource(context, plan, grid, 0, context.lookbackMs)
    this.distinctWithoutName = this.#source.distinctWithoutName
    this.#series = { labels: undefined!, dropName: false, values: new Float64Array(grid.steps), present: new Uint8Array(grid.steps) }
  }

  next(): StepSeries | undefined {
    for (let source = this.#source.next(); source !== undefined; source = this.#source.next()) {
      if (!this.#fill(source)) continue
      this.#series.labels = source.labels
      return this.#series
    }
    return undefined
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
