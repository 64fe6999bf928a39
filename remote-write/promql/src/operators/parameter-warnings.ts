import { formatFloatG } from '@narthex/model/number'
import { isIntegralStrategy } from '../functions/integral.ts'
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
  if (quantiles.every(isQuantile)) return input
  return new UsedParameterOperator(input, quantiles, (used) => warnOfQuantiles(context, used, span))
}

/** As `warnOfUsedQuantiles`, of what is no strategy of integral(). */
export function warnOfUsedStrategies(context: QueryContext, input: VectorOperator, strategies: Float64Array, span: Span): VectorOperator {
  if (strategies.every(isIntegralStrategy)) return input
  return new UsedParameterOperator(input, strategies, (used) => {
    const wanted = 'strategy should be 0, 1, or 2 (default), using 2'
    for (const value of new Set(used))
      if (!isIntegralStrategy(value)) context.annotations.warn(`${wanted}, got ${formatFloatG(value)}`, span)
  })
}

/** Tells the values of a parameter at the steps where a series has a value. */
class UsedParameterOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #input: VectorOperator
  readonly #parameter: Float64Array
  readonly #tell: (used: Float64Array) => void

  constructor(input: VectorOperator, parameter: Float64Array, tell: (used: Float64Array) => void) {
    this.#input = input
    this.#parameter = parameter
    this.#tell = tell
    this.distinctWithoutName = input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series === undefined) return undefined
    this.#tell(this.#parameter.filter((_, i) => series.present[i] === 1))
    return series
  }
}

function isQuantile(value: number): boolean {
  return value >= 0 && value <= 1
}

function warn(context: QueryContext, quantile: number, span: Span): void {
  context.annotations.warn(`quantile value should be between 0 and 1, got ${formatFloatG(quantile)}`, span)
}
