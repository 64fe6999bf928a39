import type { Clock, Timer } from '../../clock.ts'

interface FakeTimer {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

/** Time that moves only when a test says so; the callbacks' promises are settled before the next timer. */
export class FakeClock implements Clock {
  // The steady time; the wall clock is ahead of it by #wallAheadMs.
  #nowMs: number
  #wallAheadMs = 0
  #order = 0
  #timers = new Set<FakeTimer>()

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs
  }

  get timerCount(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#nowMs + this.#wallAheadMs
  }

  /** Somebody sets the wall clock; timers and durations do not notice. */
  setWallForward(ms: number): void {
    this.#wallAheadMs += ms
  }

  elapsed(): number {
    return this.#nowMs
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: Timer | undefined): void {
    for (const known of this.#timers) if (known === timer) this.#timers.delete(known)
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0]
      if (next === undefined || next.dueMs > untilMs) break
      this.#timers.delete(next)
      this.#nowMs = next.dueMs
      next.callback()
      await settle()
    }
    this.#nowMs = untilMs
    await settle()
  }
}

/** Lets pending promises and immediate callbacks run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}
