import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { epochAt, readerSlotsMax, slotsAt, subTables } from './head-memory.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import type { SharedArena } from './shared-arena.ts'

// A sub-table starts with 16 slots and doubles at 3/4; its region must fit into one window.
const firstSlotsLog = 4
export const regionUnitShift = 4
/** In the place of an id that was removed: a probe goes on behind it. */
export const removedId = 0xffffffff

/** Spreads all bits of a 32-bit number over all bits. */
export function mix32(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/**
 * A hash table in shared memory: 256 sub-tables of slots ┌ hash ┬ id ┐ (id 0 = empty), found by the top 8 bits of the hash,
 * probed one by one from its low bits. A full sub-table is copied into one twice as large and replaced in the directory by a
 * single store, so a reader sees the old or the new one; the old region is recycled when no reader can be inside.
 * A reader may miss an entry that is being added, never one that was published.
 */
export class SharedTable {
  readonly #control: Int32Array
  readonly #directoryAt: number
  readonly #arena: SharedArena
  // Writer only: slots in use by sub-table, and those of them whose id was removed.
  readonly #counts = new Uint32Array(subTables)
  readonly #removed = new Uint32Array(subTables)
  #retired: { readonly region: number; readonly slotsLog: number; readonly epoch: number }[] = []

  constructor(control: Int32Array, directoryAt: number, arena: SharedArena) {
    this.#control = control
    this.#directoryAt = directoryAt
    this.#arena = arena
  }

  /** The first id with this hash that `isSame` accepts, or 0. Serves readers and the writer. */
  find(hash: number, isSame: (id: number) => boolean): number {
    const entry = Atomics.load(this.#control, this.#directoryAt + (hash >>> 24))
    if (entry === 0) return 0
    const region = (entry >>> 5) << regionUnitShift
    const words = this.#arena.window(region >>> wordShift)
    const base = region & wordMask
    const mask = (1 << (entry & 31)) - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = words[base + 2 * slot + 1]!
      if (id === 0) return 0
      if (words[base + 2 * slot] === hash && id !== removedId && isSame(id)) return id
    }
  }

  /** Writer: adds an id that is not in the table. False if there is no memory for it. */
  add(hash: number, id: number): boolean {
    const sub = hash >>> 24
    let entry = this.#control[this.#directoryAt + sub]!
    if (entry === 0 || (this.#counts[sub]! + 1) * 4 > 3 << (entry & 31)) {
      entry = this.#enlarge(sub, entry)
      if (entry === 0) return false
    }
    this.#counts[sub]!++
    const region = (entry >>> 5) << regionUnitShift
    put(this.#arena.words[region >>> wordShift]!, region & wordMask, (1 << (entry & 31)) - 1, hash, id)
    return true
  }

  /** Writer: takes out an id that is in the table. */
  remove(hash: number, id: number): void {
    const sub = hash >>> 24
    const entry = this.#control[this.#directoryAt + sub]!
    const region = (entry >>> 5) << regionUnitShift
    const words = this.#arena.words[region >>> wordShift]!
    const base = region & wordMask
    const mask = (1 << (entry & 31)) - 1
    let slot = hash & mask
    while (words[base + 2 * slot + 1] !== id) {
      if (words[base + 2 * slot + 1] === 0) throw new Error(`cannot remove id ${id} from the table: it is not there`)
      slot = (slot + 1) & mask
    }
    words[base + 2 * slot + 1] = removedId
    this.#removed[sub]!++
  }

  /** What is not in shared memory. */
  saveState(state: StateWriter): void {
    state.array('counts', this.#counts)
    state.array('removed', this.#removed)
    state.array('retired', Float64Array.from(this.#retired.flatMap(({ region, slotsLog, epoch }) => [region, slotsLog, epoch])))
  }

  restoreState(state: StateReader): void {
    this.#counts.set(state.words('counts'))
    this.#removed.set(state.words('removed'))
    const retired = state.doubles('retired')
    for (let i = 0; i < retired.length; i += 3) {
      this.#retired.push({ region: retired[i]!, slotsLog: retired[i + 1]!, epoch: retired[i + 2]! })
    }
  }

  #enlarge(sub: number, entry: number): number {
    // Where many ids were removed the rest finds room in a new region of the same size.
    const left = this.#counts[sub]! - this.#removed[sub]!
    const slotsLog = entry === 0 ? firstSlotsLog : (entry & 31) + ((left + 1) * 8 > 3 << (entry & 31) ? 1 : 0)
    if (!this.#arena.ensure(2 << slotsLog)) return 0
    const region = this.#arena.allocate(2 << slotsLog, 1 << regionUnitShift)
    const words = this.#arena.words[region >>> wordShift]!
    const base = region & wordMask
    const mask = (1 << slotsLog) - 1
    if (entry !== 0) {
      const oldRegion = (entry >>> 5) << regionUnitShift
      const old = this.#arena.words[oldRegion >>> wordShift]!
      const oldBase = oldRegion & wordMask
      for (let slot = 0; slot < 1 << (entry & 31); slot++) {
        const id = old[oldBase + 2 * slot + 1]!
        if (id !== 0 && id !== removedId) put(words, base, mask, old[oldBase + 2 * slot]!, id)
      }
      this.#counts[sub] = left
      this.#removed[sub] = 0
      const epoch = this.#control[epochAt]!
      // The epoch goes up after the new directory entry is out: who pinned a later one cannot be in the old region.
      if (slotsLog === (entry & 31)) this.#arena.free(oldRegion, 2 << slotsLog, epoch)
      else this.#retired.push({ region: oldRegion, slotsLog: entry & 31, epoch })
    }
    const replaced = ((region >>> regionUnitShift) << 5) | slotsLog
    Atomics.store(this.#control, this.#directoryAt + sub, replaced)
    if (entry !== 0) {
      Atomics.add(this.#control, epochAt, 1)
      this.#recycleRetired()
    }
    return replaced
  }

  #recycleRetired(): void {
    const oldest = oldestPinnedEpoch(this.#control)
    this.#retired = this.#retired.filter(({ region, slotsLog, epoch }) => {
      if (epoch >= oldest) return true
      this.#arena.recycle(region, 2 << slotsLog)
      return false
    })
  }
}

/** The oldest epoch a reader holds; what was retired before it is free. Readers that hold none do not count. */
export function oldestPinnedEpoch(control: Int32Array): number {
  let oldest = Atomics.load(control, epochAt)
  for (let slot = 0; slot < readerSlotsMax; slot++) {
    const pinned = Atomics.load(control, slotsAt + slot)
    if (pinned !== 0 && pinned < oldest) oldest = pinned
  }
  return oldest
}

function put(words: Uint32Array, base: number, mask: number, hash: number, id: number): void {
  let slot = hash & mask
  while (words[base + 2 * slot + 1] !== 0) slot = (slot + 1) & mask
  words[base + 2 * slot] = hash
  words[base + 2 * slot + 1] = id
}
