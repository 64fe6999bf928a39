import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { PrefixTables, type PrefixTable } from './prefix-tables.ts'

const slotWords = 2
const slotsMin = 512
/** In the place of a reference that was removed: a probe goes on behind it. */
const removedRef = 0xffffffff

/**
 * Finds a series by the hash of its label pairs, in slots ┌ hash ┬ reference ┐ of which three quarters are used at most. It grows table by table (a million
 * series in one table would stop the thread for 49 ms). Only the writer looks here, so it is not shared.
 */
export class SeriesTable {
  readonly #tables = new PrefixTables(slotWords, slotsMin)
  /** So that the reads of `touch` are of use. */
  touched = 0

  get usedBytes(): number {
    return this.#tables.slots * slotWords * 4
  }

  /** The first reference with this hash that `isSame` accepts, or 0. */
  find(hash: number, isSame: (ref: number) => boolean): number {
    const { words } = this.#tables.at(hash)
    const mask = (words.length >>> 1) - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const ref = words[2 * slot + 1]!
      if (ref === 0) return 0
      if (words[2 * slot] === hash && ref !== removedRef && isSame(ref)) return ref
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
      const { words } = this.#tables.at(hash)
      read |= words[2 * (hash & ((words.length >>> 1) - 1)) + 1]!
    }
    this.touched = read
  }

  add(hash: number, ref: number): void {
    const tables = this.#tables
    for (;;) {
      const table = tables.at(hash)
      if ((table.count + 1) * 8 <= table.words.length * 3) {
        put(table, hash, ref)
        return
      }
      tables.makeRoom(hash, move)
    }
  }

  /** Takes out a reference that is in the table. */
  remove(hash: number, ref: number): void {
    const table = this.#tables.at(hash)
    const { words } = table
    const mask = (words.length >>> 1) - 1
    let slot = hash & mask
    while (words[2 * slot + 1] !== ref) {
      if (words[2 * slot + 1] === 0) throw new Error(`cannot remove series ${ref} from the table: it is not there`)
      slot = (slot + 1) & mask
    }
    words[2 * slot + 1] = removedRef
    table.removed++
  }

  saveState(state: StateWriter): void {
    const tables = this.#tables.list()
    for (const field of ['count', 'removed', 'depth'] as const)
      state.array(
        field,
        Uint32Array.from(tables, (table) => table[field]),
      )
    state.array(
      'lengths',
      Uint32Array.from(tables, ({ words }) => words.length),
    )
    state.memory(
      'tables',
      tables.map(({ words }) => words),
    )
  }

  restoreState(state: StateReader): void {
    const [counts, removed, depths] = [state.words('count'), state.words('removed'), state.words('depth')]
    const tables = Array.from(state.words('lengths'), (length, i): PrefixTable => {
      return { words: new Uint32Array(length), count: counts[i]!, removed: removed[i]!, depth: depths[i]! }
    })
    state.memory(
      'tables',
      tables.map(({ words }) => words),
    )
    this.#tables.restore(tables)
  }
}

function move(from: Uint32Array, at: number, find: (hash: number) => PrefixTable): void {
  const ref = from[at + 1]!
  if (ref !== 0 && ref !== removedRef) put(find(from[at]!), from[at]!, ref)
}

function put(table: PrefixTable, hash: number, ref: number): void {
  const { words } = table
  const mask = (words.length >>> 1) - 1
  let slot = hash & mask
  while (words[2 * slot + 1] !== 0) slot = (slot + 1) & mask
  words[2 * slot] = hash
  words[2 * slot + 1] = ref
  table.count++
}
