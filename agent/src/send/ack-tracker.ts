/** Finds the lowest contiguously delivered sequence when frames are finished in any order. */
export class AckTracker {
  /** Sequences in flight, ascending; those before `#first` are through. */
  #pending: number[] = []
  #first = 0
  #done = new Set<number>()

  /** Takes a frame into the count; sequences only grow. */
  start(sequence: number): void {
    this.#pending.push(sequence)
  }

  finish(sequence: number): void {
    this.#done.add(sequence)
    while (this.#first < this.#pending.length && this.#done.delete(this.#pending[this.#first]!)) this.#first++
    if (this.#first === this.#pending.length) {
      this.#pending = []
      this.#first = 0
    } else if (this.#first > 4096) {
      this.#pending = this.#pending.slice(this.#first)
      this.#first = 0
    }
  }

  /** Frames started and not finished in order. */
  get pendingCount(): number {
    return this.#pending.length - this.#first
  }

  /** The first frame that is not through; `position` (the next to be started) if all are. */
  next(position: number): number {
    return this.#first < this.#pending.length ? this.#pending[this.#first]! : position
  }
}
