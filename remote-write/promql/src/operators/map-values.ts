import type { StepSeries, VectorOperator } from './operator.ts'

/** Changes values (and presence) of each series in place; series that lose all their values vanish. */
export class MapValuesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #input: VectorOperator
  readonly #apply: (values: Float64Array, present: Uint8Array) => void

  constructor(input: VectorOperator, apply: (values: Float64Array, present: Uint8Array) => void) {
    this.#input = input
    this.#apply = apply
    this.distinctWithoutName = input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    for (let series = this.#input.next(); series !== undefined; series = this.#input.next()) {
      this.#apply(series.values, series.present)
      if (series.present.includes(1)) return series
    }
    return undefined
  }
}
