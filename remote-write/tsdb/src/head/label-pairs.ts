import { firstNameAt, hashSeedAt, pairCountAt, pairDirectoryAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import type { SharedArena } from './shared-arena.ts'
import { mix32, SharedTable } from './shared-table.ts'

// A record of 8 words per distinct (name, value), and one per distinct name with value 0:
//          0      1       2                3               4            5                    6                 7
//   pair:  name   value   first piece      next posting    series       next value of name   link of piece     first reference
//   name:  name   0       first value      last value      values       next name            -                 -
const pairShift = 3
const nameField = 0
const valueField = 1
const firstField = 2
const lastField = 3
const countField = 4
const nextField = 5
const linkAtField = 6
const firstRefField = 7

// The first reference of a pair lies in its record (most pairs of a large head have one series only), the others in pieces of
// ┌ references, ascending ┬ next piece ┐ whose sizes double from 4 to 256 words; unused places are 0.
const firstPieceWords = 4
const pieceWordsMax = 256

/**
 * The label pairs with the references of their series. Lists grow at their end only, so a reader that pinned a series count
 * finds every reference up to it and stops at the first that is 0 or above.
 */
export class LabelPairs {
  readonly #pairs: SharedArena
  readonly #postings: SharedArena
  readonly #control: Int32Array
  readonly #table: SharedTable
  readonly #seed: number
  #name = 0
  #value = 0
  readonly #isSame = (pair: number): boolean => this.name(pair) === this.#name && this.value(pair) === this.#value
  /** Writer only: the newest label name. */
  #lastName = 0

  constructor(memory: HeadMemory) {
    this.#pairs = memory.pairs
    this.#postings = memory.postings
    this.#control = memory.control
    this.#table = new SharedTable(memory.control, pairDirectoryAt, memory.postings)
    this.#seed = memory.control[hashSeedAt]!
  }

  /** The pair of two symbol ids (value 0: the name's own record); 0 if there is none. */
  find(name: number, value: number): number {
    this.#name = name
    this.#value = value
    return this.#table.find(this.#hash(name, value), this.#isSame)
  }

  /** Writer: the pair, added if need be; 0 if there is no memory. */
  intern(name: number, value: number): number {
    const known = this.find(name, value)
    if (known !== 0) return known
    const nameRecord = this.#internName(name)
    if (nameRecord === 0) return 0
    const pair = this.#add(name, value)
    if (pair === 0) return 0
    const last = this.#get(nameRecord, lastField)
    if (last === 0) this.#set(nameRecord, firstField, pair)
    else this.#set(last, nextField, pair)
    this.#set(nameRecord, lastField, pair)
    this.#set(nameRecord, countField, this.#get(nameRecord, countField) + 1)
    this.#control[pairCountAt]!++
    return pair
  }

  /** Writer: adds a reference above all earlier ones. The caller made sure of `postingsWordsMax` words. */
  addPosting(pair: number, ref: number): void {
    const next = this.#get(pair, lastField)
    const linkAt = this.#get(pair, linkAtField)
    if (this.#get(pair, countField) === 0) {
      this.#set(pair, firstRefField, ref)
    } else if (next !== linkAt) {
      this.#postings.words[next >>> wordShift]![next & wordMask] = ref
      this.#set(pair, lastField, next + 1)
    } else {
      this.#addPiece(pair, linkAt, ref)
    }
    this.#set(pair, countField, this.#get(pair, countField) + 1)
  }

  name(pair: number): number {
    return this.#get(pair, nameField)
  }

  value(pair: number): number {
    return this.#get(pair, valueField)
  }

  /** Series of a pair, those not yet published included; of a name record, its distinct values. */
  count(pair: number): number {
    return this.#get(pair, countField)
  }

  /** The first name record. */
  firstName(): number {
    return Atomics.load(this.#control, firstNameAt)
  }

  /** The first value's pair of a name record. */
  firstValue(nameRecord: number): number {
    return this.#get(nameRecord, firstField)
  }

  /** The next name record, or the next pair of the same name; 0 at the end. */
  next(record: number): number {
    return this.#get(record, nextField)
  }

  /** Writes the references ≤ refMax of a pair into `into` from `at` on (which must have room for them) and gives the end. */
  readPostings(pair: number, refMax: number, into: Uint32Array, at: number): number {
    if (!this.hasPostings(pair, refMax)) return at
    let end = at
    into[end++] = this.#get(pair, firstRefField)
    let pieceWords = firstPieceWords
    for (let piece = this.#get(pair, firstField); piece !== 0; pieceWords = Math.min(pieceWordsMax, pieceWords * 2)) {
      const words = this.#postings.window(piece >>> wordShift)
      const start = piece & wordMask
      const link = start + pieceWords - 1
      for (let i = start; i < link; i++) {
        const ref = words[i]!
        if (ref === 0 || ref > refMax) return end
        into[end++] = ref
      }
      piece = words[link]!
    }
    return end
  }

  /** Sets the bits of the references ≤ refMax of a pair. */
  markPostings(pair: number, refMax: number, bits: Uint32Array): void {
    if (!this.hasPostings(pair, refMax)) return
    const first = this.#get(pair, firstRefField)
    bits[first >>> 5]! |= 1 << (first & 31)
    let pieceWords = firstPieceWords
    for (let piece = this.#get(pair, firstField); piece !== 0; pieceWords = Math.min(pieceWordsMax, pieceWords * 2)) {
      const words = this.#postings.window(piece >>> wordShift)
      const start = piece & wordMask
      const link = start + pieceWords - 1
      for (let i = start; i < link; i++) {
        const ref = words[i]!
        if (ref === 0 || ref > refMax) return
        bits[ref >>> 5]! |= 1 << (ref & 31)
      }
      piece = words[link]!
    }
  }

  /** Whether a pair has a published series. */
  hasPostings(pair: number, refMax: number): boolean {
    const ref = this.#get(pair, firstRefField)
    return ref !== 0 && ref <= refMax
  }

  #internName(name: number): number {
    const known = this.find(name, 0)
    if (known !== 0) return known
    const record = this.#add(name, 0)
    if (record === 0) return 0
    if (this.#lastName === 0) Atomics.store(this.#control, firstNameAt, record)
    else this.#set(this.#lastName, nextField, record)
    this.#lastName = record
    return record
  }

  #add(name: number, value: number): number {
    if (!this.#pairs.ensure(1 << pairShift)) return 0
    const pair = this.#pairs.allocate(1 << pairShift, 1 << pairShift) >>> pairShift
    this.#set(pair, nameField, name)
    this.#set(pair, valueField, value)
    return this.#table.add(this.#hash(name, value), pair) ? pair : 0
  }

  #addPiece(pair: number, linkAt: number, ref: number): void {
    const words = this.#nextPieceWords(pair, linkAt)
    const piece = this.#postings.allocate(words, firstPieceWords)
    this.#postings.words[piece >>> wordShift]![piece & wordMask] = ref
    if (linkAt === 0) this.#set(pair, firstField, piece)
    else this.#postings.words[linkAt >>> wordShift]![linkAt & wordMask] = piece
    this.#set(pair, lastField, piece + 1)
    this.#set(pair, linkAtField, piece + words - 1)
  }

  // After k full pieces a list has 1 + 4·(2^k - 1) - k references, so its size tells the size of the next piece.
  #nextPieceWords(pair: number, linkAt: number): number {
    if (linkAt === 0) return firstPieceWords
    const count = this.#get(pair, countField)
    let words = firstPieceWords
    for (let total = 1; words < pieceWordsMax; words *= 2) {
      total += words - 1
      if (total >= count) return words * 2
    }
    return pieceWordsMax
  }

  #hash(name: number, value: number): number {
    return mix32(Math.imul(name ^ this.#seed, 0x9e3779b1) ^ mix32(value + this.#seed))
  }

  #get(pair: number, field: number): number {
    const at = pair << pairShift
    return this.#pairs.window(at >>> wordShift)[(at & wordMask) + field]!
  }

  #set(pair: number, field: number, value: number): void {
    const at = pair << pairShift
    this.#pairs.words[at >>> wordShift]![(at & wordMask) + field] = value
  }
}

/** Words that one more reference of each of `pairs` pairs can take. */
export function postingsWordsMax(pairs: number): number {
  return pairs * (pieceWordsMax + firstPieceWords)
}
