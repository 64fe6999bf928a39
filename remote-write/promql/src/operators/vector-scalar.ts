import { makeArithmetic, makeComparison } from '../functions/binary-arithmetic.ts'
import { isComparison } from '../parse/ast.ts'
import type { BinaryPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { Operand } from './combine-operands.ts'
import { OperandCombiner } from './combine-operands.ts'
import type { MixedSeries } from './map-values.ts'
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
  const combiner = new OperandCombiner(context, plan)
  const isTrim = plan.operator === '</' || plan.operator === '>/'
  if (isTrim || !isComparison(plan.operator)) {
    const computeMixed = makeMixedCompute(combiner, scalars, scalarIsLeft)
    const compute = isTrim ? makeRefusal(combiner, scalars) : makeCompute(plan, scalars, scalarIsLeft)
    const computed = new MapValuesOperator(vector, compute, computeMixed)
    // What is left of a histogram keeps its name.
    return isTrim ? computed : dropNames(context, computed)
  }
  const filter = makeFilter(plan, scalars, scalarIsLeft)
  const compared = new MapValuesOperator(vector, filter, makeMixedFilter(combiner, plan.returnBool, scalars, scalarIsLeft))
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

/** Floats cannot be trimmed. */
function makeRefusal(combiner: OperandCombiner, scalars: Float64Array): (values: Float64Array, present: Uint8Array) => void {
  return (values, present) => {
    for (let i = 0; i < values.length; i++) {
      if (present[i] !== 0) combiner.compute(values[i]!, scalars[i]!)
      present[i] = 0
    }
  }
}

function makeMixedCompute(combiner: OperandCombiner, scalars: Float64Array, scalarIsLeft: boolean): (series: MixedSeries) => void {
  return ({ values, present, histograms }) => {
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue
      const operand: Operand = histograms[i] ?? values[i]!
      const result = scalarIsLeft ? combiner.compute(scalars[i]!, operand) : combiner.compute(operand, scalars[i]!)
      if (result === undefined) present[i] = 0
      else if (typeof result === 'number') values[i] = result
      else histograms[i] = result
    }
  }
}

function makeMixedFilter(
  combiner: OperandCombiner,
  returnBool: boolean,
  scalars: Float64Array,
  scalarIsLeft: boolean,
): (series: MixedSeries) => void {
  return ({ values, present, histograms }) => {
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue
      const operand: Operand = histograms[i] ?? values[i]!
      const holds = scalarIsLeft ? combiner.compare(scalars[i]!, operand) : combiner.compare(operand, scalars[i]!)
      if (returnBool && holds !== undefined) {
        histograms[i] = undefined
        values[i] = holds ? 1 : 0
      } else if (holds !== true) present[i] = 0
    }
  }
}
