/**
 * A deadline for one thing after the other, which are nearly always done in time: its timer goes on from one to the next instead of being made and
 * cleared for each. It keeps no process alive; what is waited for does.
 */
export class KeptDeadline {
  readonly #nowMs: () => number
  #timer: NodeJS.Timeout | undefined
  /** When the timer ends. */
  #timerMs = 0
  /** When what is waited for is late; Infinity when nothing is. */
  #deadlineMs = Infinity
  #onLate: (() => void) | undefined

  /** `nowMs` is a monotonic clock. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** Calls `onLate`, once, unless it is stopped within `timeoutMs`. */
  start(timeoutMs: number, onLate: () => void): void {
    this.#onLate = onLate
    this.#deadlineMs = this.#nowMs() + timeoutMs
    if (this.#timer === undefined || this.#timerMs > this.#deadlineMs) this.#setTimer(timeoutMs)
  }

  stop(): void {
    this.#onLate = undefined
    this.#deadlineMs = Infinity
  }

  #setTimer(timeoutMs: number): void {
    clearTimeout(this.#timer)
    this.#timerMs = this.#deadlineMs
    this.#timer = setTimeout(this.#onTimer, timeoutMs)
    this.#timer.unref()
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    if (this.#deadlineMs === Infinity) return
    // It may have been set for an earlier one.
    if (this.#deadlineMs > this.#timerMs) return this.#setTimer(Math.max(1, this.#deadlineMs - this.#nowMs()))
    const onLate = this.#onLate
    this.stop()
    onLate?.()
  }
}
