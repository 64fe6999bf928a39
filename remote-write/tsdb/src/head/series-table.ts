const subTables = 256
const firstSlotsLog = 4

/**
 * Finds a series by the hash of its label pairs: 256 sub-tables of slots ┌ hash ┬ reference ┐, each doubled alone (a million
 * series in one table would stop the thread for 49 ms). Only the writer looks here, so it is not shared.
 */
export class SeriesTable {
  readonly #tables: Uint32Array[] = []
  readonly #counts = new Uint32Array(subTables)
  #slots = subTables << firstSlotsLog

  constructor() {
    for (let sub = 0; sub < subTables; sub++) this.#tables.push(new Uint32Array(2 << firstSlotsLog))
  }

  get usedBytes(): number {
    return this.#slots * 8
  }

  /** The first reference with this hash that `isSame` accepts, or 0. */
  find(hash: number, isSame: (ref: number) => boolean): number {
    const table = this.#tables[hash >>> 24]!
    const mask = (table.length >>> 1) - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const ref = table[2 * slot + 1]!
      if (ref === 0) return 0
      if (table[2 * slot] === hash && isSame(ref)) return ref
    }
  }

  add(hash: number, ref: number): void {
    const sub = hash >>> 24
    let table = this.#tables[sub]!
    if ((this.#counts[sub]! + 1) * 8 > table.length * 3) {
      const larger = new Uint32Array(table.length * 2)
      for (let i = 0; i < table.length; i += 2) if (table[i + 1] !== 0) put(larger, table[i]!, table[i + 1]!)
      this.#slots += table.length / 2
      table = larger
      this.#tables[sub] = larger
    }
    put(table, hash, ref)
    this.#counts[sub]!++
  }
}

function put(table: Uint32Array, hash: number, ref: number): void {
  const mask = (table.length >>> 1) - 1
  let slot = hash & mask
  while (table[2 * slot + 1] !== 0) slot = (slot + 1) & mask
  table[2 * slot] = hash
  table[2 * slot + 1] = ref
}
