import type { Labels } from '@narthex/model/labels'
import type { Accumulator, AccumulatorKind } from '../functions/accumulators.ts'
import { accumulatorColumns, makeAccumulator } from '../functions/accumulators.ts'
import { HistogramRemarks } from '../histogram/histogram-remarks.ts'
import type { AggregationPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { HistogramAggregation } from './aggregate-histograms.ts'
import { dropHistograms } from './drop-histograms.ts'
import { makeGrouping } from './grouping.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { stepSeriesBytes } from './operator.ts'

interface Group {
  readonly labels: Labels
  dropName: boolean
  readonly accumulator: Accumulator
  /** Where there was a float. */
  readonly present: Uint8Array<ArrayBuffer>
  /** Of sum and avg once there was any. */
  histograms: HistogramAggregation | undefined
}

/** Label sets whose groups are known without a look at them: their memory is counted nowhere. */
const knownMax = 8192

/** sum, avg, min, max, count, group, stddev, stdvar: takes in series after series and holds no more than one column set per group. */
export class AggregateOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #plan: AggregationPlan
  readonly #grid: StepGrid
  #groups: Iterator<Group> | undefined
  readonly #series: StepSeries

  constructor(context: QueryContext, plan: AggregationPlan, input: VectorOperator, grid: StepGrid) {
    this.#context = context
    this.#input = input
    this.#plan = plan
    this.#grid = grid
    this.distinctWithoutName = plan.without || !plan.grouping.includes('__name__')
    this.#series = { labels: undefined!, dropName: false, values: new Float64Array(grid.steps), present: undefined!, histograms: undefined }
  }

  next(): StepSeries | undefined {
    this.#groups ??= this.#aggregate().values()
    let group: Group
    do {
      const next = this.#groups.next()
      if (next.done === true) return undefined
      group = next.value
      this.#series.histograms = group.histograms?.finish(group.present)
      // Of histograms only there may be no result.
    } while (!group.present.includes(1))
    const series = this.#series
    series.labels = group.labels
    series.dropName = group.dropName
    series.present = group.present
    group.accumulator.finish(series.values)
    return series
  }

  #aggregate(): Map<string, Group> {
    const groups = new Map<string, Group>()
    const { grouping, without, operator } = this.#plan
    const groupOf = makeGrouping(grouping, without)
    // A storage that leaves labels out gives the same object to all series of a group.
    const known = new Map<Labels, Group>()
    for (let series = this.#input.next(); series !== undefined; series = this.#input.next()) {
      let group = known.get(series.labels)
      if (group === undefined) {
        const labels = groupOf(series.labels)
        const key = labels.key()
        group = groups.get(key)
        if (group === undefined) {
          group = this.#makeGroup(labels, operator as AccumulatorKind)
          groups.set(key, group)
        }
        if (known.size < knownMax) known.set(series.labels, group)
      }
      group.dropName ||= series.dropName
      if (series.histograms !== undefined) this.#takeHistograms(group, series)
      group.accumulator.add(series.values, series.present, group.present)
    }
    return groups
  }

  /** Leaves floats. */
  #takeHistograms(group: Group, series: StepSeries): void {
    const { operator, input } = this.#plan
    // Whatever a value is, it counts as one.
    if (operator === 'count' || operator === 'group') return
    if (operator === 'sum' || operator === 'avg') {
      group.histograms ??= new HistogramAggregation(this.#context, operator, input.span)
      group.histograms.add(series, group.present)
      dropHistograms(series)
    } else if (dropHistograms(series)) new HistogramRemarks(this.#context.annotations, input.span).ignoredInAggregation(operator)
  }

  #makeGroup(labels: Labels, kind: AccumulatorKind): Group {
    const { steps } = this.#grid
    this.#context.hold(steps, stepSeriesBytes(steps) + steps * 8 * (accumulatorColumns - 1))
    return { labels, dropName: false, accumulator: makeAccumulator(kind, steps), present: new Uint8Array(steps), histograms: undefined }
  }
}
