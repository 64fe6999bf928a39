import type { Labels } from '@narthex/model/labels'
import type { LabelReader } from './label-reader.ts'

/** Pair numbers below this go two into one exact number. */
const pairSpan = 2 ** 26
/** Distinct projections that are kept; more of them are hardly groups. */
const keptMax = 100_000

/**
 * Label sets of series with some of their labels only. Series that agree in these get the same object, made once, so a selection of many series in few
 * groups looks up few texts. For one selection.
 */
export class ProjectedLabels {
  readonly #reader: LabelReader
  readonly #names: readonly number[]
  readonly #places: Uint32Array
  readonly #known = new Map<number | string, Labels>()
  readonly #wanted: number[] = []

  /** `names`: symbols of the label names, each once, in the order of their bytes. */
  constructor(reader: LabelReader, names: readonly number[]) {
    this.#reader = reader
    this.#names = names
    this.#places = new Uint32Array(names.length)
  }

  labels(ref: number): Labels {
    this.#wanted.length = 0
    this.#reader.findPairs(ref, this.#names, this.#places, this.#wanted)
    const key = keyOf(this.#wanted)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const labels = this.#reader.labelsOf(this.#wanted)
    if (this.#known.size < keptMax) this.#known.set(key, labels)
    return labels
  }
}

/** Pairs are in the order of their names and numbered from 1, so equal lists have equal keys and others do not. */
function keyOf(pairs: readonly number[]): number | string {
  const [first = 0, second = 0] = pairs
  return pairs.length <= 2 && first < pairSpan && second < pairSpan ? first * pairSpan + second : pairs.join()
}
