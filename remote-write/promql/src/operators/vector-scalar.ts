import { makeArithmetic, makeComparison } from '../functions/binary-arithmetic.ts'
import { isComparison } from '../parse/ast.ts'
import type { BinaryPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { notBuiltYet } from '../query-error.ts'
import { MapValuesOperator } from './map-values.ts'
import { dropNames } from './names.ts'
import type { VectorOperator } from './operator.ts'

/** A binary operator between a vector and a scalar, which may be on either side. */
export function buildVectorScalar(
  context: QueryContext,
  plan: BinaryPlan,
  vector: VectorOperator,
  scalars: Float64Array,
  scalarIsLeft: boolean,
): VectorOperator {
  if (plan.operator === '</' || plan.operator === '>/') throw notBuiltYet(`operator ${plan.operator}: native histograms are`)
  if (!isComparison(plan.operator)) return dropNames(context, new MapValuesOperator(vector, makeCompute(plan, scalars, scalarIsLeft)))
  const compared = new MapValuesOperator(vector, makeFilter(plan, scalars, scalarIsLeft))
  return plan.returnBool ? dropNames(context, compared) : compared
}

function makeCompute({ operator }: BinaryPlan, scalars: Float64Array, scalarIsLeft: boolean): (values: Float64Array) => void {
  const compute = makeArithmetic(operator)
  if (scalarIsLeft) {
    return (values) => {
      for (let i = 0; i < values.length; i++) values[i] = compute(scalars[i]!, values[i]!)
    }
  }
  return (values) => {
    for (let i = 0; i < values.length; i++) values[i] = compute(values[i]!, scalars[i]!)
  }
}

function makeFilter(
  { operator, returnBool }: BinaryPlan,
  scalars: Float64Array,
  scalarIsLeft: boolean,
): (values: Float64Array, present: Uint8Array) => void {
  const compare = makeComparison(operator)
  return (values, present) => {
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue
      const holds = scalarIsLeft ? compare(scalars[i]!, values[i]!) : compare(values[i]!, scalars[i]!)
      if (returnBool) values[i] = holds ? 1 : 0
      else if (!holds) present[i] = 0
    }
  }
}
