import { randomFillSync } from 'node:crypto'

const subTables = 64
const firstSlotsLog = 8
// An entry is ┌ lane A ┬ lane B ┬ lane C ┬ reference ┐.
const entryWords = 4
const entriesPerSegmentShift = 16
const entriesPerSegment = 1 << entriesPerSegmentShift

/**
 * Remembers which series a run of raw label bytes of a remote-write request meant, so that a known series costs one hash of
 * its bytes, without reading a label.
 *
 * The bytes themselves are not kept (they would double a series' memory): an entry is three 32-bit lanes of hash and the
 * reference, and all 96 bits must agree. Two label sets of honest senders then meet with probability n²/2^97, 10^-17 for a
 * million series. The lanes differ in kind (xor, add, rotate), each has two secret odd multipliers and a secret start drawn for
 * this process, and the length is part of each, so the bit patterns that cancel in one lane regardless of its secrets do not in
 * the others. Somebody who could still construct a meeting would misplace samples among series that he may write anyway.
 *
 * Entries lie in the order in which they were learnt, and the table only points at them. Senders repeat their order, so the
 * entry after the last hit is tried first: that one is in the cache, where a probe of the table would wait for memory (100 ns).
 *
 * Bounded: at `entriesMax` entries the table is emptied and learns anew from the requests that follow.
 */
export class WireAliases {
  readonly #entriesMax: number
  #segments: Uint32Array[] = []
  /** Entry numbers from 1 on, 0 = empty; sub-table by the top bits of lane A, slot by its low bits. */
  readonly #tables: Uint32Array[] = []
  readonly #counts = new Uint32Array(subTables)
  #entries = 0
  #slots = 0
  #expected = 1
  /** Entries without a reference that the running `forget` met. */
  #forgotten = 0
  resets = 0
  readonly #secrets = new Int32Array(9)
  #bytes: Uint8Array | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))
  // The hash of the bytes last asked for.
  #laneA = 0
  #laneB = 0
  #laneC = 0

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
    randomFillSync(this.#secrets)
    for (let i = 3; i < 9; i++) this.#secrets[i]! |= 1
    this.#empty()
  }

  get entries(): number {
    return this.#entries
  }

  get usedBytes(): number {
    return this.#slots * 4 + this.#segments.length * entriesPerSegment * entryWords * 4
  }

  /** The reference of the series that these bytes meant before; 0 if they are not known. */
  find(bytes: Uint8Array, start: number, end: number): number {
    this.#hash(bytes, start, end)
    const entry = this.#expected
    if (entry <= this.#entries) {
      const segment = this.#segments[entry >>> entriesPerSegmentShift]!
      const at = (entry & (entriesPerSegment - 1)) * entryWords
      if (segment[at] === this.#laneA && segment[at + 1] === this.#laneB && segment[at + 2] === this.#laneC) {
        this.#expected = entry + 1
        return segment[at + 3]!
      }
    }
    const found = this.#probe()
    return found === 0 ? 0 : this.#refAt(found)
  }

