import { isSetOperator } from '../parse/ast.ts'
import type { AggregationPlan, Plan, SelectorPlan, StepGrid, WindowPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { notBuiltYet } from '../query-error.ts'
import { AggregateOperator } from './aggregate.ts'
import { CountValuesOperator, QuantileOperator } from './aggregate-values.ts'
import { buildCall } from './build-call.ts'
import type { Builder } from './build-range-call.ts'
import { BroadcastOperator } from './constant-series.ts'
import { textOf } from './label-functions.ts'
import type { MixedSeries } from './map-values.ts'
import { MapValuesOperator } from './map-values.ts'
import { MatchVectorsOperator } from './match-vectors.ts'
import { dropNames } from './names.ts'
import { measureVector } from './measured.ts'
import type { VectorOperator } from './operator.ts'
import { warnOfExtremeQuantiles } from './parameter-warnings.ts'
import { evaluateScalar } from './scalar-values.ts'
import { SelectSeriesOperator } from './select-series.ts'
import { buildSetOperation } from './set-operations.ts'
import { SmoothedSelectorOperator } from './smoothed-selector.ts'
import { buildVectorScalar } from './vector-scalar.ts'
import { VectorSelectorOperator } from './vector-selector.ts'

/** Builds the operators of an instant vector over a grid of steps. */
export function buildVector(context: QueryContext, plan: Plan, grid: StepGrid): VectorOperator {
  if (plan.invariant && grid.steps > 1) {
    const once: StepGrid = { ...grid, steps: 1, counting: grid.counting ?? 'all' }
    return new BroadcastOperator(buildVector(context, plan, once), grid.steps)
  }
  return measureVector(context, plan, grid, () => {
    if (plan.shared === undefined) return buildOwn(context, plan, grid)
    return context.shared.vector(plan, grid, () => buildOwn(context, plan, grid))
  })
}

/** Whether or not others share it. */
function buildOwn(context: QueryContext, plan: Plan, grid: StepGrid): VectorOperator {
  const builder: Builder = {
    vector: (inner, innerGrid) => buildVector(context, inner, innerGrid),
    scalar: (inner, innerGrid) => evaluateScalar(context, inner, innerGrid, buildVector),
  }
  switch (plan.kind) {
    case 'selector':
      if (plan.smoothed) return new SmoothedSelectorOperator(context, windowOf(plan, context.lookbackMs), grid)
      return new VectorSelectorOperator(context, plan, grid)
    case 'call':
      return buildCall(context, plan, grid, builder)
    case 'aggregation':
      return buildAggregation(context, plan, grid, builder)
    case 'negation':
      return dropNames(context, new MapValuesOperator(builder.vector(plan.input, grid), negate, negateMixed))
    case 'binary': {
      const { left, right } = plan
      if (left.type === 'scalar') return buildVectorScalar(context, plan, builder.vector(right, grid), builder.scalar(left, grid), true)
      if (right.type === 'scalar') return buildVectorScalar(context, plan, builder.vector(left, grid), builder.scalar(right, grid), false)
      const [leftVector, rightVector] = [builder.vector(left, grid), builder.vector(right, grid)]
      if (isSetOperator(plan.operator)) return buildSetOperation(context, plan, leftVector, rightVector, grid)
      return new MatchVectorsOperator(context, plan, leftVector, rightVector, grid)
    }
    default:
      throw notBuiltYet(`${plan.kind} as an instant vector is`)
  }
}

/** The samples that a smoothed selector interpolates from begin one lookback before each step. */
function windowOf(selector: SelectorPlan, rangeMs: number): WindowPlan {
  return { kind: 'window', selector, rangeMs, mode: 'smoothed', span: selector.span, type: 'matrix', invariant: selector.invariant }
}

function negate(values: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i] = -values[i]!
}

function negateMixed({ values, present, histograms }: MixedSeries): void {
  negate(values)
  for (let i = 0; i < present.length; i++) if (present[i] !== 0) histograms[i] = histograms[i]?.times(-1)
}

function buildAggregation(context: QueryContext, plan: AggregationPlan, grid: StepGrid, builder: Builder): VectorOperator {
  const input = builder.vector(plan.input, grid)
  switch (plan.operator) {
    case 'topk':
    case 'bottomk':
    case 'limitk':
    case 'limit_ratio':
      return new SelectSeriesOperator(context, plan, input, builder.scalar(plan.parameter!, grid), grid)
    case 'quantile': {
      const quantiles = builder.scalar(plan.parameter!, grid)
      warnOfExtremeQuantiles(context, quantiles, plan.parameter!.span)
      return new QuantileOperator(context, plan, input, quantiles, grid)
    }
    case 'count_values':
      return new CountValuesOperator(context, plan, input, textOf(plan.parameter!), grid)
    default:
      return new AggregateOperator(context, plan, input, grid)
  }
}
