import type { Logger } from '@narthex/service/logger'
import type { Clock } from '../clock.ts'

/** The wall clock and the steady one drift apart by less than this between two looks; more means that somebody set the clock. */
export const clockJumpMsMin = 1000

/** Tells when the system's clock was set, once for all targets. */
export class ClockWatch {
  readonly #clock: Clock
  readonly #log: Logger
  #offsetMs: number

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock
    this.#log = log
    this.#offsetMs = clock.now() - clock.elapsed()
  }

  /** Milliseconds that the wall clock is ahead of the steady one: it changes when the clock is set, and a little when it is adjusted. */
  offsetMs(): number {
    const offsetMs = this.#clock.now() - this.#clock.elapsed()
    const jumpMs = offsetMs - this.#offsetMs
    this.#offsetMs = offsetMs
    if (Math.abs(jumpMs) >= clockJumpMsMin) {
      this.#log.warn('The system clock was set; scrapes go on at their intervals.', { seconds: Math.round(jumpMs) / 1000 })
    }
    return offsetMs
  }
}
