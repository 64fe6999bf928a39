import type { StateReader, StateWriter } from '../head-state/state-access.ts'

const subTables = 256
const firstSlotsLog = 4
/** In the place of a reference that was removed: a probe goes on behind it. */
const removedRef = 0xffffffff

/**
 * Finds a series by the hash of its label pairs: 256 sub-tables of slots ┌ hash ┬ reference ┐, each doubled alone (a million
 * series in one table would stop the thread for 49 ms). Only the writer looks here, so it is not shared.
 */
export class SeriesTable {
  readonly #tables: Uint32Array[] = []
  /** Slots in use by sub-table, and those of them whose reference was removed. */
  readonly #counts = new Uint32Array(subTables)
  readonly #removed = new Uint32Array(subTables)
  #slots = subTables << firstSlotsLog
  /** So that the reads of `touch` are of use. */
  touched = 0

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
      if (table[2 * slot] === hash && ref !== removedRef && isSame(ref)) return ref
    }
  }

  /**
   * Reads where series with these hashes would be. These reads do not wait for each other, so the processor has several of them under way, and a `find`
   * that soon follows waits for none.
   */
  touch(hashes: Uint32Array, count: number): void {
    let read = 0
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!
      const table = this.#tables[hash >>> 24]!
      read |= table[2 * (hash & ((table.length >>> 1) - 1)) + 1]!
    }
    this.touched = read
  }

  add(hash: number, ref: number): void {
    const sub = hash >>> 24
    let table = this.#tables[sub]!
    if ((this.#counts[sub]! + 1) * 8 > table.length * 3) {
      table = this.#rebuild(sub, table)
    }
    put(table, hash, ref)
    this.#counts[sub]!++
  }

  /** Takes out a reference that is in the table. */
  remove(hash: number, ref: number): void {
    const sub = hash >>> 24
    const table = this.#tables[sub]!
    const mask = (table.length >>> 1) - 1
    let slot = hash & mask
    while (table[2 * slot + 1] !== ref) {
      if (table[2 * slot + 1] === 0) throw new Error(`cannot remove series ${ref} from the table: it is not there`)
      slot = (slot + 1) & mask
    }
    table[2 * slot + 1] = removedRef
    this.#removed[sub]!++
  }

  saveState(state: StateWriter): void {
    state.numbers({ slots: this.#slots })
    state.array('counts', this.#counts)
    state.array('removed', this.#removed)
    state.array(
      'lengths',
      Uint32Array.from(this.#tables, ({ length }) => length),
    )
    state.memory('tables', this.#tables)
  }

  restoreState(state: StateReader): void {
    this.#slots = state.number('slots')
    this.#counts.set(state.words('counts'))
    this.#removed.set(state.words('removed'))
    for (const [sub, length] of state.words('lengths').entries()) this.#tables[sub] = new Uint32Array(length)
    state.memory('tables', this.#tables)
  }

  /** Without what was removed; twice as large if that alone does not make room. */
  #rebuild(sub: number, table: Uint32Array): Uint32Array {
    const left = this.#counts[sub]! - this.#removed[sub]!
    const length = (left + 1) * 16 > table.length * 3 ? table.length * 2 : table.length
    const rebuilt = new Uint32Array(length)
    for (let i = 0; i < table.length; i += 2) {
      if (table[i + 1] !== 0 && table[i + 1] !== removedRef) put(rebuilt, table[i]!, table[i + 1]!)
    }
    this.#slots += (length - table.length) / 2
    this.#tables[sub] = rebuilt
    this.#counts[sub] = left
    this.#removed[sub] = 0
    return rebuilt
  }
}

function put(table: Uint32Array, hash: number, ref: number): void {
  const mask = (table.length >>> 1) - 1
  let slot = hash & mask
  while (table[2 * slot + 1] !== 0) slot = (slot + 1) & mask
  table[2 * slot] = hash
  table[2 * slot + 1] = ref
}
