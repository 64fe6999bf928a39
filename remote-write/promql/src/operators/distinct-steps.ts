import type { QueryContext } from '../query-context.ts'
import { duplicateLabelsError } from './merge-labels.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/** Entry of a map and its key. */
const entryBytes = 200

/**
 * For who does not mind series in parts: gives all as they come, and ends the query where two with the same labels have a value at the same step. Keeps a bit
 * for each step of each label set.
 */
export class DistinctStepsOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #context: QueryContext
  readonly #input: VectorOperator
  readonly #taken = new Map<string, Uint32Array>()

  constructor(context: QueryContext, input: VectorOperator) {
    this.#context = context
    this.#input = input
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series === undefined) return undefined
    const { present, labels } = series
    const key = labels.key()
    const known = this.#taken.get(key)
    const taken = known ?? this.#add(key, (present.length + 31) >>> 5)
    let overlap = 0
    for (let word = 0, i = 0; word < taken.length; word++) {
      let bits = 0
      for (const end = Math.min(i + 32, present.length); i < end; i++) bits |= present[i]! << (i & 31)
      overlap |= taken[word]! & bits
      taken[word]! |= bits
    }
    if (overlap !== 0) throw duplicateLabelsError()
    return series
  }

  #add(key: string, words: number): Uint32Array {
    this.#context.hold(0, words * 4 + entryBytes)
    const taken = new Uint32Array(words)
    this.#taken.set(key, taken)
    return taken
  }
}
