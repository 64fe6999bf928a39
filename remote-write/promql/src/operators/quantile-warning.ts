import { formatFloatG } from '@narthex/model/number'
import type { Span } from '../parse/ast.ts'
import type { QueryContext } from '../query-context.ts'

/** Warns of every value that is no quantile. */
export function warnOfQuantiles(context: QueryContext, quantiles: Float64Array, span: Span): void {
  let warned: number | undefined
  for (const quantile of quantiles) {
    if ((quantile >= 0 && quantile <= 1) || Object.is(quantile, warned)) continue
    warned = quantile
    context.annotations.warn(`quantile value should be between 0 and 1, got ${formatFloatG(quantile)}`, span)
  }
}
