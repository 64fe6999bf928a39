import { compareBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { CallPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { MapValuesOperator } from './map-values.ts'
import { textOf } from './label-functions.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { SeriesStore } from './series-store.ts'

/** sort, sort_desc, sort_by_label, sort_by_label_desc: put an instant's series in order; range queries are ordered by labels anyway. */
export function buildSort(context: QueryContext, plan: CallPlan, input: VectorOperator, grid: StepGrid): VectorOperator {
  const isByValue = plan.name === 'sort' || plan.name === 'sort_desc'
  const sortable = isByValue ? new MapValuesOperator(input, keepFloats) : input
  if (grid.steps > 1) {
    context.annotations.warn('sort is ineffective for range queries since results are always ordered by labels', plan.span)
    return sortable
  }
  switch (plan.name) {
    case 'sort':
      return new SortOperator(context, sortable, (a, b) => compareValues(a, b, 1))
    case 'sort_desc':
      return new SortOperator(context, sortable, (a, b) => compareValues(a, b, -1))
    default: {
      const names = plan.args.slice(1).map(textOf)
      const direction = plan.name === 'sort_by_label' ? 1 : -1
      return new SortOperator(context, input, (a, b) => compareByLabels(a, b, names) * direction)
    }
  }
}

/** Histograms have no order by value. */
const keepFloats = () => {}

class SortOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #compare: (a: StepSeries, b: StepSeries) => number
  #sorted: Iterator<StepSeries> | undefined

  constructor(context: QueryContext, input: VectorOperator, compare: (a: StepSeries, b: StepSeries) => number) {
    this.#context = context
    this.#input = input
    this.#compare = compare
    this.distinctWithoutName = input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    this.#sorted ??= SeriesStore.collect(this.#context, this.#input).series.sort(this.#compare)[Symbol.iterator]()
    const { value, done } = this.#sorted.next()
    return done === true ? undefined : value
  }
}

/** NaN comes last in either direction. */
function compareValues(a: StepSeries, b: StepSeries, direction: 1 | -1): number {
  const left = a.values[0]!
  const right = b.values[0]!
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
  return left === right ? 0 : (left < right ? -1 : 1) * direction
}

function compareByLabels(a: StepSeries, b: StepSeries, names: readonly string[]): number {
  for (const name of names) {
    const left = a.labels.get(name)
    const right = b.labels.get(name)
    if (left !== right) return compareNaturally(left, right)
  }
  return Labels.compare(a.labels, b.labels)
}

/** Runs of digits compare as numbers, everything else bytewise: `4m5` comes before `4m600`. */
export function compareNaturally(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? []
  const right = b.match(/\d+|\D+/g) ?? []
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const x = left[i]!
    const y = right[i]!
    if (x === y) continue
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const difference = BigInt(x) - BigInt(y)
      if (difference !== 0n) return difference < 0n ? -1 : 1
      if (x.length !== y.length) return x.length - y.length
    }
    return compareBytewise(x, y)
  }
  return left.length - right.length
}
