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
  /** A float came before them: the sum is none anyway, and they are not added up. */
  readonly isBehindFloat: boolean
  /** They cannot be added to each other, and no float came before that was found: none is told of. */
  isSilent: boolean
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

  /** `floats`: where the group has floats so far. */
  add({ labels, present, histograms }: StepSeries, floats: Uint8Array): void {
    this.#remarks.metricName = labels.get('__name__')
    for (let i = 0; i < present.length; i++) {
      const histogram = present[i] === 0 ? undefined : histograms?.[i]
      if (histogram === undefined) continue
      let step = this.#steps[i]
      if (step === undefined) {
        this.#context.hold(histogram.sampleCount, 2 * histogramBytes(histogram))
        const value = this.#operator === 'sum' ? new HistogramSum(histogram) : new HistogramAverage(histogram)
        step = { value, isBehindFloat: floats[i] !== 0, isSilent: false, wasReset: false, wasNotReset: false }
        this.#steps[i] = step
      } else if (!step.isBehindFloat && step.value?.add(histogram) === false) {
        if (step.value.reconciledBounds) this.#remarks.reconciledBounds('aggregation')
        this.#remarks.mixedSchemas()
        step.value = undefined
        step.isSilent = floats[i] === 0
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
      const { value, wasReset, wasNotReset, isSilent } = step
      if (value?.reconciledBounds === true) this.#remarks.reconciledBounds('aggregation')
      if (present[i] !== 0) {
        if (!isSilent) this.#remarks.mixedFloatsInAggregation()
        present[i] = 0
        return
      }
      if (value === undefined) return
      if (wasReset && wasNotReset) this.#remarks.conflictingResets('aggregation')
      present[i] = 1
      results[i] = (value instanceof HistogramSum ? value.total : value.average).compact()
    })
    return results
  }
}
