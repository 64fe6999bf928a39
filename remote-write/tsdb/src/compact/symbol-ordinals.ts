import { compareBytes } from '../block/byte-order.ts'
import type { Symbols } from '../head/symbols.ts'

/** The symbols that a block of the head needs, in byte order, and the place of each: 12 to 20 bytes a symbol, no object. */
export class SymbolOrdinals {
  readonly #symbols: Symbols
  // Open addressing by id: place → id, 0 for none; and its ordinal once `sort` was called.
  #ids = new Uint32Array(1024)
  #ordinals = new Uint32Array(1024)
  #sorted = new Uint32Array(0)
  #count = 0

  constructor(symbols: Symbols) {
    this.#symbols = symbols
  }

  get count(): number {
    return this.#count
  }

  add(id: number): void {
    const ids = this.#ids
    const place = this.#placeOf(ids, id)
    if (ids[place] === id) return
    ids[place] = id
    if (++this.#count * 2 > ids.length) this.#grow()
  }

  /** After the last `add`. */
  sort(): void {
    const sorted = this.#ids.filter((id) => id !== 0)
    sorted.sort((a, b) => compareBytes(this.#symbols.bytes(a), this.#symbols.bytes(b)))
    this.#ordinals = new Uint32Array(this.#ids.length)
    for (let i = 0; i < sorted.length; i++) this.#ordinals[this.#placeOf(this.#ids, sorted[i]!)] = i
    this.#sorted = sorted
  }

  /** Of a symbol that was added. */
  ordinal(id: number): number {
    return this.#ordinals[this.#placeOf(this.#ids, id)]!
  }

  /** The bytes in their order; each is valid until the next. */
  *texts(): Iterable<Uint8Array> {
    for (const id of this.#sorted) yield this.#symbols.bytes(id)
  }

  /** Where the id is, or the free place where it would be. */
  #placeOf(ids: Uint32Array, id: number): number {
    const mask = ids.length - 1
    // Ids are word indexes, so neighbours are some words apart.
    let place = (Math.imul(id, 0x9e3779b1) >>> 7) & mask
    while (ids[place] !== 0 && ids[place] !== id) place = (place + 1) & mask
    return place
  }

  #grow(): void {
    const larger = new Uint32Array(this.#ids.length * 2)
    for (const id of this.#ids) if (id !== 0) larger[this.#placeOf(larger, id)] = id
    this.#ids = larger
  }
}
