import type { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import type { Buckets } from '../functions/buckets.ts'
import { sortBuckets } from '../functions/buckets.ts'
import type { Span } from '../parse/ast.ts'
import type { StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { SeriesStore } from './series-store.ts'

interface Histogram {
  readonly labels: Labels
  dropName: boolean
  readonly buckets: { readonly bound: number; readonly series: StepSeries }[]
}

/** Computes one value from the buckets of a histogram at one step. The buckets are sorted, and the function's to change. */
export type BucketFunction = (buckets: Buckets, step: number, labels: Labels) => number

export interface BucketOutput {
  readonly evaluate: BucketFunction
  /** Labels of the result. */
  readonly label: (labels: Labels) => Labels
}

/** Puts series that differ in `le` only together into histograms and computes one or several series from each. */
export class ClassicHistogramOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #span: Span
  readonly #outputs: readonly BucketOutput[]
  readonly #series: StepSeries
  #histograms: Histogram[] | undefined
  #at = 0

  constructor(context: QueryContext, input: VectorOperator, span: Span, grid: StepGrid, outputs: readonly BucketOutput[]) {
    this.#context = context
    this.#input = input
    this.#span = span
    this.#outputs = outputs
    this.#series = { labels: undefined!, dropName: false, values: new Float64Array(grid.steps), present: new Uint8Array(grid.steps) }
  }

  next(): StepSeries | undefined {
    this.#histograms ??= this.#collect()
    const histogram = this.#histograms[Math.floor(this.#at / this.#outputs.length)]
    if (histogram === undefined) return undefined
    const output = this.#outputs[this.#at++ % this.#outputs.length]!
    this.#context.checkAlive()
    this.#compute(histogram, output)
    this.#series.labels = output.label(histogram.labels)
    this.#series.dropName = histogram.dropName
    return this.#series
  }

  #collect(): Histogram[] {
    const histograms = new Map<string, Histogram>()
    for (const series of SeriesStore.collect(this.#context, this.#input).series) {
      const le = series.labels.get('le')
      const bound = parseGoFloat(le)
      if (bound === undefined) {
        const name = quoteText(series.labels.get('__name__'))
        const message = `bucket label "le" is missing or has a malformed value of ${quoteText(le)} for metric name ${name}`
        this.#context.annotations.warn(message, this.#span)
        continue
      }
      const labels = series.labels.without('le')
      let histogram = histograms.get(labels.key())
      if (histogram === undefined) {
        histogram = { labels, dropName: false, buckets: [] }
        histograms.set(labels.key(), histogram)
      }
      histogram.dropName ||= series.dropName
      histogram.buckets.push({ bound, series })
    }
    // In order once here, they need no sorting at each step.
    for (const { buckets } of histograms.values()) buckets.sort((a, b) => a.bound - b.bound || 0)
    return [...histograms.values()]
  }

  #compute({ buckets, labels }: Histogram, { evaluate }: BucketOutput): void {
    const { values, present } = this.#series
    const atStep: Buckets = { bounds: new Float64Array(buckets.length), counts: new Float64Array(buckets.length), length: 0 }
    for (let i = 0; i < values.length; i++) {
      atStep.length = 0
      for (const { bound, series } of buckets) {
        if (series.present[i] === 0) continue
        atStep.bounds[atStep.length] = bound
        atStep.counts[atStep.length++] = series.values[i]!
      }
      present[i] = atStep.length > 0 ? 1 : 0
      if (atStep.length === 0) continue
      sortBuckets(atStep)
      values[i] = evaluate(atStep, i, labels)
    }
  }
}
