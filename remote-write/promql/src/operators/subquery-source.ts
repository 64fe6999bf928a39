import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { forgetResets } from '../histogram/histograms-of-columns.ts'
import type { StepGrid, SubqueryPlan } from '../plan/plan.ts'
import type { HistogramSeries, SampleSeries, StepSeries, SampleSource, VectorOperator } from './operator.ts'
import { makeHistogramSeries } from './operator.ts'
import { shiftedBounds } from './vector-selector.ts'

/**
 * Steps of a subquery for all windows of its parent's grid at once: multiples of the subquery's step since 1970, the first one after the
 * earliest window's left edge, the last one not after the latest window's right edge. undefined: there is none.
 */
export function subqueryGrid(plan: SubqueryPlan, parent: StepGrid): StepGrid | undefined {
  const { firstMs, lastMs } = shiftedBounds(parent, plan.shift)
  const { stepMs } = plan
  const startMs = (Math.floor((firstMs - plan.rangeMs) / stepMs) + 1) * stepMs
  if (startMs > lastMs) return undefined
  return { startMs, stepMs, steps: Math.floor((lastMs - startMs) / stepMs) + 1, counting: 'none' }
}

/** The values of a subquery's steps as samples for a function over ranges. */
export class SubquerySource implements SampleSource {
  readonly distinctWithoutName: boolean
  readonly #input: VectorOperator
  readonly #grid: StepGrid
  readonly #series: SampleSeries

  constructor(input: VectorOperator, grid: StepGrid) {
    this.#input = input
    this.#grid = grid
    this.distinctWithoutName = input.distinctWithoutName
    this.#series = {
      labels: undefined!,
      dropName: false,
      times: new Float64Array(grid.steps),
      values: new Float64Array(grid.steps),
      length: 0,
      startTimes: undefined,
      histograms: undefined,
    }
  }

  next(): SampleSeries | undefined {
    const stepped = this.#input.next()
    if (stepped === undefined) return undefined
    const series = this.#series
    const { times, values } = series
    const { startMs, stepMs } = this.#grid
    let length = 0
    for (let i = 0; i < stepped.values.length; i++) {
      if (stepped.present[i] === 0 || stepped.histograms?.[i] !== undefined) continue
      times[length] = startMs + i * stepMs
      values[length++] = stepped.values[i]!
    }
    series.labels = stepped.labels
    series.dropName = stepped.dropName
    series.length = length
    series.histograms = stepped.histograms === undefined ? undefined : this.#takeHistograms(stepped, stepped.histograms)
    return series
  }

  /** What a histogram says of resets is against the sample before it, which a subquery may have stepped over. */
  #takeHistograms({ present }: StepSeries, histograms: readonly (FloatHistogram | undefined)[]): HistogramSeries {
    const { startMs, stepMs, steps } = this.#grid
    const times = new Float64Array(steps)
    const values: FloatHistogram[] = []
    for (let i = 0; i < steps; i++) {
      const histogram = present[i] === 0 ? undefined : histograms[i]
      if (histogram === undefined) continue
      times[values.length] = startMs + i * stepMs
      values.push(forgetResets(histogram))
    }
    return makeHistogramSeries(times.subarray(0, values.length), values)
  }
}

/** A range vector without any series. */
export const emptySource: SampleSource = { distinctWithoutName: true, next: () => undefined }
