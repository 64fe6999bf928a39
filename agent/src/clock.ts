/** What `setTimer` gives back; undefined is no timer. */
export type Timer = object

/** Wall clock and timers, so that tests can own time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds with fractions since some start, never going back: for durations. */
  elapsed(): number
  setTimer(callback: () => void, delayMs: number): Timer
  clearTimer(timer: Timer | undefined): void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, Math.min(Math.max(0, Math.round(delayMs)), 0x7fffffff)),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
}
