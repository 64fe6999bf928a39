import { counterReset, noReset } from '@narthex/model/reset-hint'
import { HistogramAverage } from '../histogram/histogram-average.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { HistogramSum } from '../histogram/histogram-sum.ts'
import type { Span } from '../parse/ast.ts'
import type { QueryContext } from '../query-context.ts'
import type { StepHistograms, StepSeries } from './operator.ts'
import { histogramBytes } from './operator.ts'

/** What a group has at one step. */
interface Aggregated {
  /** undefined: histograms that cannot be added to each other were among them. */
  value: HistogramSum | HistogramAverage | undefined
  wasReset: boolean
  wasNotReset: boolean
}

/** sum() or avg() of the histograms of one group, at all steps. */
export class HistogramAggregation {
  readonly #context: QueryContext
  readonly #operator: 'sum' | 'avg'
  readonly #remarks: HistogramRemarks
  readonly #steps: (Aggregated | undefined)[] = []

  constructor(context: QueryContext, operator: 'sum' | 'avg', span: Span) {
    this.#context = context
    this.#operator = operator
    this.#remarks = new HistogramRemarks(context.annotations, span)
  }

  add({ labels, present, histograms }: StepSeries): void {
    this.#remarks.metricName = labels.get('__name__')
    for (let i = 0; i < present.length; i++) {
      const histogram = present[i] === 0 ? undefined : histograms?.[i]
      if (histogram === undefined) continue
      let step = this.#steps[i]
      if (step === undefined) {
        this.#context.hold(histogram.sampleCount, 2 * histogramBytes(histogram))
        const value = this.#operator === 'sum' ? new HistogramSum(histogram) : new HistogramAverage(histogram)
        step = { value, wasReset: false, wasNotReset: false }
        this.#steps[i] = step
      } else if (step.value?.add(histogram) === false) {
        this.#remarks.mixedSchemas()
        step.value = undefined
      }
      if (histogram.hint === counterReset) step.wasReset = true
      if (histogram.hint === noReset) step.wasNotReset = true
    }
  }

  /** `present` says where the group has floats, and afterwards where it has a result: none where it has both. */
  finish(present: Uint8Array): StepHistograms {
    const results: StepHistograms = []
    this.#steps.forEach((step, i) => {
      if (step === undefined) return
      const { value, wasReset, wasNotReset } = step
      if (wasReset && wasNotReset) this.#remarks.conflictingResets('aggregation')
      if (value?.reconciledBounds === true) this.#remarks.reconciledBounds('aggregation')
      if (present[i] !== 0) {
        this.#remarks.mixedFloatsInAggregation()
        present[i] = 0
        return
      }
      if (value === undefined) return
      present[i] = 1
      results[i] = (value instanceof HistogramSum ? value.total : value.average).compact()
    })
    return results
  }
}
