import { LabelHasher } from '@narthex/wire/label-hasher'
import { PrefixTables, type PrefixTable } from './prefix-tables.ts'

const slotsMin = 1024
// An entry is ┌ hash · three words ┬ reference ┐.
const entryWords = 4
const entriesPerSegmentShift = 16
const entriesPerSegment = 1 << entriesPerSegmentShift

/**
 * Remembers which series a run of raw label bytes of a remote-write request meant, so that a known series costs one hash of
 * its bytes, without reading a label.
 *
 * The bytes themselves are not kept (they would double a series' memory): an entry is three 32-bit words of hash and the
 * reference, and all 96 bits must agree. Two label sets meet with probability n²/2^97, 10^-17 for a million series, whatever
 * their senders wrote without knowing the keys of this process (`LabelHasher`). Somebody who did know them and constructed a
 * meeting would misplace samples among series that he may write anyway.
 *
 * Entries lie in the order in which they were learnt, and the table only points at them. Senders repeat their order, so the
 * entry after the last hit is tried first: that one is in the cache, where a probe of the table would wait for memory (100 ns).
 *
 * Bounded: at `entriesMax` entries the table is emptied and learns anew from the requests that follow.
 */
export class WireAliases {
  readonly #entriesMax: number
  #segments: Uint32Array[] = []
  /** Entry numbers from 1 on, 0 = empty, by the hash's first word. */
  #tables = new PrefixTables(1, slotsMin)
  #entries = 0
  #expected = 1
  /** Entries without a reference that the running `forget` met. */
  #forgotten = 0
  resets = 0
  readonly #hasher = new LabelHasher()
  /** The hash of the bytes last asked for. */
  readonly #words = this.#hasher.words

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
    this.#empty()
  }

  get entries(): number {
    return this.#entries
  }

  get usedBytes(): number {
    return this.#tables.slots * 4 + this.#segments.length * entriesPerSegment * entryWords * 4
  }

  /** The reference of the series that these bytes meant before; 0 if they are not known. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > this.#hasher.bytesMax) return 0
    this.#hasher.hash(bytes, start, end)
    const words = this.#words
    const entry = this.#expected
    if (entry <= this.#entries) {
      const segment = this.#segments[entry >>> entriesPerSegmentShift]!
      const at = (entry & (entriesPerSegment - 1)) * entryWords
      if (segment[at] === words[0] && segment[at + 1] === words[1] && segment[at + 2] === words[2]) {
        this.#expected = entry + 1
        return segment[at + 3]!
      }
    }
    const found = this.#probe()
    return found === 0 ? 0 : this.#refAt(found)
  }

  /** Strings too long for the hash are not remembered: their series are found by their labels each time. */
  remember(bytes: Uint8Array, start: number, end: number, ref: number): void {
    if (end - start > this.#hasher.bytesMax) return
    // Hashed again: a caller may have put other bytes into the same buffer since it asked.
    this.#hasher.hash(bytes, start, end)
    const known = this.#probe()
    if (known !== 0) {
      this.#segments[known >>> entriesPerSegmentShift]![(known & (entriesPerSegment - 1)) * entryWords + 3] = ref
      return
    }
    if (this.#entries >= this.#entriesMax) {
      this.resets++
      this.#empty()
    }
    const words = this.#words
    const first = words[0]!
    let table = this.#tables.at(first)
    for (; (table.count + 1) * 3 > table.words.length * 2; table = this.#tables.at(first)) this.#tables.makeRoom(first, this.#move)
    const entry = ++this.#entries
    const index = entry >>> entriesPerSegmentShift
    if (index === this.#segments.length) this.#segments.push(new Uint32Array(entriesPerSegment * entryWords))
    const segment = this.#segments[index]!
    const at = (entry & (entriesPerSegment - 1)) * entryWords
    segment[at] = first
    segment[at + 1] = words[1]!
    segment[at + 2] = words[2]!
    segment[at + 3] = ref
    insert(table, first, entry)
    this.#expected = entry + 1
  }

  /** Lets go of the request's bytes. */
  forgetRequest(): void {
    this.#hasher.forget()
  }

  /**
   * Forgets the references whose bit is set, among `count` entries from `first` on; gives the entry to go on with, 0 at the end. When most entries
   * have no reference left the table is emptied.
   */
  forget(removed: Uint32Array, first: number, count: number): number {
    if (first <= 1) this.#forgotten = 0
    const end = Math.min(this.#entries + 1, Math.max(1, first) + count)
    for (let entry = Math.max(1, first); entry < end; entry++) {
      const segment = this.#segments[entry >>> entriesPerSegmentShift]!
      const at = (entry & (entriesPerSegment - 1)) * entryWords + 3
      const ref = segment[at]!
      if (ref !== 0 && (removed[ref >>> 5]! & (1 << (ref & 31))) !== 0) segment[at] = 0
      if (segment[at] === 0) this.#forgotten++
    }
    if (end <= this.#entries) return end
    if (this.#forgotten > this.#entries / 4) this.#empty()
    return 0
  }

  #refAt(entry: number): number {
    return this.#segments[entry >>> entriesPerSegmentShift]![(entry & (entriesPerSegment - 1)) * entryWords + 3]!
  }

  /** The entry of the bytes that were hashed last, 0 if there is none. */
  #probe(): number {
    const words = this.#words
    const first = words[0]!
    const second = words[1]!
    const third = words[2]!
    const table = this.#tables.at(first).words
    const mask = table.length - 1
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      const entry = table[slot]!
      if (entry === 0) return 0
      const segment = this.#segments[entry >>> entriesPerSegmentShift]!
      const at = (entry & (entriesPerSegment - 1)) * entryWords
      if (segment[at] === first && segment[at + 1] === second && segment[at + 2] === third) {
        this.#expected = entry + 1
        return entry
      }
    }
  }

  #empty(): void {
    this.#tables = new PrefixTables(1, slotsMin)
    this.#entries = 0
    this.#segments = [new Uint32Array(entriesPerSegment * entryWords)]
    this.#expected = 1
  }

  readonly #move = (from: Uint32Array, at: number, find: (hash: number) => PrefixTable): void => {
    const entry = from[at]!
    if (entry === 0) return
    const first = this.#segments[entry >>> entriesPerSegmentShift]![(entry & (entriesPerSegment - 1)) * entryWords]!
    insert(find(first), first, entry)
  }
}

function insert(table: PrefixTable, first: number, entry: number): void {
  const { words } = table
  const mask = words.length - 1
  let slot = first & mask
  while (words[slot] !== 0) slot = (slot + 1) & mask
  words[slot] = entry
  table.count++
}
