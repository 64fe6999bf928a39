import type { Clock, Timer } from '../clock.ts'

/** Timers count in whole milliseconds: this much before its time, an entry is due. */
const earlyMs = 1

/** Who waits for its turn in a ScrapeSchedule. */
export interface Scheduled {
  /** Belongs to the schedule; -1 at first. */
  place: number
  onTurn(): void
}

/**
 * When which loop has its turn: a heap with one timer for the earliest. A timer each would live for an interval and be garbage then, old
 * garbage that the collector finds last.
 */
export class ScrapeSchedule {
  readonly #clock: Clock
  // A binary heap by the steady clock: entry i is not before entry (i - 1) >> 1.
  readonly #entries: Scheduled[] = []
  #dueMs = new Float64Array(16)
  #timer: Timer | undefined
  #timerMs = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.length
  }

  /** Gives `entry` its next turn in `delayMs`; a turn that it waits for already is moved. */
  set(entry: Scheduled, delayMs: number): void {
    this.delete(entry)
    const dueMs = this.#clock.elapsed() + Math.max(0, delayMs)
    const place = this.#entries.length
    if (place === this.#dueMs.length) {
      const grown = new Float64Array(place * 2)
      grown.set(this.#dueMs)
      this.#dueMs = grown
    }
    this.#entries.push(entry)
    this.#rise(place, entry, dueMs)
    this.#setTimer()
  }

  /** Takes its turn away, if it waits for one. */
  delete(entry: Scheduled): void {
    const { place } = entry
    if (place < 0) return
    entry.place = -1
    const last = this.#entries.pop()!
    if (last !== entry) this.#put(place, last, this.#dueMs[this.#entries.length]!)
    if (this.#entries.length === 0) this.#setTimer()
  }

  #put(place: number, entry: Scheduled, dueMs: number): void {
    if (place > 0 && this.#dueMs[(place - 1) >> 1]! > dueMs) this.#rise(place, entry, dueMs)
    else this.#sink(place, entry, dueMs)
  }

  #rise(from: number, entry: Scheduled, dueMs: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (this.#dueMs[parent]! <= dueMs) break
      this.#hold(place, this.#entries[parent]!, this.#dueMs[parent]!)
      place = parent
    }
    this.#hold(place, entry, dueMs)
  }

  #sink(from: number, entry: Scheduled, dueMs: number): void {
    const count = this.#entries.length
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= count) break
      if (child + 1 < count && this.#dueMs[child + 1]! < this.#dueMs[child]!) child++
      if (this.#dueMs[child]! >= dueMs) break
      this.#hold(place, this.#entries[child]!, this.#dueMs[child]!)
      place = child
    }
    this.#hold(place, entry, dueMs)
  }

  #hold(place: number, entry: Scheduled, dueMs: number): void {
    this.#entries[place] = entry
    this.#dueMs[place] = dueMs
    entry.place = place
  }

  /** The timer never rings late; it may ring for nothing when an entry was taken away. */
  #setTimer(): void {
    const nextMs = this.#entries.length === 0 ? Infinity : this.#dueMs[0]!
    if (nextMs >= this.#timerMs && nextMs !== Infinity) return
    this.#clock.clearTimer(this.#timer)
    this.#timerMs = nextMs
    this.#timer = nextMs === Infinity ? undefined : this.#clock.setTimer(() => this.#ring(), nextMs - this.#clock.elapsed())
  }

  #ring(): void {
    this.#timer = undefined
    // Whoever is given a new turn by this one sets no timer yet.
    this.#timerMs = -Infinity
    const nowMs = this.#clock.elapsed()
    try {
      for (;;) {
        const entry = this.#entries[0]
        if (entry === undefined || this.#dueMs[0]! > nowMs + earlyMs) break
        this.delete(entry)
        entry.onTurn()
      }
    } finally {
      this.#timerMs = Infinity
      this.#setTimer()
    }
  }
}
