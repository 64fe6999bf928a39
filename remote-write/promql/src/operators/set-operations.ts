import type { BinaryPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { makeSignature } from './matching-labels.ts'
import { MergeLabelsOperator } from './merge-labels.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/** and, or, unless: by the presence of matching series at each step, whatever their values. */
export function buildSetOperation(
  context: QueryContext,
  plan: BinaryPlan,
  left: VectorOperator,
  right: VectorOperator,
  grid: StepGrid,
): VectorOperator {
  if (plan.operator === 'or') return new MergeLabelsOperator(context, new UnionOperator(context, plan, left, right, grid))
  return new FilterOperator(context, plan, left, right, grid)
}

/** Which steps have any series, by matching labels. One bitmap a signature is held, counted in the budget. */
class PresenceBySignature {
  readonly #context: QueryContext
  readonly #signature: (labels: StepSeries['labels']) => string
  readonly #steps: number
  readonly #presence = new Map<string, Uint8Array>()

  constructor(context: QueryContext, plan: BinaryPlan, steps: number) {
    this.#context = context
    this.#signature = makeSignature(plan.matching!)
    this.#steps = steps
  }

  record(series: StepSeries): void {
    const key = this.#signature(series.labels)
    let presence = this.#presence.get(key)
    if (presence === undefined) {
      this.#context.hold(0, this.#steps)
      presence = new Uint8Array(this.#steps)
      this.#presence.set(key, presence)
    }
    for (let i = 0; i < this.#steps; i++) presence[i]! |= series.present[i]!
  }

  of(series: StepSeries): Uint8Array | undefined {
    return this.#presence.get(this.#signature(series.labels))
  }
}

/** Keeps of each series the steps at which `presence` is `wanted`; false if none is left. */
function filterSteps(series: StepSeries, presence: Uint8Array | undefined, wanted: 0 | 1): boolean {
  if (presence === undefined) return wanted === 0
  const { present } = series
  for (let i = 0; i < present.length; i++) if (presence[i] !== wanted) present[i] = 0
  return present.includes(1)
}

class FilterOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #left: VectorOperator
  readonly #right: VectorOperator
  readonly #presence: PresenceBySignature
  readonly #wanted: 0 | 1
  #isPrepared = false

  constructor(context: QueryContext, plan: BinaryPlan, left: VectorOperator, right: VectorOperator, grid: StepGrid) {
    this.#left = left
    this.#right = right
    this.#presence = new PresenceBySignature(context, plan, grid.steps)
    this.#wanted = plan.operator === 'and' ? 1 : 0
    this.distinctWithoutName = left.distinctWithoutName
  }

  next(): StepSeries | undefined {
    if (!this.#isPrepared) {
      for (let series = this.#right.next(); series !== undefined; series = this.#right.next()) this.#presence.record(series)
      this.#isPrepared = true
    }
    for (let series = this.#left.next(); series !== undefined; series = this.#left.next()) {
      if (filterSteps(series, this.#presence.of(series), this.#wanted)) return series
    }
    return undefined
  }
}

/** All of the left side, then what of the right side has no match there. */
class UnionOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #left: VectorOperator
  readonly #right: VectorOperator
  readonly #presence: PresenceBySignature

  constructor(context: QueryContext, plan: BinaryPlan, left: VectorOperator, right: VectorOperator, grid: StepGrid) {
    this.#left = left
    this.#right = right
    this.#presence = new PresenceBySignature(context, plan, grid.steps)
  }

  next(): StepSeries | undefined {
    const left = this.#left.next()
    if (left !== undefined) {
      this.#presence.record(left)
      return left
    }
    for (let series = this.#right.next(); series !== undefined; series = this.#right.next()) {
      if (filterSteps(series, this.#presence.of(series), 0)) return series
    }
    return undefined
  }
}
