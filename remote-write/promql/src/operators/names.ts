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
  const join = (all: VectorOperator) => (mayComeInParts ? new DistinctStepsOperator(context, all) : new MergeLabelsOperator(context, all))
  if (!dropped.distinctWithoutName) return join(dropped)
  return context.delayedNameRemoval ? dropped : new JoinTypedOperator(dropped, join)
}

/**
 * For series that differ without their name: passes them on, unless the first has a type or unit, as then they may have differed in that alone.
 * In the order of labels those with a type come first.
 */
class JoinTypedOperator implements VectorOperator {
  readonly distinctWithoutName = true
  readonly #input: DropNamesOperator
  readonly #join: (all: VectorOperator) => VectorOperator
  #joined: VectorOperator | undefined

  constructor(input: DropNamesOperator, join: (all: VectorOperator) => VectorOperator) {
    this.#input = input
    this.#join = join
  }

  next(): StepSeries | undefined {
    this.#joined ??= this.#choose()
    return this.#joined.next()
  }

  #choose(): VectorOperator {
    const input = this.#input
    let first = input.next()
    const all: VectorOperator = {
      distinctWithoutName: true,
      next() {
        const series = first ?? input.next()
        first = undefined
        return series
      },
    }
    return input.isTyped ? this.#join(all) : all
  }
}

class DropNamesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #input: VectorOperator
  /** The last series had a type or unit, which is gone. */
  isTyped = false

  constructor(context: QueryContext, input: VectorOperator) {
    this.#context = context
    this.#input = input
    this.distinctWithoutName = context.delayedNameRemoval || input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series === undefined) return undefined
    if (this.#context.delayedNameRemoval) series.dropName = true
    else {
      const { labels } = series
      series.labels = labels.without(...this.#context.droppedLabels)
      this.isTyped = labels.pairs.length - series.labels.pairs.length > (labels.has('__name__') ? 2 : 0)
    }
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
