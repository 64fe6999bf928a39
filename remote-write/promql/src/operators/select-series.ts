import { formatFloatG } from '@narthex/model/number'
import { ExtremeHeap } from '../functions/extreme-heap.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { AggregationPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import { dropHistograms } from './drop-histograms.ts'
import { extremes } from './extremes-of-parameter.ts'
import { makeGrouping } from './grouping.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { SeriesStore } from './series-store.ts'

/** topk, bottomk, limitk, limit_ratio: keep some series of each group at each step, as they are. */
export class SelectSeriesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #plan: AggregationPlan
  /** Not looked at before the series are there: what is wrong with those is told first. */
  #parameter: Float64Array
  readonly #grid: StepGrid
  #selected: Iterator<StepSeries> | undefined

  constructor(context: QueryContext, plan: AggregationPlan, input: VectorOperator, parameter: Float64Array, grid: StepGrid) {
    this.#context = context
    this.#input = input
    this.#plan = plan
    this.#parameter = parameter
    this.#grid = grid
    this.distinctWithoutName = input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    this.#selected ??= this.#select()
    const { value, done } = this.#selected.next()
    return done === true ? undefined : value
  }

  #select(): Iterator<StepSeries> {
    const { grouping, without, operator } = this.#plan
    const groupOf = makeGrouping(grouping, without)
    const wantsFloats = operator === 'topk' || operator === 'bottomk'
    const remarks = new HistogramRemarks(this.#context.annotations, this.#plan.span)
    const groups = new Map<string, StepSeries[]>()
    const all = SeriesStore.collect(this.#context, this.#input).series
    const isRatio = operator === 'limit_ratio'
    this.#parameter = isRatio ? checkRatios(this.#context, this.#plan, this.#parameter) : checkCounts(this.#parameter)
    if (!this.#parameter.some((value) => (isRatio ? value !== 0 : value >= 1))) return [][Symbol.iterator]()
    for (const series of all) {
      if (wantsFloats) {
        if (this.#ignoresHistograms(series)) remarks.ignoredInAggregation(operator)
        dropHistograms(series)
      }
      const key = groupOf(series.labels).key()
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [series])
      else group.push(series)
    }
    const selected: StepSeries[] = []
    for (const group of groups.values()) {
      this.#context.checkAlive()
      if (isRatio) keepRatio(group, this.#parameter)
      else if (operator === 'limitk') keepFirst(group, this.#parameter)
      else this.#keepExtremes(group, operator === 'topk')
      for (const series of group) if (series.present.includes(1)) selected.push(series)
    }
    return selected[Symbol.iterator]()
  }

  /** Whether a histogram is there where values are asked for. */
  #ignoresHistograms({ present, histograms }: StepSeries): boolean {
    return (
      histograms !== undefined && present.some((isPresent, i) => isPresent !== 0 && this.#parameter[i]! >= 1 && histograms[i] !== undefined)
    )
  }

  /** For an instant the group is also put in order, the most extreme first. */
  #keepExtremes(group: StepSeries[], wantsLargest: boolean): void {
    const { steps } = this.#grid
    const most = this.#parameter.reduce((largest, count) => Math.max(largest, count), 0)
    const heap = new ExtremeHeap(Math.min(most, group.length), wantsLargest)
    for (let i = 0; i < steps; i++) {
      const count = Math.min(this.#parameter[i]!, group.length)
      heap.clear()
      for (let number = 0; number < group.length; number++) {
        const { present, values } = group[number]!
        if (present[i] === 0) continue
        heap.offer(number, values[i]!, count)
        present[i] = 0
      }
      for (let at = 0; at < heap.length; at++) group[heap.number(at)]!.present[i] = 1
      if (steps === 1) group.splice(0, group.length, ...heap.ordered().map((number) => group[number]!))
      if ((i & 255) === 255) this.#context.checkAlive()
    }
  }
}

function keepFirst(group: readonly StepSeries[], counts: Float64Array): void {
  const left = Float64Array.from(counts)
  for (const { present } of group) {
    for (let i = 0; i < present.length; i++) {
      if (present[i] !== 0 && --left[i]! < 0) present[i] = 0
    }
  }
}

/** By the hash of the labels, so that a ratio and its complement share out all series. */
function keepRatio(group: readonly StepSeries[], ratios: Float64Array): void {
  for (const { labels, present } of group) {
    const offset = labels.hashFraction()
    for (let i = 0; i < present.length; i++) {
      const ratio = ratios[i]!
      const isKept = ratio >= 0 ? offset < ratio : offset >= 1 + ratio
      if (!isKept) present[i] = 0
    }
  }
}

/** If none asks for a series they are not looked at more closely. */
function checkCounts(counts: Float64Array): Float64Array {
  if (counts.every((count) => count < 1)) return counts
  const [least, most] = extremes(counts)
  if (counts.some(Number.isNaN)) throw new QueryError('execution', 'Parameter value is NaN')
  if (least <= -(2 ** 63)) throw new QueryError('execution', `Scalar value ${formatFloatG(least)} underflows int64`)
  if (most >= 2 ** 63) throw new QueryError('execution', `Scalar value ${formatFloatG(most)} overflows int64`)
  return counts.map(Math.trunc)
}

function checkRatios(context: QueryContext, plan: AggregationPlan, ratios: Float64Array): Float64Array {
  if (ratios.every((ratio) => ratio === 0)) return ratios
  if (ratios.some(Number.isNaN)) throw new QueryError('execution', 'Ratio value is NaN')
  const [least, most] = extremes(ratios)
  const warn = (ratio: number, cap: number) => {
    const message = `ratio value should be between -1 and 1, got ${formatFloatG(ratio)}, capping to ${cap}`
    context.annotations.warn(message, plan.parameter!.span)
  }
  if (most > 1) warn(most, 1)
  if (least < -1) warn(least, -1)
  return ratios.map((ratio) => Math.max(-1, Math.min(1, ratio)))
}
