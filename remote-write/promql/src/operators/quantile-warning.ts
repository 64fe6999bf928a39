import { formatFloatG } from '@narthex/model/number'
import type { Span } from '../parse/ast.ts'
import type { QueryContext } from '../query-context.ts'
import { extremes } from './extremes-of-parameter.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/** Warns of every value that is no quantile. */
export function warnOfQuantiles(context: QueryContext, quantiles: Float64Array, span: Span): void {
  for (const quantile of new Set(quantiles)) if (!isQuantile(quantile)) warn(context, quantile, span)
}

/** Warns of NaN and of the values that are furthest off, as aggregations do. */
export function warnOfExtremeQuantiles(context: QueryContext, quantiles: Float64Array, span: Span): void {
  const [least, most] = extremes(quantiles)
  if (quantiles.some(Number.isNaN)) warn(context, NaN, span)
  if (most > 1) warn(context, most, span)
  if (least < 0) warn(context, least, span)
}

/** The series, with a warning of every value that is no quantile where they have a value. */
export function warnOfUsedQuantiles(context: QueryContext, input: VectorOperator, quantiles: Float64Array, span: Span): VectorOperator {
  return quantiles.every(isQuantile) ? input : new UsedQuantilesOperator(context, input, quantiles, span)
}

class UsedQuantilesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #quantiles: Float64Array
  readonly #span: Span

  constructor(context: QueryContext, input: VectorOperator, quantiles: Float64Array, span: Span) {
    this.#context = context
    this.#input = input
    this.#quantiles = quantiles
    this.#span = span
    this.distinctWithoutName = input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series === undefined) return undefined
    warnOfQuantiles(
      this.#context,
      this.#quantiles.filter((_, i) => series.present[i] === 1),
      this.#span,
    )
    return series
  }
}

function isQuantile(value: number): boolean {
  return value >= 0 && value <= 1
}

function warn(context: QueryContext, quantile: number, span: Span): void {
  context.annotations.warn(`quantile value should be between 0 and 1, got ${formatFloatG(quantile)}`, span)
}
