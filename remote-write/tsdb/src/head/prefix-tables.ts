/** A hash table of its own for the hashes that begin alike. */
export interface PrefixTable {
  /** Slots, by the low bits of the hash. */
  words: Uint32Array<ArrayBuffer>
  /** Slots in use. */
  count: number
  /** Slots in use whose entry was removed. */
  removed: number
  /** Bits that the hashes have in common. */
  depth: number
}

/**
 * Tables of 128 KiB for a large hash table: one that is full is split in two by the next bit of the hash, so that no growth stops the thread for longer than
 * it takes to move some ten thousand entries. Memory of this size is the system's again at once when it is freed; many smaller tables, each outgrown and
 * left, made holes in the allocator's heap.
 */
export class PrefixTables {
  /** By the first bits of the hash: the same table may stand here several times. */
  #byPrefix: PrefixTable[]
  /** 32 - the bits that the longest prefix has. */
  #shift = 31
  slots: number
  readonly #slotWords: number
  readonly #slotsMax: number

  /** Tables have `slotsMin` slots of `slotWords` words at first. */
  constructor(slotWords: number, slotsMin: number) {
    this.#slotWords = slotWords
    this.#slotsMax = tableBytes / 4 / slotWords
    this.#byPrefix = [0, 1].map(() => this.#makeTable(slotsMin, 1))
    this.slots = 2 * slotsMin
  }

  at(hash: number): PrefixTable {
    return this.#byPrefix[hash >>> this.#shift]!
  }

  /** Each once, in the order of their prefixes. */
  list(): PrefixTable[] {
    return this.#byPrefix.filter((table, i) => table !== this.#byPrefix[i - 1])
  }

  /**
   * Makes room in the table of this hash: throws out what was removed if that is much, else doubles or splits it. `put` puts the entry at `from` of the
   * old slots into a table if it was not removed; it is to count it.
   */
  makeRoom(hash: number, put: (from: Uint32Array, at: number, find: (hash: number) => PrefixTable) => void): void {
    const table = this.at(hash)
    const { words, depth } = table
    const slots = words.length / this.#slotWords
    const made =
      2 * table.removed > table.count
        ? [this.#makeTable(slots, depth)]
        : slots < this.#slotsMax || depth >= depthMax
          ? [this.#makeTable(2 * slots, depth)]
          : [this.#makeTable(slots, depth + 1), this.#makeTable(slots, depth + 1)]
    if (made.length === 2 && depth === 32 - this.#shift) {
      this.#byPrefix = this.#byPrefix.flatMap((each) => [each, each])
      this.#shift--
    }
    const first = this.#byPrefix.indexOf(table)
    const count = 2 ** (32 - this.#shift - depth)
    for (let i = 0; i < count; i++) this.#byPrefix[first + i] = made[Math.floor((i * made.length) / count)]!
    this.slots += made.length * (made[0]!.words.length / this.#slotWords) - slots
    const find = (of: number): PrefixTable => this.at(of)
    for (let at = 0; at < words.length; at += this.#slotWords) put(words, at, find)
  }

  /** Tables as `list` gives them. */
  restore(tables: readonly PrefixTable[]): void {
    const longest = Math.max(...tables.map(({ depth }) => depth))
    this.#shift = 32 - longest
    this.#byPrefix = tables.flatMap((table) => new Array<PrefixTable>(2 ** (longest - table.depth)).fill(table))
    this.slots = tables.reduce((total, { words }) => total + words.length / this.#slotWords, 0)
  }

  #makeTable(slots: number, depth: number): PrefixTable {
    return { words: new Uint32Array(slots * this.#slotWords), count: 0, removed: 0, depth }
  }
}

const tableBytes = 128 * 1024
/** From here on a table is doubled: so many hashes that begin alike are the same hash. */
const depthMax = 16
