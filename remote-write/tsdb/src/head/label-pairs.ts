import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { firstNameAt, hashSeedAt, pairCountAt, pairDirectoryAt, postingsVersionAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import type { SharedArena } from './shared-arena.ts'
import { mix32, SharedTable } from './shared-table.ts'
import type { Symbols } from './symbols.ts'

// A record of 8 words per distinct (name, value), and one per distinct name with value 0:
//          0      1       2                3               4            5                    6                 7
//   pair:  name   value   first piece      next posting    series       next value of name   link of piece     first reference
//   name:  name   0       first value      last value      values       next name            -                 -
export const pairShift = 3
export const nameField = 0
export const valueField = 1
export const firstField = 2
export const lastField = 3
export const countField = 4
export const nextField = 5
export const linkAtField = 6
export const firstRefField = 7

// The first reference of a pair lies in its record (most pairs of a large head have one series only), the others in pieces of
// ┌ references ┬ next piece ┐ whose sizes double from 4 to 256 words; unused places are 0.
export const firstPieceWords = 4
export const pieceWordsMax = 256
const rewriteWaitMs = 1

/** References that have a bit, and those of them that are meant. */
export interface MarkedReferences {
  readonly bits: Uint32Array
  isMeant(ref: number): boolean
}

/**
 * The label pairs with the references of their series. A list grows at its end, mostly by a reference above all others; those of series
 * whose place was used before are not. Freed series go when the whole list is written anew: the version of the postings is odd meanwhile, and
 * a reader whose list was of two versions reads it again.
 */
export class LabelPairs {
  readonly #pairs: SharedArena
  readonly #postings: SharedArena
  readonly #control: Int32Array
  readonly #table: SharedTable
  #seed: number
  #name = 0
  #value = 0
  readonly #isSame = (pair: number): boolean => this.name(pair) === this.#name && this.value(pair) === this.#value
  /** Writer only: the newest label name. */
  #lastName = 0
  /** Writer only: a list that is written anew. */
  #rewritten = new Uint32Array(1024)
  readonly #symbols: Symbols | undefined

  /** `symbols`: for the writer, which counts their uses. */
  constructor(memory: HeadMemory, symbols?: Symbols) {
    this.#symbols = symbols
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

  /** Writer: adds the references `first`…`end - 1`. The caller made sure of `postingsWordsMax` words. */
  addPostings(pair: number, first: number, end: number): void {
    let count = this.#get(pair, countField)
    let ref = first
    if (count === 0) {
      this.#set(pair, firstRefField, ref++)
      count = 1
    }
    while (ref < end) {
      const next = this.#get(pair, lastField)
      const linkAt = this.#get(pair, linkAtField)
      if (next === linkAt) {
        this.#addPiece(pair, linkAt, ref++, count++)
        continue
      }
      const fitting = Math.min(end - ref, linkAt - next)
      const words = this.#postings.words[next >>> wordShift]!
      const at = next & wordMask
      for (let i = 0; i < fitting; i++) words[at + i] = ref + i
      ref += fitting
      count += fitting
      this.#set(pair, lastField, next + fitting)
    }
    this.#set(pair, countField, count)
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

  /** The references ≤ refMax of a pair, ascending. */
  postings(pair: number, refMax: number): Uint32Array {
    for (;;) {
      const version = this.#settledVersion()
      const room = this.#get(pair, countField)
      const refs = new Uint32Array(room)
      const length = this.#read(pair, refMax, refs)
      if (this.#isVersion(version) && length <= room) return sortIfNeeded(refs.subarray(0, length))
    }
  }

  /** Sets the bits of the references ≤ refMax of a pair. */
  markPostings(pair: number, refMax: number, bits: Uint32Array): void {
    for (;;) {
      const version = this.#settledVersion()
      this.#mark(pair, refMax, bits)
      // What a torn list had too much are series that were freed: they have no samples.
      if (this.#isVersion(version)) return
    }
  }

  /** Sets those bits of `found` that are set in `among` and have a reference of a pair; the first bit of both is that of 32 · firstWord. */
  markAmong(pair: number, among: Uint32Array, firstWord: number, found: Uint32Array): void {
    for (;;) {
      const version = this.#settledVersion()
      this.#markAmong(pair, among, firstWord, found)
      // As for `markPostings`.
      if (this.#isVersion(version)) return
    }
  }

  /** Whether a pair has a series ≤ refMax that is marked. */
  hasMarked(pair: number, refMax: number, marked: MarkedReferences): boolean {
    for (;;) {
      const version = this.#settledVersion()
      const found = this.#findMarked(pair, refMax, marked)
      if (this.#isVersion(version)) return found
    }
  }

  /** Whether a pair has a published series. */
  hasPostings(pair: number, refMax: number): boolean {
    const ref = this.#get(pair, firstRefField)
    if (ref === 0) return false
    // In a list with places used again, a lower one may follow.
    return ref <= refMax || (this.#get(pair, firstField) !== 0 && this.postings(pair, refMax).length > 0)
  }

  /**
   * Writer: writes a pair's list anew, ascending, without the references whose bit is set; readers of `epoch` and older ones may still read the
   * old one. Gives how many are left, -1 if there is no memory for the new list: the old one stays then.
   */
  removePostings(pair: number, removed: Uint32Array, epoch: number): number {
    const count = this.#get(pair, countField)
    if (count > this.#rewritten.length) this.#rewritten = new Uint32Array(2 * count)
    const refs = this.#rewritten
    this.#read(pair, 0xffffffff, refs)
    let kept = 0
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!
      if ((removed[ref >>> 5]! & (1 << (ref & 31))) === 0) refs[kept++] = ref
    }
    if (kept === count) return kept
    // The sizes of pieces are 4 to 256 words, so they take up to a third more than their references, and a window's end is lost.
    if (kept > 1 && !this.#postings.ensure(2 * kept + pieceWordsMax)) return -1
    sortIfNeeded(refs.subarray(0, kept))
    const oldPiece = this.#get(pair, firstField)
    Atomics.add(this.#control, postingsVersionAt, 1)
    for (const field of [firstField, lastField, countField, linkAtField, firstRefField]) this.#set(pair, field, 0)
    for (let i = 0; i < kept; i++) this.addPostings(pair, refs[i]!, refs[i]! + 1)
    Atomics.add(this.#control, postingsVersionAt, 1)
    Atomics.notify(this.#control, postingsVersionAt)
    this.#freePieces(oldPiece, epoch)
    return kept
  }

  /** Writer: lets go of a pair without references. Its name's list of values still leads to it until `unlinkValues`. */
  removePair(pair: number, epoch: number): void {
    const name = this.name(pair)
    const value = this.value(pair)
    this.#table.remove(this.#hash(name, value), pair)
    this.#control[pairCountAt]!--
    this.#symbols?.removeUse(name, epoch)
    this.#symbols?.removeUse(value, epoch)
  }

  /**
   * Writer: takes the pairs whose bit is set out of a name's list of values, for up to `limit` values from behind `previous` on (0 = the first);
   * gives the one to go on behind, -1 at the end. `epoch` as for `removePair`.
   */
  unlinkValues(nameRecord: number, removed: Uint32Array, previous: number, limit: number, epoch: number): number {
    let kept = previous
    for (let i = 0; i < limit; i++) {
      const pair = kept === 0 ? this.#get(nameRecord, firstField) : this.#get(kept, nextField)
      if (pair === 0) return -1
      if ((removed[pair >>> 5]! & (1 << (pair & 31))) === 0) {
        kept = pair
        continue
      }
      const next = this.#get(pair, nextField)
      if (kept === 0) this.#set(nameRecord, firstField, next)
      else this.#set(kept, nextField, next)
      if (next === 0) this.#set(nameRecord, lastField, kept)
      this.#set(nameRecord, countField, this.#get(nameRecord, countField) - 1)
      this.#pairs.free(pair << pairShift, 1 << pairShift, epoch)
    }
    return kept
  }

  saveState(state: StateWriter): void {
    state.numbers({ lastName: this.#lastName })
    this.#table.saveState(state.part('table'))
  }

  /** Behind that of the shared memory, which has the seed of the hashes. */
  restoreState(state: StateReader): void {
    this.#seed = this.#control[hashSeedAt]!
    this.#lastName = state.number('lastName')
    this.#table.restoreState(state.part('table'))
  }

  /** Writes up to as many references ≤ refMax as there is room for, in the list's order; gives how many there are. */
  #read(pair: number, refMax: number, into: Uint32Array): number {
    let length = 0
    const first = this.#get(pair, firstRefField)
    if (first === 0) return 0
    if (first <= refMax) into[length++] = first
    let pieceWords = firstPieceWords
    for (let piece = this.#get(pair, firstField); piece !== 0; pieceWords = Math.min(pieceWordsMax, pieceWords * 2)) {
      const words = this.#postings.window(piece >>> wordShift)
      const start = piece & wordMask
      const link = start + pieceWords - 1
      for (let i = start; i < link; i++) {
        const ref = words[i]!
        if (ref === 0) return length
        if (ref <= refMax) into[length++] = ref
      }
      piece = words[link]!
    }
    return length
  }

  #mark(pair: number, refMax: number, bits: Uint32Array): void {
    const first = this.#get(pair, firstRefField)
    if (first === 0) return
    if (first <= refMax) bits[first >>> 5]! |= 1 << (first & 31)
    let pieceWords = firstPieceWords
    for (let piece = this.#get(pair, firstField); piece !== 0; pieceWords = Math.min(pieceWordsMax, pieceWords * 2)) {
      const words = this.#postings.window(piece >>> wordShift)
      const start = piece & wordMask
      const link = start + pieceWords - 1
      for (let i = start; i < link; i++) {
        const ref = words[i]!
        if (ref === 0) return
        if (ref <= refMax) bits[ref >>> 5]! |= 1 << (ref & 31)
      }
      piece = words[link]!
    }
  }

  #markAmong(pair: number, among: Uint32Array, firstWord: number, found: Uint32Array): void {
    const first = this.#get(pair, firstRefField)
    if (first === 0) return
    const word = (first >>> 5) - firstWord
    if (word >= 0 && word < among.length) found[word]! |= among[word]! & (1 << (first & 31))
    let pieceWords = firstPieceWords
    for (let piece = this.#get(pair, firstField); piece !== 0; pieceWords = Math.min(pieceWordsMax, pieceWords * 2)) {
      const words = this.#postings.window(piece >>> wordShift)
      const start = piece & wordMask
      const link = start + pieceWords - 1
      for (let i = start; i < link; i++) {
        const ref = words[i]!
        if (ref === 0) return
        const at = (ref >>> 5) - firstWord
        if (at < 0 || at >= among.length) continue
        const bit = among[at]! & (1 << (ref & 31))
        // Few are: most words are not written, and need not wait for one another.
        if (bit !== 0) found[at]! |= bit
      }
      piece = words[link]!
    }
  }

  #findMarked(pair: number, refMax: number, marked: MarkedReferences): boolean {
    const { bits } = marked
    const first = this.#get(pair, firstRefField)
    if (first === 0) return false
    if (first <= refMax && (bits[first >>> 5]! & (1 << (first & 31))) !== 0 && marked.isMeant(first)) return true
    let pieceWords = firstPieceWords
    for (let piece = this.#get(pair, firstField); piece !== 0; pieceWords = Math.min(pieceWordsMax, pieceWords * 2)) {
      const words = this.#postings.window(piece >>> wordShift)
      const start = piece & wordMask
      const link = start + pieceWords - 1
      for (let i = start; i < link; i++) {
        const ref = words[i]!
        if (ref === 0) return false
        if (ref <= refMax && (bits[ref >>> 5]! & (1 << (ref & 31))) !== 0 && marked.isMeant(ref)) return true
      }
      piece = words[link]!
    }
    return false
  }

  #freePieces(first: number, epoch: number): void {
    let words = firstPieceWords
    for (let piece = first; piece !== 0; words = Math.min(pieceWordsMax, words * 2)) {
      const next = this.#postings.words[piece >>> wordShift]![(piece & wordMask) + words - 1]!
      this.#postings.free(piece, words, epoch)
      piece = next
    }
  }

  /** Waits while a list is being written anew. */
  #settledVersion(): number {
    for (;;) {
      const version = Atomics.load(this.#control, postingsVersionAt)
      if ((version & 1) === 0) return version
      Atomics.wait(this.#control, postingsVersionAt, version, rewriteWaitMs)
    }
  }

  /** The addition of nothing keeps the reads before it in front of it on every processor. */
  #isVersion(version: number): boolean {
    return Atomics.add(this.#control, postingsVersionAt, 0) === version
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
    if (!this.#table.add(this.#hash(name, value), pair)) return 0
    this.#symbols?.addUse(name)
    if (value !== 0) this.#symbols?.addUse(value)
    return pair
  }

  #addPiece(pair: number, linkAt: number, ref: number, count: number): void {
    const words = nextPieceWords(linkAt, count)
    const piece = this.#postings.allocate(words, firstPieceWords)
    this.#postings.words[piece >>> wordShift]![piece & wordMask] = ref
    if (linkAt === 0) this.#set(pair, firstField, piece)
    else this.#postings.words[linkAt >>> wordShift]![linkAt & wordMask] = piece
    this.#set(pair, lastField, piece + 1)
    this.#set(pair, linkAtField, piece + words - 1)
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

// After k full pieces a list has 1 + 4·(2^k - 1) - k references, so its size tells the size of the next piece.
function nextPieceWords(linkAt: number, count: number): number {
  if (linkAt === 0) return firstPieceWords
  let words = firstPieceWords
  for (let total = 1; words < pieceWordsMax; words *= 2) {
    total += words - 1
    if (total >= count) return words * 2
  }
  return pieceWordsMax
}

function sortIfNeeded(refs: Uint32Array): Uint32Array {
  for (let i = 1; i < refs.length; i++) if (refs[i]! < refs[i - 1]!) return refs.sort()
  return refs
}

/** Words that `refs` more references of each of `pairs` pairs can take. */
export function postingsWordsMax(pairs: number, refs = 1): number {
  // The last word of a piece is its link.
  return pairs * (2 * refs + pieceWordsMax + firstPieceWords)
}
