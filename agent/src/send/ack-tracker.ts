/** Finds the lowest contiguously delivered sequence when frames are finished in any order. */
export class AckTracker {
  /** Sequences in flight, ascending; those before `#first` are through. */
  #pending: number[] = []
  #times: number[] = []
  #samples: number[] = []
  #first = 0
  #done = new Set<number>()

  /** Takes a frame into the count; sequences only grow. `timeMs` is that of its samples. */
  start(sequence: number, timeMs = 0, samples = 0): void {
    this.#pending.push(sequence)
    this.#times.push(timeMs)
    this.#samples.push(samples)
  }

  finish(sequence: number): void {
    this.#done.add(sequence)
    while (this.#first < this.#pending.length && this.#done.delete(this.#pending[this.#first]!)) this.#first++
    if (this.#first === this.#pending.length) {
      this.#pending = []
      this.#times = []
      this.#samples = []
      this.#first = 0
    } else if (this.#first > 4096) {
      this.#pending = this.#pending.slice(this.#first)
      this.#times = this.#times.slice(this.#first)
      this.#samples = this.#samples.slice(this.#first)
      this.#first = 0
    }
  }

  /** The samples of each frame that was started and not finished, by its sequence. */
  unfinished(): Map<number, number> {
    const unfinished = new Map<number, number>()
    for (let i = this.#first; i < this.#pending.length; i++) {
      const sequence = this.#pending[i]!
      if (!this.#done.has(sequence)) unfinished.set(sequence, this.#samples[i]!)
    }
    return unfinished
  }

  /** Frames started and not finished in order. */
  get pendingCount(): number {
    return this.#pending.length - this.#first
  }

  /** The time of the first frame that is not through; undefined if all are. */
  get oldestTimeMs(): number | undefined {
    return this.#times[this.#first]
  }

  /** The first frame that is not through; `position` (the next to be started) if all are. */
  next(position: number): number {
    return this.#first < this.#pending.length ? this.#pending[this.#first]! : position
  }
}