  remember(bytes: Uint8Array, start: number, end: number, ref: number): void {
    // Hashed again: a caller may have put other bytes into the same buffer since it asked.
    this.#hash(bytes, start, end)
    const known = this.#probe()
    if (known !== 0) {
      this.#segments[known >>> entriesPerSegmentShift]![(known & (entriesPerSegment - 1)) * entryWords + 3] = ref
      return
    }
    if (this.#entries >= this.#entriesMax) {
      this.resets++
      this.#empty()
    }
    const sub = this.#laneA >>> 26
    let table = this.#tables[sub]!
    if ((this.#counts[sub]! + 1) * 3 > table.length * 2) table = this.#enlarge(sub, table)
    const entry = ++this.#entries
    const index = entry >>> entriesPerSegmentShift
    if (index === this.#segments.length) this.#segments.push(new Uint32Array(entriesPerSegment * entryWords))
    const segment = this.#segments[index]!
    const at = (entry & (entriesPerSegment - 1)) * entryWords
    segment[at] = this.#laneA
    segment[at + 1] = this.#laneB
    segment[at + 2] = this.#laneC
    segment[at + 3] = ref
    insert(table, this.#laneA, entry)
    this.#counts[sub]!++
    this.#expected = entry + 1
  }

  /** Lets go of the request's bytes. */
  forgetRequest(): void {
    this.#bytes = undefined
    this.#view = noView
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
    const a = this.#laneA
    const table = this.#tables[a >>> 26]!
    const mask = table.length - 1
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const entry = table[slot]!
      if (entry === 0) return 0
      const segment = this.#segments[entry >>> entriesPerSegmentShift]!
      const at = (entry & (entriesPerSegment - 1)) * entryWords
      if (segment[at] === a && segment[at + 1] === this.#laneB && segment[at + 2] === this.#laneC) {
        this.#expected = entry + 1
        return entry
      }
    }
  }

  #empty(): void {
    for (let sub = 0; sub < subTables; sub++) this.#tables[sub] = new Uint32Array(1 << firstSlotsLog)
    this.#counts.fill(0)
    this.#entries = 0
    this.#slots = subTables << firstSlotsLog
    this.#segments = [new Uint32Array(entriesPerSegment * entryWords)]
    this.#expected = 1
  }

  #enlarge(sub: number, table: Uint32Array): Uint32Array {
    const larger = new Uint32Array(table.length * 2)
    for (let i = 0; i < table.length; i++) {
      const entry = table[i]!
      if (entry === 0) continue
      const segment = this.#segments[entry >>> entriesPerSegmentShift]!
      insert(larger, segment[(entry & (entriesPerSegment - 1)) * entryWords]!, entry)
    }
    this.#slots += table.length
    this.#tables[sub] = larger
    return larger
  }

  // Eight bytes a step: the first word enters a lane before its multiplication, the second is multiplied apart from it, so that
  // a lane waits for one multiplication per eight bytes. 25 steps for the 200 bytes of ten labels.
  #hash(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    const view = this.#view
    const secrets = this.#secrets
    const length = end - start
    const a1 = secrets[3]!
    const a2 = secrets[4]!
    const b1 = secrets[5]!
    const b2 = secrets[6]!
    const c1 = secrets[7]!
    const c2 = secrets[8]!
    let a = secrets[0]! ^ length
    let b = (secrets[1]! + length) | 0
    let c = secrets[2]! ^ Math.imul(length, c2)
    let at = start
    for (const last = end - 8; at <= last; at += 8) {
      const first = view.getInt32(at, true)
      const second = view.getInt32(at + 4, true)
      a = (Math.imul(a ^ first, a1) + Math.imul(second ^ a2, b1)) | 0
      b = Math.imul((b + first) | 0, b1) ^ Math.imul((second + c2) | 0, c1)
      c = (Math.imul(c ^ second, c1) + Math.imul((first + b2) | 0, a1)) | 0
      a ^= a >>> 15
      b = (b << 13) | (b >>> 19)
      c ^= c >>> 11
    }
    let first = 0
    let second = 0
    for (let shift = 0; at < end; at++, shift += 8) {
      if (shift < 32) first |= bytes[at]! << shift
      else second |= bytes[at]! << (shift - 32)
    }
    a = Math.imul(a ^ first, a1) + Math.imul(second ^ a2, b1)
    b = Math.imul((b + first) | 0, b1) ^ Math.imul((second + c2) | 0, c1)
    c = Math.imul(c ^ second, c1) + Math.imul((first + b2) | 0, a1)
    a = Math.imul(a ^ (a >>> 16), a2)
    b = Math.imul(b ^ (b >>> 15), b2)
    c = Math.imul(c ^ (c >>> 14), c2)
    this.#laneA = (a ^ (a >>> 16)) >>> 0
    this.#laneB = (b ^ (b >>> 15)) >>> 0
    this.#laneC = (c ^ (c >>> 14)) >>> 0
  }
}

const noView: DataView = new DataView(new ArrayBuffer(0))

function insert(table: Uint32Array, laneA: number, entry: number): void {
  const mask = table.length - 1
  let slot = laneA & mask
  while (table[slot] !== 0) slot = (slot + 1) & mask
  table[slot] = entry
}
