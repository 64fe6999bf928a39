import { dropHistograms } from './drop-histograms.ts'
import type { StepHistograms, StepSeries, VectorOperator } from './operator.ts'

/** A series of which some steps are, or may be, histograms. */
export type MixedSeries = StepSeries & { histograms: StepHistograms }

/** Changes values (and presence) of each series in place; series that lose all their values vanish. */
export class MapValuesOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #input: VectorOperator
  readonly #apply: (values: Float64Array, present: Uint8Array) => void
  readonly #applyMixed: ((series: MixedSeries) => void) | undefined

  /** `applyMixed` takes the place of `apply` for series with histograms. Without it histograms are dropped. */
  constructor(
    input: VectorOperator,
    apply: (values: Float64Array, present: Uint8Array) => void,
    applyMixed?: (series: MixedSeries) => void,
  ) {
    this.#input = input
    this.#apply = apply
    this.#applyMixed = applyMixed
    this.distinctWithoutName = input.distinctWithoutName
  }

  next(): StepSeries | undefined {
    for (let series = this.#input.next(); series !== undefined; series = this.#input.next()) {
      if (series.histograms === undefined) this.#apply(series.values, series.present)
      else if (this.#applyMixed !== undefined) this.#applyMixed(series as MixedSeries)
      else {
        dropHistograms(series)
        this.#apply(series.values, series.present)
      }
      if (series.present.includes(1)) return series
    }
    return undefined
  }
}
