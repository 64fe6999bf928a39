import { epochAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import {
  directoryWords,
  findLateRecord,
  lateFirstTime,
  lateLastTime,
  lateNewestPiece,
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
import { wordMask, wordShift } from './shared-arena.ts'

/** What is new for one sample at most: a directory, a page, a record and a piece. */
export const lateSampleWordsMax = directoryWords + pageWords + lateRecordWords + pieceWordsMax
const wordsPerRecord = 16

/** Directories, records and pieces of late samples in memory; the writer's side. Whose they are, and what they are for, is the caller's. */
export class LatePieces {
  readonly #memory: HeadMemory

  constructor(memory: HeadMemory) {
    this.#memory = memory
  }

  makeDirectory(): number {
    return this.#memory.late.allocate(directoryWords, wordsPerRecord)
  }

  findOrMakeRecord(directory: number, ref: number): number {
    const { late } = this.#memory
    const pageAt = placeOfPage(directory, ref)
    let page = this.words(pageAt)[pageAt & wordMask]!
    if (page === 0) {
      page = late.allocate(pageWords, wordsPerRecord)
      this.words(pageAt)[pageAt & wordMask] = page
    }
    const at = page + (ref & (pageWords - 1))
    const known = this.words(at)[at & wordMask]!
    if (known !== 0) return known
    const record = late.allocate(lateRecordWords, wordsPerRecord)
    this.doubles(record)[((record & wordMask) + lateFirstTime) >>> 1] = Infinity
    this.doubles(record)[((record & wordMask) + lateLastTime) >>> 1] = -Infinity
    // Last, so that a reader finds it whole.
    this.words(at)[at & wordMask] = record
    return record
  }

  /** Writes a sample behind those of its series; no reader sees it yet. */
  add(record: number, timeMs: number, lowWord: number, highWord: number): void {
    const words = this.words(record)
    const at = record & wordMask
    const ordinal = words[at + lateWritten]!
    let piece = words[at + lateNewestPiece]!
    if (piece === 0 || ordinal >= this.#endOfPiece(piece)) {
      piece = this.#makePiece(piece, ordinal)
      words[at + lateNewestPiece] = piece
    }
    const pieceAt = piece & wordMask
    const pieceWords = this.words(piece)
    const pieceDoubles = this.doubles(piece)
    const to = pieceAt + pieceHeaderWords + (ordinal - pieceWords[pieceAt + pieceFirstOrdinal]!) * lateSampleWords
    pieceDoubles[to >>> 1] = timeMs
    pieceWords[to + 2] = lowWord
    pieceWords[to + 3] = highWord
    words[at + lateWritten] = ordinal + 1
    widen(pieceDoubles, (pieceAt + pieceFirstTime) >>> 1, (pieceAt + pieceLastTime) >>> 1, timeMs)
    widen(this.doubles(record), (at + lateFirstTime) >>> 1, (at + lateLastTime) >>> 1, timeMs)
  }

  /** Where a series has a sample of this time, not published ones included; 0 = nowhere. */
  find(directory: number, ref: number, timeMs: number): number {
    const record = directory === 0 ? 0 : findLateRecord(this.#memory, directory, ref)
    if (record === 0) return 0
    const at = (record & wordMask) >>> 1
    const doubles = this.doubles(record)
    if (timeMs < doubles[at + lateFirstTime / 2]! || timeMs > doubles[at + lateLastTime / 2]!) return 0
    let end = this.words(record)[(record & wordMask) + lateWritten]!
    for (let piece = this.words(record)[(record & wordMask) + lateNewestPiece]!; piece !== 0;) {
      const pieceAt = piece & wordMask
      const pieceWords = this.words(piece)
      const pieceDoubles = this.doubles(piece)
      const first = pieceWords[pieceAt + pieceFirstOrdinal]!
      const isAround = timeMs >= pieceDoubles[(pieceAt + pieceFirstTime) >>> 1]! && timeMs <= pieceDoubles[(pieceAt + pieceLastTime) >>> 1]!
      for (let i = isAround ? first : end; i < end; i++) {
        const sample = piece + pieceHeaderWords + (i - first) * lateSampleWords
        if (pieceDoubles[(sample & wordMask) >>> 1] === timeMs) return sample
      }
      end = Math.min(end, first)
      piece = pieceWords[pieceAt + pieceOlder]!
    }
    return 0
  }

  /** The places of the first `total` samples of a record, as they came. */
  placesOf(record: number, total: number): number[] {
    const pieces: [piece: number, samples: number][] = []
    let end = total
    for (let piece = this.words(record)[(record & wordMask) + lateNewestPiece]!; piece !== 0;) {
      const first = this.words(piece)[(piece & wordMask) + pieceFirstOrdinal]!
      if (end > first) pieces.push([piece, end - first])
      end = Math.min(end, first)
      piece = this.words(piece)[(piece & wordMask) + pieceOlder]!
    }
    const places: number[] = []
    for (const [piece, samples] of pieces.reverse()) {
      for (let i = 0; i < samples; i++) places.push(piece + pieceHeaderWords + i * lateSampleWords)
    }
    return places
  }

  /** Takes what was written and not published from a record: its times stay as wide as they were. */
  takeBack(record: number): void {
    const words = this.words(record)
    const at = record & wordMask
    const total = words[at + lateTotal]!
    words[at + lateWritten] = total
    for (let piece = words[at + lateNewestPiece]!; piece !== 0;) {
      if (this.words(piece)[(piece & wordMask) + pieceFirstOrdinal]! < total) break
      const older = this.words(piece)[(piece & wordMask) + pieceOlder]!
      words[at + lateNewestPiece] = older
      this.#freePiece(piece)
      piece = older
    }
  }

  forEachRecord(directory: number, visit: (record: number) => void): void {
    for (const page of this.words(directory).subarray(directory & wordMask, (directory & wordMask) + directoryWords)) {
      if (page === 0) continue
      for (const record of this.words(page).subarray(page & wordMask, (page & wordMask) + pageWords)) if (record !== 0) visit(record)
    }
  }

  freeRecord(record: number): void {
    for (let piece = this.words(record)[(record & wordMask) + lateNewestPiece]!; piece !== 0;) {
      const older = this.words(piece)[(piece & wordMask) + pieceOlder]!
      this.#freePiece(piece)
      piece = older
    }
    this.#memory.late.free(record, lateRecordWords, this.#epoch)
  }

  freePage(page: number): void {
    this.#memory.late.free(page, pageWords, this.#epoch)
  }

  freeDirectory(directory: number): void {
    this.#memory.late.free(directory, directoryWords, this.#epoch)
  }

  words(at: number): Uint32Array {
    return this.#memory.late.words[at >>> wordShift]!
  }

  doubles(at: number): Float64Array {
    return this.#memory.late.doubles[at >>> wordShift]!
  }

  #makePiece(older: number, ordinal: number): number {
    const olderWords = older === 0 ? 0 : wordsOfPiece(this.words(older)[(older & wordMask) + pieceRoom]!)
    const words = olderWords === 0 ? pieceWordsMin : Math.min(pieceWordsMax, 2 * olderWords)
    const piece = this.#memory.late.allocate(words, wordsPerRecord)
    const at = piece & wordMask
    this.words(piece)[at + pieceOlder] = older
    this.words(piece)[at + pieceFirstOrdinal] = ordinal
    this.words(piece)[at + pieceRoom] = (words - pieceHeaderWords) / lateSampleWords
    this.doubles(piece)[(at + pieceFirstTime) >>> 1] = Infinity
    this.doubles(piece)[(at + pieceLastTime) >>> 1] = -Infinity
    return piece
  }

  #freePiece(piece: number): void {
    this.#memory.late.free(piece, wordsOfPiece(this.words(piece)[(piece & wordMask) + pieceRoom]!), this.#epoch)
  }

  #endOfPiece(piece: number): number {
    const words = this.words(piece)
    return words[(piece & wordMask) + pieceFirstOrdinal]! + words[(piece & wordMask) + pieceRoom]!
  }

  get #epoch(): number {
    return this.#memory.control[epochAt]!
  }
}

function wordsOfPiece(room: number): number {
  return pieceHeaderWords + room * lateSampleWords
}

function widen(doubles: Float64Array, firstAt: number, lastAt: number, timeMs: number): void {
  if (timeMs < doubles[firstAt]!) doubles[firstAt] = timeMs
  if (timeMs > doubles[lastAt]!) doubles[lastAt] = timeMs
}
