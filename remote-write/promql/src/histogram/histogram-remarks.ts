import { quoteText } from '@narthex/model/quote'
import type { Annotations } from '../annotations.ts'
import type { Span } from '../parse/ast.ts'

export type CombiningOperation = 'addition' | 'subtraction' | 'aggregation'

/** Prometheus' remarks on histograms that one part of a query meets. `metricName` is that of the series at hand. */
export class HistogramRemarks {
  metricName = ''
  readonly #annotations: Annotations
  readonly #span: Span

  constructor(annotations: Annotations, span: Span) {
    this.#annotations = annotations
    this.#span = span
  }

  get #ofMetric(): string {
    return this.metricName === '' ? '' : ` for metric name ${quoteText(this.metricName)}`
  }

  #warn(text: string): void {
    this.#annotations.warn(text, this.#span)
  }

  #info(text: string): void {
    this.#annotations.info(text, this.#span)
  }

  mixedFloats(): void {
    this.#warn(`encountered a mix of histograms and floats for metric name ${quoteText(this.metricName)}`)
  }

  mixedFloatsInAggregation(): void {
    this.#warn('encountered a mix of histograms and floats for aggregation')
  }

  mixedClassic(): void {
    this.#warn(`vector contains a mix of classic and native histograms${this.#ofMetric}`)
  }

  mixedSchemas(): void {
    const name = quoteText(this.metricName)
    this.#warn(`vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${name}`)
  }

  incompatibleBuckets(operator: string): void {
    this.#warn(`incompatible bucket layout encountered for binary operator ${operator}`)
  }

  incompatibleTypes(left: string, operator: string, right: string): void {
    this.#info(`incompatible sample types encountered for binary operator ${quoteText(operator)}: ${left} ${operator} ${right}`)
  }

  notCounter(): void {
    this.#warn(`this native histogram metric is not a counter: ${quoteText(this.metricName)}`)
  }

  notGauge(): void {
    this.#warn(`this native histogram metric is not a gauge: ${quoteText(this.metricName)}`)
  }

  conflictingResets(operation: CombiningOperation): void {
    this.#warn(`conflicting counter resets during histogram ${operation}`)
  }

  reconciledBounds(operation: CombiningOperation): void {
    this.#info(`mismatched custom buckets were reconciled during ${operation}`)
  }

  ignoredInAggregation(aggregation: string): void {
    this.#info(`ignored histogram in ${aggregation} aggregation`)
  }

  ignoredInMixedRange(): void {
    this.#info(`ignored histograms in a range containing both floats and histograms for metric name ${quoteText(this.metricName)}`)
  }

  quantileIsNaN(): void {
    this.#info(`input to histogram_quantile has NaN observations, result is NaN${this.#ofMetric}`)
  }

  quantileIsSkewed(): void {
    this.#info(`input to histogram_quantile has NaN observations, result is skewed higher${this.#ofMetric}`)
  }

  fractionLacksNaN(): void {
    this.#info(`input to histogram_fraction has NaN observations, which are excluded from all fractions${this.#ofMetric}`)
  }

  overlappingStart(): void {
    const message = `sample has start time that overlaps with previous sample timestamp for metric ${quoteText(this.metricName)}`
    this.#annotations.warnCounted(message, this.#span)
  }
}
