import { mixedFunctions } from '../functions/mixed-functions.ts'
import type { MixedFunction } from '../functions/mixed-window.ts'
import { ofFloats } from '../functions/mixed-window.ts'
import { presentOverTime } from '../functions/over-time.ts'
import { describeNonCounter, describeNonCounterType, rangeFunctions } from '../functions/range-functions.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { Span } from '../parse/ast.ts'
import type { CallPlan, Plan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { notBuiltYet } from '../query-error.ts'
import { ExtendedRangeOperator } from './extended-range.ts'
import { dropNames } from './names.ts'
import { measureSource } from './measured.ts'
import type { SampleSeries, SampleSource, VectorOperator } from './operator.ts'
import { RangeFunctionOperator } from './range-function.ts'
import { warnOfUsedQuantiles, warnOfUsedStrategies } from './parameter-warnings.ts'
import { emptySource, subqueryGrid, SubquerySource } from './subquery-source.ts'
import { WindowSource } from './window-source.ts'

/** What the builders of single functions need to build their arguments. */
export interface Builder {
  vector(plan: Plan, grid: StepGrid): VectorOperator
  scalar(plan: Plan, grid: StepGrid): Float64Array<ArrayBuffer>
}

/** The samples behind a range vector argument. */
export function buildSource(context: QueryContext, plan: Plan, grid: StepGrid, builder: Builder): SampleSource {
  return measureSource(context, plan, grid, () => buildUnmeasured(context, plan, grid, builder))
}

function buildUnmeasured(context: QueryContext, plan: Plan, grid: StepGrid, builder: Builder): SampleSource {
  if (plan.kind === 'window') {
    if (plan.mode === 'plain') return new WindowSource(context, plan, grid)
    return new WindowSource(context, plan, grid, context.lookbackMs, plan.mode === 'smoothed' ? context.lookbackMs : 0)
  }
  if (plan.kind !== 'subquery') throw notBuiltYet(`${plan.kind} as a range vector is`)
  const inner = subqueryGrid(plan, grid)
  return inner === undefined ? emptySource : new SubquerySource(builder.vector(plan.input, inner), inner)
}

/** rate(), sum_over_time(), … : any function that gives one value per window. */
export function buildRangeCall(context: QueryContext, plan: CallPlan, grid: StepGrid, builder: Builder): VectorOperator {
  const definition = rangeFunctions.get(plan.name)!
  const input = plan.args.find(({ type }) => type === 'matrix')!
  if (input.kind !== 'window' && input.kind !== 'subquery') throw notBuiltYet(`${input.kind} as a range vector is`)
  const scalarPlans = plan.args.filter(({ type }) => type === 'scalar')
  const scalars = scalarPlans.map((argument) => builder.scalar(argument, grid))
  const source = buildSource(context, input, grid, builder)
  // As in Prometheus, they are about the first argument, whatever that is.
  const remarks = new HistogramRemarks(context.annotations, plan.args[0]!.span)
  const onSeries = definition.wantsCounter === true ? makeCounterRemark(context, input.span) : undefined
  if (input.kind === 'window' && input.mode !== 'plain') {
    return dropNames(context, new ExtendedRangeOperator(context, source, grid, input, plan.name, remarks, onSeries))
  }
  const evaluate = definition.make(scalars)
  const plain = new RangeFunctionOperator(context, source, {
    grid,
    rangeMs: input.rangeMs,
    shift: input.kind === 'window' ? input.selector.shift : input.shift,
    evaluate,
    evaluateAll: definition.ofAllSteps,
    evaluateMixed: mixedFunctions.get(plan.name) ?? ofFloats(evaluate, scalars.length > 0),
    remarks,
    needsResets: definition.needsResets === true,
    onSeries,
  })
  const operator = warnOfParameter(context, plan.name, plain, scalars, scalarPlans)
  return definition.keepsName === true ? operator : dropNames(context, operator, plan.mayComeInParts)
}

function warnOfParameter(
  context: QueryContext,
  name: string,
  input: VectorOperator,
  [parameter]: readonly Float64Array[],
  [plan]: readonly Plan[],
): VectorOperator {
  if (parameter === undefined || plan === undefined) return input
  if (name === 'quantile_over_time') return warnOfUsedQuantiles(context, input, parameter, plan.span)
  return name === 'integral' ? warnOfUsedStrategies(context, input, parameter, plan.span) : input
}

function makeCounterRemark(context: QueryContext, span: Span): (series: SampleSeries) => void {
  return ({ labels }) => {
    const name = labels.get('__name__')
    const remark = context.typeAndUnitLabels ? describeNonCounterType(name, labels.get('__type__')) : describeNonCounter(name)
    if (remark !== undefined) context.annotations.info(remark, span)
  }
}

const present: MixedFunction = () => 1

/** 1 wherever a window holds a sample. */
export function buildPresence(context: QueryContext, input: Plan, grid: StepGrid, builder: Builder): VectorOperator {
  if (input.kind !== 'window' && input.kind !== 'subquery') throw notBuiltYet(`${input.kind} as a range vector is`)
  return new RangeFunctionOperator(context, buildSource(context, input, grid, builder), {
    grid,
    rangeMs: input.rangeMs,
    shift: input.kind === 'window' ? input.selector.shift : input.shift,
    evaluate: presentOverTime,
    evaluateMixed: present,
    remarks: new HistogramRemarks(context.annotations, input.span),
    needsResets: false,
  })
}
