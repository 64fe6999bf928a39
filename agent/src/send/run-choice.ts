/** What is smaller than this says nothing about those that are large. */
const samplesMin = 1000
/** Every so many requests the way that is not taken is tried again. */
const trialInterval = 64
/** How much longer requests may be for being built in less time. */
const longerMax = 1.02
/** Share of a new figure in the average. */
const weight = 0.25

/**
 * Chooses between two ways to compress the series of 2.0 requests. `similarRun` knows what repeats between targets; it takes less time, and fewer
 * bytes while values repeat, too. A search in all bytes takes fewer where they do not. What the requests of a remote measured decides.
 */
export class RunChoice {
  // Bytes a sample by either way, 0 = not known.
  #similarBytes = 0
  #plainBytes = 0
  #requests = 0

  /** Whether the next request is to be built by similar runs. */
  next(): boolean {
    const prefersSimilar = this.#similarBytes === 0 || this.#plainBytes === 0 || this.#similarBytes <= this.#plainBytes * longerMax
    const isTrial = this.#plainBytes === 0 ? this.#similarBytes > 0 : this.#requests % trialInterval === 0
    return prefersSimilar !== isTrial
  }

  /** A request that was built. */
  take(isSimilar: boolean, bytes: number, samples: number): void {
    if (samples < samplesMin) return
    this.#requests++
    const each = bytes / samples
    if (isSimilar) this.#similarBytes = average(this.#similarBytes, each)
    else this.#plainBytes = average(this.#plainBytes, each)
  }
}

function average(before: number, now: number): number {
  return before === 0 ? now : before + (now - before) * weight
}
