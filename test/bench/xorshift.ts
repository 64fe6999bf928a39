/** xorshift32: the same numbers in every run. */
export class Xorshift {
  #state: number

  /** Any seed but 0. */
  constructor(seed = 0x9e3779b9) {
    this.#state = seed >>> 0
  }

  /** A whole number of 1 to 2^32 - 1. */
  next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state
  }
}
