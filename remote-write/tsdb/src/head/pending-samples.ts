import { PendingHistograms } from './pending-histograms.ts'

// A pending sample is 10 words:
// ┌ time, double 2 ┬ previous time, double 2 ┬ low ┬ high ┬ previous low ┬ previous high ┬ series ┬ - ┐
export const pendingWords = 10
export const pendingDoubles = 5
export const pendingTime = 0
export const pendingPreviousTime = 1
export const pendingLow = 4
export const pendingHigh = 5
export const pendingPreviousLow = 6
export const pendingPreviousHigh = 7
export const pendingRef = 8

const firstCapacity = 4096
const capacityKept = 65_536

/** The samples between two commits, with what they replaced: in the order of their appends, in one buffer that is used again. */
export class PendingSamples {
  length = 0
  /** What stands at the places of histograms. */
  readonly histograms = new PendingHistograms()
  words: Uint32Array
  doubles: Float64Array
  #capacity = firstCapacity

  constructor() {
    this.words = new Uint32Array(firstCapacity * pendingWords)
    this.doubles = new Float64Array(this.words.buffer)
  }

  get capacity(): number {
    return this.#capacity
  }

  /** For samples that are not many; there is room for it. */
  push(ref: number, timeMs: number, low: number, high: number, previousTimeMs: number, previousLow: number, previousHigh: number): void {
    const to = this.length * pendingWords
    this.doubles[to >>> 1] = timeMs
    this.doubles[(to >>> 1) + 1] = previousTimeMs
    this.words[to + pendingLow] = low
    this.words[to + pendingHigh] = high
    this.words[to + pendingPreviousLow] = previousLow
    this.words[to + pendingPreviousHigh] = previousHigh
    this.words[to + pendingRef] = ref
    this.length++
  }

  /** Samples `start`…`end - 1` of others, which are floats. */
  addRange(from: PendingSamples, start: number, end: number): void {
    while (this.length + end - start > this.#capacity) this.grow()
    this.words.set(from.words.subarray(start * pendingWords, end * pendingWords), this.length * pendingWords)
    this.length += end - start
  }

  grow(): void {
    this.#resize(this.#capacity * 2)
  }

  /** Empties; an unusually large buffer is given back. */
  clear(): void {
    this.length = 0
    this.histograms.clear()
    if (this.#capacity > capacityKept) this.#resize(firstCapacity)
  }

  #resize(capacity: number): void {
    const words = new Uint32Array(capacity * pendingWords)
    words.set(this.words.subarray(0, this.length * pendingWords))
    this.words = words
    this.doubles = new Float64Array(words.buffer)
    this.#capacity = capacity
  }
}
