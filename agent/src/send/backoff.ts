/** Waiting times between attempts: doubling from `minMs` to `maxMs`; a remote's own wish overrides one step and doubling goes on from it. */
export class Backoff {
  readonly #minMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #nextMs: number

  constructor(minMs: number, maxMs: number, random: () => number) {
    this.#minMs = minMs
    this.#maxMs = maxMs
    this.#random = random
    this.#nextMs = minMs
  }

  /** Up to a tenth more than asked for, so that shards and agents do not come back at once; never less. */
  next(wishedMs: number | undefined): number {
    const waitMs = wishedMs ?? this.#nextMs
    this.#nextMs = Math.max(this.#minMs, Math.min(waitMs * 2, this.#maxMs))
    return waitMs * (1 + this.#random() / 10)
  }
}

/** Resolves after `ms`, or at once when the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake)
  })
}
