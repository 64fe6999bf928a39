import type { Labels } from '@narthex/model/labels'
import { isValidLabelName } from '@narthex/model/name'
import { formatFloatPlain } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { quantileOfAny, quantileOfSorted } from '../functions/quantile.ts'
import { formatHistogram } from '../histogram/format-histogram.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { AggregationPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import { dropHistograms } from './drop-histograms.ts'
import { makeGrouping } from './grouping.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { stepSeriesBytes } from './operator.ts'
import { SeriesStore } from './series-store.ts'

/** quantile(): needs all values of a group at a step together. */
export class QuantileOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #plan: AggregationPlan
  readonly #quantiles: Float64Array
  readonly #series: StepSeries
  #groups: Iterator<{ labels: Labels; series: StepSeries[] }> | undefined

  constructor(context: QueryContext, plan: AggregationPlan, input: VectorOperator, quantiles: Float64Array, grid: StepGrid) {
    this.#context = context
    this.#input = input
    this.#plan = plan
    this.#quantiles = quantiles
    this.#series = {
      labels: undefined!,
      dropName: false,
      values: new Float64Array(grid.steps),
      present: new Uint8Array(grid.steps),
      histograms: undefined,
    }
    this.distinctWithoutName = plan.without || !plan.grouping.includes('__name__')
  }

  next(): StepSeries | undefined {
    this.#groups ??= this.#collect().values()
    const { value: group, done } = this.#groups.next()
    if (done === true) return undefined
    this.#context.checkAlive()
    const { values, present } = this.#series
    const scratch = new Float64Array(group.series.length)
    for (let i = 0; i < values.length; i++) {
      // NaN sorts in front here, and last in a typed array: kept apart.
      let count = 0
      let nans = 0
      for (const series of group.series) {
        if (series.present[i] === 0) continue
        if (Number.isNaN(series.values[i]!)) nans++
        else scratch[count++] = series.values[i]!
      }
      present[i] = count + nans > 0 ? 1 : 0
      if (present[i] === 0) continue
      const numbers = scratch.subarray(0, count)
      const quantile = this.#quantiles[i]!
      values[i] = nans === 0 ? quantileOfAny(quantile, numbers) : quantileOfSorted(quantile, withLeadingNaN(numbers.sort(), nans))
    }
    this.#series.labels = group.labels
    this.#series.dropName = group.series.some(({ dropName }) => dropName)
    return this.#series
  }

  #collect(): Map<string, { labels: Labels; series: StepSeries[] }> {
    const groupOf = makeGrouping(this.#plan.grouping, this.#plan.without)
    const remarks = new HistogramRemarks(this.#context.annotations, this.#plan.input.span)
    const groups = new Map<string, { labels: Labels; series: StepSeries[] }>()
    for (const series of SeriesStore.collect(this.#context, this.#input).series) {
      if (dropHistograms(series)) remarks.ignoredInAggregation('quantile')
      if (!series.present.includes(1)) continue
      const labels = groupOf(series.labels)
      const group = groups.get(labels.key())
      if (group === undefined) groups.set(labels.key(), { labels, series: [series] })
      else group.series.push(series)
    }
    return groups
  }
}

function withLeadingNaN(sorted: Float64Array, nans: number): Float64Array {
  const all = new Float64Array(nans + sorted.length).fill(NaN, 0, nans)
  all.set(sorted, nans)
  return all
}

/** count_values(): one series per group and distinct value, counting how often it occurs. */
export class CountValuesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #plan: AggregationPlan
  readonly #label: string
  readonly #steps: number
  #counted: Iterator<StepSeries> | undefined

  constructor(context: QueryContext, plan: AggregationPlan, input: VectorOperator, label: string, grid: StepGrid) {
    if (!isValidLabelName(label)) throw new QueryError('execution', `invalid label name ${quoteText(label)}`)
    this.#context = context
    this.#input = input
    this.#plan = plan
    this.#label = label
    this.#steps = grid.steps
    this.distinctWithoutName = label !== '__name__' && (plan.without || !plan.grouping.includes('__name__'))
  }

  next(): StepSeries | undefined {
    this.#counted ??= this.#count()
    const { value, done } = this.#counted.next()
    return done === true ? undefined : value
  }

  #count(): Iterator<StepSeries> {
    const { grouping, without } = this.#plan
    const label = this.#label
    const groupOf = makeGrouping(grouping, without)
    // The label of the value takes part in the grouping, so `without` may take it away again.
    const isTakenAway = without && grouping.includes(label)
    const counts = new Map<string, StepSeries>()
    for (let series = this.#input.next(); series !== undefined; series = this.#input.next()) {
      const group = groupOf(series.labels)
      const { values, present, histograms } = series
      for (let i = 0; i < values.length; i++) {
        if (present[i] === 0) continue
        const histogram = histograms?.[i]
        const labels = isTakenAway
          ? group
          : group.with(label, histogram === undefined ? formatFloatPlain(values[i]!) : formatHistogram(histogram))
        const counted = this.#seriesOf(counts, labels)
        counted.present[i] = 1
        counted.values[i]!++
      }
    }
    return counts.values()
  }

  #seriesOf(counts: Map<string, StepSeries>, labels: Labels): StepSeries {
    const key = labels.key()
    let counted = counts.get(key)
    if (counted === undefined) {
      this.#context.checkAlive()
      this.#context.hold(this.#steps, stepSeriesBytes(this.#steps))
      counted = {
        labels,
        dropName: false,
        values: new Float64Array(this.#steps),
        present: new Uint8Array(this.#steps),
        histograms: undefined,
      }
      counts.set(key, counted)
    }
    return counted
  }
}
