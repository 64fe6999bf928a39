/** Finds the lowest contiguously delivered sequence when frames are finished in any order. */
export class AckTracker {
  // Frames in flight, ascending by sequence, at [#first, #end); those before are through. Typed arrays that are moved together: lists that live
  // as long as a request is on its way, and are then copied, fill the old generation.
  #sequences = new Float64Array(64)
  #times = new Float64Array(64)
  #samples = new Uint32Array(64)
  #first = 0
  #end = 0
  readonly #done = new Set<number>()

  /** Takes a frame into the count; sequences only grow. `timeMs` is that of its samples. */
  start(sequence: number, timeMs = 0, samples = 0): void {
    if (this.#end === this.#sequences.length) this.#makeRoom()
    this.#sequences[this.#end] = sequence
    this.#times[this.#end] = timeMs
    this.#samples[this.#end++] = samples
  }

  finish(sequence: number): void {
    // Mostly the next one: it never gets into the set.
    if (this.#first < this.#end && this.#sequences[this.#first] === sequence) this.#first++
    else this.#done.add(sequence)
    while (this.#done.size > 0 && this.#first < this.#end && this.#done.delete(this.#sequences[this.#first]!)) this.#first++
  }

  /** The samples of each frame that was started and not finished, by its sequence. */
  unfinished(): Map<number, number> {
    const unfinished = new Map<number, number>()
    for (let i = this.#first; i < this.#end; i++) {
      const sequence = this.#sequences[i]!
      if (!this.#done.has(sequence)) unfinished.set(sequence, this.#samples[i]!)
    }
    return unfinished
  }

  /** Frames started and not finished in order. */
  get pendingCount(): number {
    return this.#end - this.#first
  }

  /** The time of the first frame that is not through; undefined if all are. */
  get oldestTimeMs(): number | undefined {
    return this.#first < this.#end ? this.#times[this.#first] : undefined
  }

  /** The first frame that is not through; `position` (the next to be started) if all are. */
  next(position: number): number {
    return this.#first < this.#end ? this.#sequences[this.#first]! : position
  }

  #makeRoom(): void {
    const first = this.#first
    if (first * 2 < this.#end) {
      const room = 2 * this.#end
      this.#sequences = grow(this.#sequences, new Float64Array(room))
      this.#times = grow(this.#times, new Float64Array(room))
      this.#samples = grow(this.#samples, new Uint32Array(room))
      return
    }
    for (const column of [this.#sequences, this.#times, this.#samples]) column.copyWithin(0, first, this.#end)
    this.#first = 0
    this.#end -= first
  }
}

function grow<Column extends Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(column: Column, grown: Column): Column {
  grown.set(column)
  return grown
}
