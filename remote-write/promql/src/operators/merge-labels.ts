import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import { SeriesStore } from './series-store.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/** Prometheus' text for two values of one label set at the same step. */
export function duplicateLabelsError(): QueryError {
  return new QueryError('execution', 'vector cannot contain metrics with the same labelset')
}

/**
 * Joins series that ended up with the same labels (names dropped, labels replaced) where they have values at different steps;
 * two values at one step end the query.
 */
export class MergeLabelsOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #context: QueryContext
  readonly #input: VectorOperator
  #merged: Iterator<StepSeries> | undefined

  constructor(context: QueryContext, input: VectorOperator) {
    this.#context = context
    this.#input = input
  }

  next(): StepSeries | undefined {
    this.#merged ??= this.#merge()
    const { value, done } = this.#merged.next()
    return done === true ? undefined : value
  }

  #merge(): Iterator<StepSeries> {
    const store = new SeriesStore(this.#context)
    const byLabels = new Map<string, StepSeries>()
    for (let series = this.#input.next(); series !== undefined; series = this.#input.next()) {
      const key = series.labels.key()
      const earlier = byLabels.get(key)
      if (earlier === undefined) byLabels.set(key, store.add(series))
      else mergeInto(earlier, series)
    }
    return store.series[Symbol.iterator]()
  }
}

function mergeInto(target: StepSeries, from: StepSeries): void {
  const { values, present } = target
  if (from.histograms !== undefined) target.histograms ??= []
  const { histograms } = target
  for (let i = 0; i < present.length; i++) {
    if (from.present[i] === 0) continue
    if (present[i] !== 0) throw duplicateLabelsError()
    present[i] = 1
    values[i] = from.values[i]!
    if (histograms !== undefined) histograms[i] = from.histograms?.[i]
  }
  target.dropName ||= from.dropName
}
