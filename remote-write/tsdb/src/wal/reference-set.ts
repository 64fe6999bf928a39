const pageShift = 16
const pageWords = 2 ** pageShift / 32

/**
 * A set of series references: 8 KiB for every 65,536 neighbours that have a member. `pages` can be sent to another thread and
 * makes the same set there.
 */
export class ReferenceSet {
  readonly pages: Map<number, Uint32Array>

  constructor(pages = new Map<number, Uint32Array>()) {
    this.pages = pages
  }

  add(reference: number): void {
    const number = Math.floor(reference / 2 ** pageShift)
    let page = this.pages.get(number)
    if (page === undefined) this.pages.set(number, (page = new Uint32Array(pageWords)))
    page[(reference >>> 5) & (pageWords - 1)]! |= 1 << (reference & 31)
  }

  has(reference: number): boolean {
    const page = this.pages.get(Math.floor(reference / 2 ** pageShift))
    return page !== undefined && (page[(reference >>> 5) & (pageWords - 1)]! & (1 << (reference & 31))) !== 0
  }
}
