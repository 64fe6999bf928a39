import type { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import type { Buckets } from '../functions/buckets.ts'
import { sortBuckets } from '../functions/buckets.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { Span } from '../parse/ast.ts'
import type { StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { dropHistograms } from './drop-histograms.ts'
import { SeriesStore } from './series-store.ts'

interface Histogram {
  readonly labels: Labels
  dropName: boolean
  readonly buckets: { readonly bound: number; readonly series: StepSeries }[]
  /** The series of native histograms with these labels. */
  native: StepSeries | undefined
}

/** Computes one value from the buckets of a histogram at one step. The buckets are sorted, and the function's to change. */
export type BucketFunction = (buckets: Buckets, step: number, labels: Labels) => number

/** The same from a native histogram. */
export type NativeFunction = (histogram: FloatHistogram, step: number, labels: Labels) => number

export interface BucketOutput {
  readonly evaluate: BucketFunction
  readonly evaluateNative: NativeFunction
  /** Default: at all steps. */
  readonly isComputedAt?: (step: number) => boolean
  /** Labels of the result. */
  readonly label: (labels: Labels) => Labels
}

/**
 * Puts series that differ in `le` only together into histograms and computes one or several series from each, as from each series of native
 * histograms. Where one label set has both at a step, neither counts.
 */
export class ClassicHistogramOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #span: Span
  readonly #outputs: readonly BucketOutput[]
  readonly #series: StepSeries
  #histograms: Histogram[] | undefined
  #at = 0
  readonly #remarks: HistogramRemarks

  constructor(context: QueryContext, input: VectorOperator, span: Span, grid: StepGrid, outputs: readonly BucketOutput[]) {
    this.#context = context
    this.#input = input
    this.#span = span
    this.#remarks = new HistogramRemarks(context.annotations, span)
    this.#outputs = outputs
    this.#series = {
      labels: undefined!,
      dropName: false,
      values: new Float64Array(grid.steps),
      present: new Uint8Array(grid.steps),
      histograms: undefined,
    }
  }

  next(): StepSeries | undefined {
    this.#histograms ??= this.#collect()
    for (;;) {
      const histogram = this.#histograms[Math.floor(this.#at / this.#outputs.length)]
      if (histogram === undefined) return undefined
      const output = this.#outputs[this.#at++ % this.#outputs.length]!
      this.#context.checkAlive()
      this.#compute(histogram, output)
      if (!this.#series.present.includes(1)) continue
      this.#series.labels = output.label(histogram.labels)
      this.#series.dropName = histogram.dropName
      return this.#series
    }
  }

  #collect(): Histogram[] {
    const histograms = new Map<string, Histogram>()
    const histogramOf = (labels: Labels, dropName: boolean): Histogram => {
      let histogram = histograms.get(labels.key())
      if (histogram === undefined) {
        histogram = { labels, dropName: false, buckets: [], native: undefined }
        histograms.set(labels.key(), histogram)
      }
      histogram.dropName ||= dropName
      return histogram
    }
    for (const series of SeriesStore.collect(this.#context, this.#input).series) {
      if (series.histograms !== undefined) {
        const native = { ...series, present: series.present.map((isPresent, i) => (series.histograms?.[i] === undefined ? 0 : isPresent)) }
        histogramOf(series.labels, series.dropName).native = native
        dropHistograms(series)
        if (!series.present.includes(1)) continue
      }
      const le = series.labels.get('le')
      const bound = parseGoFloat(le)
      if (bound === undefined || Number.isNaN(bound)) {
        const name = this.#nameToTell(series.labels)
        const message = `bucket label "le" is missing or has a malformed value of ${quoteText(le)}`
        this.#context.annotations.warn(name === '' ? message : `${message} for metric name ${quoteText(name)}`, this.#span)
        continue
      }
      histogramOf(series.labels.without('le'), series.dropName).buckets.push({ bound, series })
    }
    // In order once here, they need no sorting at each step.
    for (const { buckets } of histograms.values()) buckets.sort((a, b) => a.bound - b.bound || 0)
    return [...histograms.values()]
  }

  /** Whose name a result loses is told of without it. */
  #nameToTell(labels: Labels): string {
    return this.#context.delayedNameRemoval ? labels.get('__name__') : ''
  }

  #compute({ buckets, labels, native }: Histogram, { evaluate, evaluateNative, isComputedAt }: BucketOutput): void {
    const { values, present } = this.#series
    const atStep: Buckets = { bounds: new Float64Array(buckets.length), counts: new Float64Array(buckets.length), length: 0 }
    for (let i = 0; i < values.length; i++) {
      if (isComputedAt?.(i) === false) {
        present[i] = 0
        continue
      }
      atStep.length = 0
      for (const { bound, series } of buckets) {
        if (series.present[i] === 0) continue
        atStep.bounds[atStep.length] = bound
        atStep.counts[atStep.length++] = series.values[i]!
      }
      const histogram = native?.present[i] === 1 ? native.histograms![i] : undefined
      if (histogram !== undefined && atStep.length > 0) {
        this.#remarks.metricName = this.#nameToTell(labels)
        this.#remarks.mixedClassic()
        present[i] = 0
        continue
      }
      present[i] = atStep.length > 0 || histogram !== undefined ? 1 : 0
      if (histogram !== undefined) values[i] = evaluateNative(histogram, i, labels)
      if (atStep.length === 0) continue
      sortBuckets(atStep)
      values[i] = evaluate(atStep, i, labels)
    }
  }
}
