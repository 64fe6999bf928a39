import { postingsWordsMax } from './label-pairs.ts'
import type { LabelPairs } from './label-pairs.ts'

/** So many series at most wait for their references to be put into the lists of their pairs, and only of those with so many labels. */
const runSeriesMax = 1024
const placesMax = 64

/**
 * References of new series on their way into the lists of their pairs. Series that are made one after the other have most pairs at the same places:
 * such a run goes into a list in one piece. Each list gets its references in their order. Part of the head's writer.
 */
export class PostingRuns {
  readonly #labels: LabelPairs
  /** By place of the label: the pair of the running run, and its first reference. */
  readonly #pairs = new Uint32Array(placesMax)
  readonly #firsts = new Uint32Array(placesMax)
  /** Places with a run. */
  #places = 0
  /** The reference after the last one that was added. */
  #next = 0
  #series = 0

  constructor(labels: LabelPairs) {
    this.#labels = labels
  }

  /** Words of postings that a series with `length` pairs and all before it can take. */
  static wordsMax(length: number): number {
    return postingsWordsMax(placesMax, runSeriesMax) + (length > placesMax ? postingsWordsMax(length) : 0)
  }

  /** Adds a series with `length` pairs; the caller made sure of the memory. */
  add(ref: number, pairs: Uint32Array, length: number): void {
    if (ref !== this.#next || this.#series === runSeriesMax) this.flush()
    if (length > placesMax) {
      this.flush()
      for (let i = 0; i < length; i++) this.#labels.addPostings(pairs[i]!, ref, ref + 1)
      return
    }
    const runs = this.#pairs
    const before = this.#places
    for (let i = 0; i < length; i++) {
      const pair = pairs[i]!
      if (i < before) {
        if (runs[i] === pair) continue
        this.#end(i)
      }
      runs[i] = pair
      this.#firsts[i] = ref
    }
    // A pair that comes again at another place must not find its list without these.
    for (let i = length; i < before; i++) this.#end(i)
    this.#places = length
    this.#next = ref + 1
    this.#series++
  }

  /** Puts all into the lists: to be called before anybody reads them. */
  flush(): void {
    for (let i = 0; i < this.#places; i++) this.#end(i)
    this.#places = 0
    this.#next = 0
    this.#series = 0
  }

  #end(place: number): void {
    this.#labels.addPostings(this.#pairs[place]!, this.#firsts[place]!, this.#next)
  }
}
