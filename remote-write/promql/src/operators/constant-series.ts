import { Labels } from '@narthex/model/labels'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/** One series that was computed already; none if it has no value. */
export class SingleSeriesOperator implements VectorOperator {
  readonly distinctWithoutName = true
  #series: StepSeries | undefined

  constructor(values: Float64Array<ArrayBuffer>, present?: Uint8Array<ArrayBuffer>, labels = Labels.empty) {
    this.#series = { labels, dropName: false, values, present: present ?? new Uint8Array(values.length).fill(1), histograms: undefined }
  }

  next(): StepSeries | undefined {
    const series = this.#series
    this.#series = undefined
    return series?.present.includes(1) === true ? series : undefined
  }
}

/** Series evaluated at one step, spread over all steps of a grid. */
export class BroadcastOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #input: VectorOperator
  readonly #series: StepSeries

  constructor(input: VectorOperator, steps: number) {
    this.#input = input
    this.distinctWithoutName = input.distinctWithoutName
    this.#series = {
      labels: Labels.empty,
      dropName: false,
      values: new Float64Array(steps),
      present: new Uint8Array(steps),
      histograms: undefined,
    }
  }

  next(): StepSeries | undefined {
    const single = this.#input.next()
    if (single === undefined) return undefined
    const series = this.#series
    series.labels = single.labels
    series.dropName = single.dropName
    series.values.fill(single.values[0]!)
    series.present.fill(1)
    const histogram = single.histograms?.[0]
    series.histograms = histogram === undefined ? undefined : new Array<FloatHistogram>(series.values.length).fill(histogram)
    return series
  }
}
