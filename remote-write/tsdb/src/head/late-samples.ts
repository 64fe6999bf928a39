import { epochAt, lateActiveAt, lateSealedAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import {
  directoryWords,
  findLateRecord,
  lateDirectories,
  lateFirstTime,
  lateLastCommit,
  lateLastTime,
  lateNewestPiece,
  latePreviousCommit,
  latePreviousTotal,
  lateRecordWords,
  lateSampleWords,
  lateTotal,
  lateWritten,
  pageWords,
  pieceFirstOrdinal,
  pieceFirstTime,
  pieceHeaderWords,
  pieceLastTime,
  pieceOlder,
  pieceRoom,
  pieceWordsMax,
  pieceWordsMin,
  placeOfPage,
} from './late-layout.ts'
import { LatePending } from './late-pending.ts'
import { wordMask, wordShift } from './shared-arena.ts'

/** What is new for one sample at most: a directory, a page, a record and a piece. */
const wordsPerSampleMax = directoryWords + pageWords + lateRecordWords + pieceWordsMax
const wordsPerRecord = 16
/** Places of series that one `moveSealed` looks at: below a millisecond. */
const placesPerMove = 32_768

/** What `find` gives. */
export const noSample = 0
export const sameSample = 1
export const otherSample = 2

interface Range {
  firstMs: number
  lastMs: number
}

/**
 * The writer's side of the samples that came after later ones of their series. They lie in memory as they came, 16 bytes each and a header every
 * 6 to 62, and become visible by whole commits like all others. From time to time all of them are sealed, so that new ones go into a generation of
 * their own, and the sealed ones into blocks; then they are dropped as a whole.
 */
export class LateSamples {
  readonly pending = new LatePending()
  readonly #memory: HeadMemory
  readonly #sealed: Range = { firstMs: Infinity, lastMs: -Infinity }
  readonly #active: Range = { firstMs: Infinity, lastMs: -Infinity }
  /** A generation that no reader finds any more, and how far it is given back. */
  #dropped = 0
  #droppedPage = 0
  /** Where `moveSealed` goes on. */
  #movedPlace = 0

  constructor(memory: HeadMemory) {
    this.#memory = memory
    this.#publishRange()
  }

  get isEmpty(): boolean {
    const { control } = this.#memory
    return control[lateActiveAt] === 0 && control[lateSealedAt] === 0
  }

  get hasSealed(): boolean {
    return this.#memory.control[lateSealedAt] !== 0
  }

  /** Whether any may be from before this time. */
  hasBefore(timeMs: number): boolean {
    return Math.min(this.#sealed.firstMs, this.#active.firstMs) < timeMs
  }

  /** Whether a series has any, pending ones included. */
  has(ref: number): boolean {
    const [sealed, active] = lateDirectories(this.#memory)
    return this.#writtenOf(sealed, ref) > 0 || this.#writtenOf(active, ref) > 0
  }

  /** Whether one more surely finds memory. */
  ensure(): boolean {
    return this.#memory.late.ensure(wordsPerSampleMax)
  }

  /** What a series has of this time among the late ones, pending ones included. */
  find(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const [sealed, active] = lateDirectories(this.#memory)
    const found = this.#findIn(active, ref, timeMs, lowWord, highWord)
    return found === noSample ? this.#findIn(sealed, ref, timeMs, lowWord, highWord) : found
  }

  /** Keeps one for the next commit. The caller has made sure of the memory by `ensure`, and that there is none of this time. */
  add(ref: number, timeMs: number, lowWord: number, highWord: number): void {
    const record = this.#findOrMakeRecord(ref)
    const words = this.#words(record)
    const at = record & wordMask
    const ordinal = words[at + lateWritten]!
    let piece = words[at + lateNewestPiece]!
    if (piece === 0 || ordinal >= this.#endOfPiece(piece)) {
      piece = this.#makePiece(piece, ordinal)
      words[at + lateNewestPiece] = piece
    }
    const pieceAt = piece & wordMask
    const pieceWords = this.#words(piece)
    const pieceDoubles = this.#doubles(piece)
    const to = pieceAt + pieceHeaderWords + (ordinal - pieceWords[pieceAt + pieceFirstOrdinal]!) * lateSampleWords
    pieceDoubles[to >>> 1] = timeMs
    pieceWords[to + 2] = lowWord
    pieceWords[to + 3] = highWord
    words[at + lateWritten] = ordinal + 1
    widen(pieceDoubles, (pieceAt + pieceFirstTime) >>> 1, (pieceAt + pieceLastTime) >>> 1, timeMs)
    widen(this.#doubles(record), (at + lateFirstTime) >>> 1, (at + lateLastTime) >>> 1, timeMs)
    this.pending.add(ref, record, timeMs, lowWord, highWord)
  }

  /** Makes the pending ones visible, while `commit` is being applied. */
  publish(commit: number): void {
    const { records, times, length } = this.pending
    if (length === 0) return
    for (let i = 0; i < length; i++) {
      const words = this.#words(records[i]!)
      const at = records[i]! & wordMask
      if (words[at + lateLastCommit] !== commit) {
        words[at + latePreviousCommit] = words[at + lateLastCommit]!
        words[at + latePreviousTotal] = words[at + lateTotal]!
        words[at + lateLastCommit] = commit
      }
      words[at + lateTotal]!++
      if (times[i]! < this.#active.firstMs) this.#active.firstMs = times[i]!
      if (times[i]! > this.#active.lastMs) this.#active.lastMs = times[i]!
    }
    this.#publishRange()
    this.pending.clear()
  }

  /** Forgets the pending ones. */
  rollback(): void {
    const { records, length } = this.pending
    for (let i = 0; i < length; i++) this.#takeBack(records[i]!)
    this.pending.clear()
  }

  /** All that are there are sealed, none that comes from now on is. Only if none is sealed yet, and while a commit is being applied. */
  seal(): void {
    const { control } = this.#memory
    control[lateSealedAt] = control[lateActiveAt]!
    control[lateActiveAt] = 0
    moveRange(this.#active, this.#sealed)
    this.#movedPlace = 0
  }

  /**
   * Adds the sealed samples that are not before `fromMs` once more, to go on in the newer generation: some thousand with each call, to be
   * committed before the next one. False when there are no more.
   */
  moveSealed(fromMs: number, samplesMax: number): boolean {
    const [sealed] = lateDirectories(this.#memory)
    if (sealed === 0) return false
    const places = directoryWords * pageWords
    for (let looked = 0; looked < placesPerMove && this.#movedPlace < places; looked++) {
      const page = this.#words(sealed)[placeOfPage(sealed, this.#movedPlace) & wordMask]!
      if (page === 0) {
        this.#movedPlace = (Math.floor(this.#movedPlace / pageWords) + 1) * pageWords
        continue
      }
      const ref = this.#movedPlace++
      const record = findLateRecord(this.#memory, sealed, ref)
      if (record === 0 || this.#doubles(record)[((record & wordMask) + lateLastTime) >>> 1]! < fromMs) continue
      this.#moveSeries(ref, record, fromMs)
      if (this.pending.length >= samplesMax) break
    }
    this.pending.isMoved = this.pending.length > 0
    return this.#movedPlace < places
  }

  /** Starts `moveSealed` anew, after it could not be committed. */
  restartMoving(): void {
    this.#movedPlace = 0
  }

  /** Takes the sealed ones from readers, while a commit is being applied; `freeDropped` then gives their memory back. */
  dropSealed(): void {
    const { control } = this.#memory
    if (this.#dropped !== 0) throw new Error('cannot drop late samples: those dropped before are not freed yet')
    this.#dropped = control[lateSealedAt]! >>> 0
    this.#droppedPage = 0
    control[lateSealedAt] = 0
    moveRange({ firstMs: Infinity, lastMs: -Infinity }, this.#sealed)
    this.#publishRange()
  }

  /** Gives back the memory of the dropped ones, a page with each call; false when it is through. */
  freeDropped(): boolean {
    const directory = this.#dropped
    if (directory === 0) return false
    const { late, control } = this.#memory
    const epoch = control[epochAt]!
    const pages = this.#words(directory).subarray(directory & wordMask, (directory & wordMask) + directoryWords)
    while (this.#droppedPage < directoryWords && pages[this.#droppedPage] === 0) this.#droppedPage++
    if (this.#droppedPage === directoryWords) {
      late.free(directory, directoryWords, epoch)
      this.#dropped = 0
      return false
    }
    const page = pages[this.#droppedPage++]!
    for (const record of this.#words(page).subarray(page & wordMask, (page & wordMask) + pageWords)) {
      if (record === 0) continue
      for (let piece = this.#words(record)[(record & wordMask) + lateNewestPiece]!; piece !== 0;) {
        const older = this.#words(piece)[(piece & wordMask) + pieceOlder]!
        this.#freePiece(piece, epoch)
        piece = older
      }
      late.free(record, lateRecordWords, epoch)
    }
    late.free(page, pageWords, epoch)
    return true
  }

  /** Commit numbers start again at 1. */
  restartCommitNumbers(): void {
    for (const directory of lateDirectories(this.#memory)) {
      if (directory === 0) continue
      const pages = this.#words(directory).subarray(directory & wordMask, (directory & wordMask) + directoryWords)
      for (const page of pages) {
        if (page === 0) continue
        for (const record of this.#words(page).subarray(page & wordMask, (page & wordMask) + pageWords)) {
          if (record === 0) continue
          this.#words(record)[(record & wordMask) + lateLastCommit] = 1
          this.#words(record)[(record & wordMask) + latePreviousCommit] = 1
        }
      }
    }
  }

  #moveSeries(ref: number, record: number, fromMs: number): void {
    const words = this.#words(record)
    let end = words[(record & wordMask) + lateTotal]!
    const pieces: [piece: number, samples: number][] = []
    for (let piece = words[(record & wordMask) + lateNewestPiece]!; piece !== 0;) {
      const first = this.#words(piece)[(piece & wordMask) + pieceFirstOrdinal]!
      if (end > first) pieces.push([piece, end - first])
      end = Math.min(end, first)
      piece = this.#words(piece)[(piece & wordMask) + pieceOlder]!
    }
    const [, active] = lateDirectories(this.#memory)
    // The oldest first: as they came.
    for (const [piece, samples] of pieces.reverse()) {
      for (let i = 0; i < samples; i++) {
        const at = (piece & wordMask) + pieceHeaderWords + i * lateSampleWords
        const timeMs = this.#doubles(piece)[at >>> 1]!
        const low = this.#words(piece)[at + 2]!
        const high = this.#words(piece)[at + 3]!
        if (timeMs < fromMs || this.#findIn(this.#activeNow(active), ref, timeMs, low, high) !== noSample) continue
        if (!this.ensure()) throw new Error('cannot move late samples: no shared memory left for them')
        this.add(ref, timeMs, low, high)
      }
    }
  }

  #activeNow(known: number): number {
    return known === 0 ? lateDirectories(this.#memory)[1] : known
  }

  #findIn(directory: number, ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const record = directory === 0 ? 0 : findLateRecord(this.#memory, directory, ref)
    if (record === 0) return noSample
    const at = (record & wordMask) >>> 1
    const doubles = this.#doubles(record)
    if (timeMs < doubles[at + lateFirstTime / 2]! || timeMs > doubles[at + lateLastTime / 2]!) return noSample
    let end = this.#words(record)[(record & wordMask) + lateWritten]!
    for (let piece = this.#words(record)[(record & wordMask) + lateNewestPiece]!; piece !== 0;) {
      const pieceAt = piece & wordMask
      const pieceWords = this.#words(piece)
      const pieceDoubles = this.#doubles(piece)
      const first = pieceWords[pieceAt + pieceFirstOrdinal]!
      const isAround = timeMs >= pieceDoubles[(pieceAt + pieceFirstTime) >>> 1]! && timeMs <= pieceDoubles[(pieceAt + pieceLastTime) >>> 1]!
      for (let i = isAround ? first : end; i < end; i++) {
        const sampleAt = pieceAt + pieceHeaderWords + (i - first) * lateSampleWords
        if (pieceDoubles[sampleAt >>> 1] !== timeMs) continue
        return pieceWords[sampleAt + 2] === lowWord >>> 0 && pieceWords[sampleAt + 3] === highWord >>> 0 ? sameSample : otherSample
      }
      end = Math.min(end, first)
      piece = pieceWords[pieceAt + pieceOlder]!
    }
    return noSample
  }

  #findOrMakeRecord(ref: number): number {
    const { late, control } = this.#memory
    let directory = control[lateActiveAt]! >>> 0
    if (directory === 0) {
      directory = late.allocate(directoryWords, wordsPerRecord)
      control[lateActiveAt] = directory
    }
    const pageAt = placeOfPage(directory, ref)
    let page = this.#words(pageAt)[pageAt & wordMask]!
    if (page === 0) {
      page = late.allocate(pageWords, wordsPerRecord)
      this.#words(pageAt)[pageAt & wordMask] = page
    }
    const at = page + (ref & (pageWords - 1))
    const known = this.#words(at)[at & wordMask]!
    if (known !== 0) return known
    const record = late.allocate(lateRecordWords, wordsPerRecord)
    this.#doubles(record)[((record & wordMask) + lateFirstTime) >>> 1] = Infinity
    this.#doubles(record)[((record & wordMask) + lateLastTime) >>> 1] = -Infinity
    // Last, so that a reader finds it whole.
    this.#words(at)[at & wordMask] = record
    return record
  }

  #makePiece(older: number, ordinal: number): number {
    const olderWords = older === 0 ? 0 : wordsOfPiece(this.#words(older)[(older & wordMask) + pieceRoom]!)
    const words = olderWords === 0 ? pieceWordsMin : Math.min(pieceWordsMax, 2 * olderWords)
    const piece = this.#memory.late.allocate(words, wordsPerRecord)
    const at = piece & wordMask
    this.#words(piece)[at + pieceOlder] = older
    this.#words(piece)[at + pieceFirstOrdinal] = ordinal
    this.#words(piece)[at + pieceRoom] = (words - pieceHeaderWords) / lateSampleWords
    this.#doubles(piece)[(at + pieceFirstTime) >>> 1] = Infinity
    this.#doubles(piece)[(at + pieceLastTime) >>> 1] = -Infinity
    return piece
  }

  /** What a rollback leaves of a series: its times stay as wide as they were. */
  #takeBack(record: number): void {
    const words = this.#words(record)
    const at = record & wordMask
    const total = words[at + lateTotal]!
    words[at + lateWritten] = total
    for (let piece = words[at + lateNewestPiece]!; piece !== 0;) {
      if (this.#words(piece)[(piece & wordMask) + pieceFirstOrdinal]! < total) break
      const older = this.#words(piece)[(piece & wordMask) + pieceOlder]!
      words[at + lateNewestPiece] = older
      this.#freePiece(piece, this.#memory.control[epochAt]!)
      piece = older
    }
  }

  #freePiece(piece: number, epoch: number): void {
    this.#memory.late.free(piece, wordsOfPiece(this.#words(piece)[(piece & wordMask) + pieceRoom]!), epoch)
  }

  #endOfPiece(piece: number): number {
    const words = this.#words(piece)
    return words[(piece & wordMask) + pieceFirstOrdinal]! + words[(piece & wordMask) + pieceRoom]!
  }

  #writtenOf(directory: number, ref: number): number {
    const record = directory === 0 ? 0 : findLateRecord(this.#memory, directory, ref)
    return record === 0 ? 0 : this.#words(record)[(record & wordMask) + lateWritten]!
  }

  #publishRange(): void {
    this.#memory.lateMinTime = Math.min(this.#sealed.firstMs, this.#active.firstMs)
    this.#memory.lateMaxTime = Math.max(this.#sealed.lastMs, this.#active.lastMs)
  }

  #words(at: number): Uint32Array {
    return this.#memory.late.words[at >>> wordShift]!
  }

  #doubles(at: number): Float64Array {
    return this.#memory.late.doubles[at >>> wordShift]!
  }
}

function wordsOfPiece(room: number): number {
  return pieceHeaderWords + room * lateSampleWords
}

function widen(doubles: Float64Array, firstAt: number, lastAt: number, timeMs: number): void {
  if (timeMs < doubles[firstAt]!) doubles[firstAt] = timeMs
  if (timeMs > doubles[lastAt]!) doubles[lastAt] = timeMs
}

function moveRange(from: Range, to: Range): void {
  to.firstMs = from.firstMs
  to.lastMs = from.lastMs
  from.firstMs = Infinity
  from.lastMs = -Infinity
}
