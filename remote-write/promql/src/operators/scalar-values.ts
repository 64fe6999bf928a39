import { makeArithmetic, makeComparison } from '../functions/binary-arithmetic.ts'
import { greatestOf, leastOf } from '../functions/extremes.ts'
import { isComparison } from '../parse/ast.ts'
import type { BinaryPlan, CallPlan, Plan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { notBuiltYet } from '../query-error.ts'
import type { VectorOperator } from './operator.ts'

/** A scalar expression's value at every step; `buildVector` makes the operators of the vectors inside it. */
export function evaluateScalar(context: QueryContext, plan: Plan, grid: StepGrid, buildVector: BuildVector): Float64Array<ArrayBuffer> {
  const { profile } = context
  if (profile === undefined) return compute(context, plan, grid, buildVector)
  profile.enter(plan, grid.steps)
  try {
    return compute(context, plan, grid, buildVector)
  } finally {
    profile.leave()
  }
}

type BuildVector = (context: QueryContext, plan: Plan, grid: StepGrid) => VectorOperator

function compute(context: QueryContext, plan: Plan, grid: StepGrid, buildVector: BuildVector): Float64Array<ArrayBuffer> {
  const evaluate = (inner: Plan) => evaluateScalar(context, inner, grid, buildVector)
  const values = new Float64Array(grid.steps)
  switch (plan.kind) {
    case 'number':
      return values.fill(plan.value)
    case 'negation':
      return evaluate(plan.input).map((value) => -value)
    case 'binary':
      return combineScalars(plan, evaluate(plan.left), evaluate(plan.right))
    case 'call':
      if (plan.name === 'scalar') return onlyValues(buildVector(context, plan.args[0]!, grid), grid.steps)
      return callScalar(context, plan, grid, evaluate)
    default:
      throw notBuiltYet(`${plan.kind} as a scalar`)
  }
}

function combineScalars(plan: BinaryPlan, left: Float64Array<ArrayBuffer>, right: Float64Array): Float64Array<ArrayBuffer> {
  if (isComparison(plan.operator)) {
    const compare = makeComparison(plan.operator)
    for (let i = 0; i < left.length; i++) left[i] = compare(left[i]!, right[i]!) ? 1 : 0
  } else {
    const compute = makeArithmetic(plan.operator)
    for (let i = 0; i < left.length; i++) left[i] = compute(left[i]!, right[i]!)
  }
  return left
}

function callScalar(
  context: QueryContext,
  plan: CallPlan,
  grid: StepGrid,
  evaluate: (inner: Plan) => Float64Array<ArrayBuffer>,
): Float64Array<ArrayBuffer> {
  const values = new Float64Array(grid.steps)
  switch (plan.name) {
    case 'time':
      return values.map((_, i) => (grid.startMs + i * grid.stepMs) / 1000)
    case 'pi':
      return values.fill(Math.PI)
    case 'step':
      return values.fill(context.stepMs / 1000)
    case 'range':
      return values.fill((context.endMs - context.startMs) / 1000)
    case 'start':
      return values.fill(context.startMs / 1000)
    case 'end':
      return values.fill(context.endMs / 1000)
    case 'min_of':
    case 'max_of': {
      const pick = plan.name === 'min_of' ? leastOf : greatestOf
      const right = evaluate(plan.args[1]!)
      return evaluate(plan.args[0]!).map((value, i) => pick(value, right[i]!))
    }
    default:
      throw notBuiltYet(`function "${plan.name}"`)
  }
}

/** scalar(): the value where there is exactly one, NaN elsewhere. */
function onlyValues(input: VectorOperator, steps: number): Float64Array<ArrayBuffer> {
  const values = new Float64Array(steps).fill(NaN)
  const counts = new Uint8Array(steps)
  for (let series = input.next(); series !== undefined; series = input.next()) {
    for (let i = 0; i < steps; i++) {
      if (series.present[i] === 0 || series.histograms?.[i] !== undefined) continue
      values[i] = counts[i] === 0 ? series.values[i]! : NaN
      counts[i] = 1
    }
  }
  return values
}
