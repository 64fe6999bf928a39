import type { PostingsReader, RoughSelection, SeriesFilter } from './postings.ts'

const nothing: readonly SeriesFilter[] = []

/**
 * The series of a rough selection, a bit each, of which some are not chosen: of a few it asks each time, when these become many the selection is narrowed.
 * A class, as code that asks is quick for one kind of answer.
 */
export class MarkedSeries {
  /** By reference. */
  bits: Uint32Array
  readonly #postings: PostingsReader
  readonly #selection: RoughSelection
  readonly #refMax: number
  /** Not by a place whose series was freed. */
  readonly #hasSamples: (ref: number) => boolean
  #left: readonly SeriesFilter[]
  #looks = 0

  constructor(postings: PostingsReader, selection: RoughSelection, refMax: number, hasSamples: (ref: number) => boolean) {
    this.#postings = postings
    this.#selection = selection
    this.#refMax = refMax
    this.#hasSamples = hasSamples
    this.#left = selection.left
    this.bits = selection.series.mark(refMax)
  }

  /** Whether a series that has a bit is chosen. */
  isMeant(ref: number): boolean {
    // Whoever asks may have looked at the bits before there were fewer.
    if ((this.bits[ref >>> 5]! & (1 << (ref & 31))) === 0 || !this.#hasSamples(ref)) return false
    const left = this.#left
    if (left.length > 0 && ++this.#looks === this.#selection.looksMax) {
      this.bits = this.#postings.narrow(this.#selection, this.#refMax).mark(this.#refMax)
      this.#left = nothing
    }
    return this.#postings.passes(ref, left)
  }
}
