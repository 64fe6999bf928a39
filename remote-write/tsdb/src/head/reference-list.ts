import { growWords } from '@narthex/bytes/grow'

const firstRoom = 1024
const roomKept = 65_536

/** References of series in the order in which they were added, in one array that is used again. */
export class ReferenceList {
  length = 0
  #refs = new Uint32Array(firstRoom)

  add(ref: number): void {
    if (this.length === this.#refs.length) this.#refs = growWords(this.#refs, 2 * this.length)
    this.#refs[this.length++] = ref
  }

  at(i: number): number {
    return this.#refs[i]!
  }

  /** Valid until the next call of `add` or `clear`. */
  view(): Uint32Array {
    return this.#refs.subarray(0, this.length)
  }

  /** An unusually large array is given back. */
  clear(): void {
    this.length = 0
    if (this.#refs.length > roomKept) this.#refs = new Uint32Array(firstRoom)
  }
}
