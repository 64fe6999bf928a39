import { makeArithmetic, makeComparison } from '../functions/binary-arithmetic.ts'
import { addHistograms, subtractHistograms } from '../histogram/combine-histograms.ts'
import { areEqual } from '../histogram/equal-histograms.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import { trimHistogram } from '../histogram/trim-histogram.ts'
import type { BinaryPlan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'

export type Operand = number | FloatHistogram

/** A binary operator on two values of which either may be a histogram. What does not go together gives nothing, with a remark. */
export class OperandCombiner {
  readonly #operator: BinaryPlan['operator']
  readonly #remarks: HistogramRemarks

  constructor(context: QueryContext, { operator, span }: BinaryPlan) {
    this.#operator = operator
    this.#remarks = new HistogramRemarks(context.annotations, span)
  }

  /** Of an arithmetic or trimming operator. */
  compute(left: Operand, right: Operand): Operand | undefined {
    const operator = this.#operator
    const isTrim = operator === '</' || operator === '>/'
    if (typeof left === 'number') {
      if (typeof right === 'number') return isTrim ? this.#refuse(left, right) : makeArithmetic(operator)(left, right)
      return operator === '*' ? right.times(left).compact() : this.#refuse(left, right)
    }
    if (typeof right === 'number') {
      if (isTrim) return trimHistogram(left, right, operator === '</')
      if (operator === '*') return left.times(right).compact()
      return operator === '/' ? left.dividedBy(right).compact() : this.#refuse(left, right)
    }
    if (operator !== '+' && operator !== '-') return this.#refuse(left, right)
    const combination = operator === '+' ? addHistograms(left, right) : subtractHistograms(left, right)
    if (combination === undefined) {
      this.#remarks.incompatibleBuckets(operator)
      return undefined
    }
    const name = operator === '+' ? 'addition' : 'subtraction'
    if (combination.conflictingResets) {
      // As in Prometheus, a warning here means that there is no result.
      this.#remarks.conflictingResets(name)
      return undefined
    }
    if (combination.reconciledBounds) this.#remarks.reconciledBounds(name)
    return combination.histogram.compact()
  }

  /** Of a comparison. */
  compare(left: Operand, right: Operand): boolean | undefined {
    const operator = this.#operator
    if (typeof left === 'number' && typeof right === 'number') return makeComparison(operator)(left, right)
    if (typeof left !== 'number' && typeof right !== 'number') {
      if (operator === '==') return areEqual(left, right)
      if (operator === '!=') return !areEqual(left, right)
    }
    return this.#refuse(left, right)
  }

  #refuse(left: Operand, right: Operand): undefined {
    this.#remarks.incompatibleTypes(kindOf(left), this.#operator, kindOf(right))
    return undefined
  }
}

function kindOf(operand: Operand): string {
  return typeof operand === 'number' ? 'float' : 'histogram'
}
