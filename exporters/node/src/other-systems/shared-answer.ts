/**
 * One question for all that ask within `keptMs`, and for all that ask while it is under way. The library answers with zeros in place of
 * counters when it is asked twice within half a second, and starts several programs for each answer. A failure is not kept.
 */
export class SharedAnswer<T> {
  readonly #ask: () => Promise<T>
  readonly #keptMs: number
  readonly #nowMs: () => number
  #answer: Promise<T> | undefined
  #untilMs = Infinity

  /** `nowMs` is a monotonic clock. */
  constructor(ask: () => Promise<T>, keptMs: number, nowMs: () => number = () => performance.now()) {
    this.#ask = ask
    this.#keptMs = keptMs
    this.#nowMs = nowMs
  }

  get(): Promise<T> {
    if (this.#answer !== undefined && this.#nowMs() < this.#untilMs) return this.#answer
    this.#untilMs = Infinity
    const answer = this.#ask()
    this.#answer = answer
    answer.then(
      () => (this.#untilMs = this.#nowMs() + this.#keptMs),
      () => (this.#answer = undefined),
    )
    return answer
  }
}
