const pageShift = 12
const pageEntries = 2 ** pageShift
const none = -1

/** Whole numbers from 0 to 2^31 - 1 by series reference: four bytes each where references are close together. */
export class ReferenceTable {
  readonly #pages = new Map<number, Int32Array>()
  readonly #used = new Map<number, number>()
  #lastNumber = -1
  #last: Int32Array | undefined

  /** -1 if there is none. */
  get(reference: number): number {
    const number = Math.floor(reference / pageEntries)
    if (number !== this.#lastNumber) {
      this.#lastNumber = number
      this.#last = this.#pages.get(number)
    }
    return this.#last === undefined ? none : this.#last[reference - number * pageEntries]!
  }

  set(reference: number, value: number): void {
    const number = Math.floor(reference / pageEntries)
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = new Int32Array(pageEntries).fill(none)
      this.#pages.set(number, page)
      if (number === this.#lastNumber) this.#last = page
    }
    const at = reference - number * pageEntries
    if (page[at] === none) this.#used.set(number, (this.#used.get(number) ?? 0) + 1)
    page[at] = value
  }

  delete(reference: number): void {
    const number = Math.floor(reference / pageEntries)
    const page = this.#pages.get(number)
    const at = reference - number * pageEntries
    if (page === undefined || page[at] === none) return
    page[at] = none
    const used = this.#used.get(number)! - 1
    this.#used.set(number, used)
    if (used > 0) return
    this.#pages.delete(number)
    this.#used.delete(number)
    if (number === this.#lastNumber) this.#last = undefined
  }
}
