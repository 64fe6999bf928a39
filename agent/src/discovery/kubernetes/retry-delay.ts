/** Waiting times between attempts: doubling from `minMs` to `maxMs`, each drawn between half and one and a half of it. */
export class RetryDelay {
  readonly #minMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #nextMs: number

  constructor(minMs: number, maxMs: number, random: () => number = Math.random) {
    this.#minMs = minMs
    this.#maxMs = maxMs
    this.#random = random
    this.#nextMs = minMs
  }

  /** `atLeastMs` is what the server asked for. */
  next(atLeastMs = 0): number {
    const waitMs = this.#nextMs * (0.5 + this.#random())
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs)
    return Math.max(waitMs, atLeastMs)
  }

  reset(): void {
    this.#nextMs = this.#minMs
  }
}
