const firstRoom = 1024
const roomKept = 65_536

/** References of series that were made since the last commit, in the order of their making. */
export class NewSeries {
  length = 0
  #refs = new Uint32Array(firstRoom)

  add(ref: number): void {
    if (this.length === this.#refs.length) {
      const refs = new Uint32Array(2 * this.length)
      refs.set(this.#refs)
      this.#refs = refs
    }
    this.#refs[this.length++] = ref
  }

  /** Valid until the next call of another method. */
  view(): Uint32Array {
    return this.#refs.subarray(0, this.length)
  }

  /** An unusually large list is given back. */
  clear(): void {
    this.length = 0
    if (this.#refs.length > roomKept) this.#refs = new Uint32Array(firstRoom)
  }
}
