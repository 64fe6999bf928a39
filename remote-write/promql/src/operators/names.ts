import type { QueryContext } from '../query-context.ts'
import { DistinctStepsOperator } from './distinct-steps.ts'
import { MergeLabelsOperator } from './merge-labels.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/**
 * Takes the name (and metadata labels) away from all series: at once, joining series that became the same, or, with delayed name
 * removal, by marking them for the end of the query. With `mayComeInParts` the same series may come more than once, each time with other steps.
 */
export function dropNames(context: QueryContext, input: VectorOperator, mayComeInParts = false): VectorOperator {
  const dropped = new DropNamesOperator(context, input)
  if (dropped.distinctWithoutName) return dropped
  return mayComeInParts ? new DistinctStepsOperator(context, dropped) : new MergeLabelsOperator(context, dropped)
}

class DropNamesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator

  constructor(context: QueryContext, input: VectorOperator) {
    this.#context = context
    this.#input = input
    this.distinctWithoutName = context.delayedNameRemoval || input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series === undefined) return undefined
    if (this.#context.delayedNameRemoval) series.dropName = true
    else series.labels = series.labels.without(...this.#context.droppedLabels)
    return series
  }
}

/** Carries out marked removals; put once around the whole query. */
export class RemoveMarkedNamesOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #context: QueryContext
  readonly #input: VectorOperator

  constructor(context: QueryContext, input: VectorOperator) {
    this.#context = context
    this.#input = input
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series?.dropName === true) {
      series.labels = series.labels.without(...this.#context.droppedLabels)
      series.dropName = false
    }
    return series
  }
}
