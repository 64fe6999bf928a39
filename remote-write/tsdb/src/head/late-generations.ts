import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { epochAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import {
  directoryWords,
  findLateRecord,
  lateLastCommit,
  lateLastTime,
  latePreviousCommit,
  latePreviousTotal,
  lateTotal,
  lateWritten,
  pageWords,
  placeOfPage,
} from './late-layout.ts'
import type { LatePlaces } from './late-layout.ts'
import type { LatePayloads } from './late-payloads.ts'
import { LatePending } from './late-pending.ts'
import { LatePieces, lateSampleWordsMax } from './late-pieces.ts'
import { wordMask } from './shared-arena.ts'

/** Places of series that one `moveSealed` looks at: below a millisecond. */
const placesPerMove = 32_768
/** Places of series and payloads that one `freeDropped` takes: below a millisecond. */
const freedPerStep = 16_384

interface Range {
  firstMs: number
  lastMs: number
}

/**
 * The writer's side of the late samples of one kind. Floats are two words each; of a histogram the low one is the place of its payload, which goes
 * where the sample goes.
 */
export class LateGenerations {
  readonly pending = new LatePending()
  readonly #memory: HeadMemory
  readonly #places: LatePlaces
  readonly #payloads: LatePayloads | undefined
  readonly #pieces: LatePieces
  readonly #sealed: Range = { firstMs: Infinity, lastMs: -Infinity }
  readonly #active: Range = { firstMs: Infinity, lastMs: -Infinity }
  /** A generation that no reader finds any more, and how far it is given back. */
  #dropped = 0
  #droppedPlace = 0
  /** Where `moveSealed` goes on. */
  #movedPlace = 0

  /** `payloads`: of histograms. */
  constructor(memory: HeadMemory, places: LatePlaces, payloads?: LatePayloads) {
    this.#memory = memory
    this.#places = places
    this.#payloads = payloads
    this.#pieces = new LatePieces(memory)
  }

  get isEmpty(): boolean {
    return this.#activeDirectory === 0 && this.#sealedDirectory === 0
  }

  get hasSealed(): boolean {
    return this.#sealedDirectory !== 0
  }

  /** Times around all that are published; +Infinity and -Infinity without any. */
  get firstMs(): number {
    return Math.min(this.#sealed.firstMs, this.#active.firstMs)
  }

  get lastMs(): number {
    return Math.max(this.#sealed.lastMs, this.#active.lastMs)
  }

  /** Whether a series has any, pending ones included. */
  has(ref: number): boolean {
    return this.#writtenOf(this.#sealedDirectory, ref) > 0 || this.#writtenOf(this.#activeDirectory, ref) > 0
  }

  /** Where a series has one of this time, pending ones included; 0 = nowhere. */
  find(ref: number, timeMs: number): number {
    return this.#pieces.find(this.#activeDirectory, ref, timeMs) || this.#pieces.find(this.#sealedDirectory, ref, timeMs)
  }

  lowWordOf(sample: number): number {
    return this.#pieces.words(sample)[(sample & wordMask) + 2]!
  }

  highWordOf(sample: number): number {
    return this.#pieces.words(sample)[(sample & wordMask) + 3]!
  }

  /** Keeps one for the next commit. The caller has made sure of the memory, and that there is none of this time. */
  add(ref: number, timeMs: number, lowWord: number, highWord: number): void {
    let directory = this.#activeDirectory
    if (directory === 0) {
      directory = this.#pieces.makeDirectory()
      this.#memory.control[this.#places.activeAt] = directory
    }
    const record = this.#pieces.findOrMakeRecord(directory, ref)
    this.#pieces.add(record, timeMs, lowWord, highWord)
    this.pending.add(ref, record, timeMs, lowWord, highWord)
  }

  /** Makes the pending ones visible, while `commit` is being applied. */
  publish(commit: number): void {
    const { records, times, length } = this.pending
    if (length === 0) return
    for (let i = 0; i < length; i++) {
      const words = this.#pieces.words(records[i]!)
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
    this.pending.clear()
  }

  /** Forgets the pending ones. */
  rollback(): void {
    const { records, words, length } = this.pending
    for (let i = 0; i < length; i++) {
      this.#pieces.takeBack(records[i]!)
      this.#payloads?.free(words[2 * i]!, this.#epoch)
    }
    this.pending.clear()
  }

  /** All that are there are sealed, none that comes from now on is. Only if none is sealed yet, and while a commit is being applied. */
  seal(): void {
    const { control } = this.#memory
    control[this.#places.sealedAt] = this.#activeDirectory
    control[this.#places.activeAt] = 0
    moveRange(this.#active, this.#sealed)
    this.#movedPlace = 0
  }

  /**
   * Adds the sealed samples that are not before `fromMs` once more, to go on in the newer generation: some thousand with each call, to be
   * committed before the next one. False when there are no more.
   */
  moveSealed(fromMs: number, samplesMax: number): boolean {
    const sealed = this.#sealedDirectory
    if (sealed === 0) return false
    const places = directoryWords * pageWords
    for (let looked = 0; looked < placesPerMove && this.#movedPlace < places; looked++) {
      const page = this.#pieces.words(sealed)[placeOfPage(sealed, this.#movedPlace) & wordMask]!
      if (page === 0) {
        this.#movedPlace = endOfPage(this.#movedPlace)
        continue
      }
      const ref = this.#movedPlace++
      const record = findLateRecord(this.#memory, sealed, ref)
      if (record === 0 || this.#pieces.doubles(record)[((record & wordMask) + lateLastTime) >>> 1]! < fromMs) continue
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
    if (this.#dropped !== 0) throw new Error('cannot drop late samples: those dropped before are not freed yet')
    this.#dropped = this.#sealedDirectory
    this.#droppedPlace = 0
    this.#memory.control[this.#places.sealedAt] = 0
    moveRange({ firstMs: Infinity, lastMs: -Infinity }, this.#sealed)
  }

  /** Gives back some memory of the dropped ones with each call; false when it is through. */
  freeDropped(): boolean {
    const directory = this.#dropped
    if (directory === 0) return false
    const places = directoryWords * pageWords
    for (let freed = 0; freed < freedPerStep && this.#droppedPlace < places;) {
      const page = this.#pieces.words(directory)[placeOfPage(directory, this.#droppedPlace) & wordMask]!
      if (page === 0) {
        this.#droppedPlace = endOfPage(this.#droppedPlace)
        continue
      }
      const record = findLateRecord(this.#memory, directory, this.#droppedPlace++)
      freed += 1 + (record === 0 ? 0 : this.#freeRecord(record))
      if (this.#droppedPlace % pageWords === 0) this.#pieces.freePage(page)
    }
    if (this.#droppedPlace < places) return true
    this.#pieces.freeDirectory(directory)
    this.#dropped = 0
    return false
  }

  /** Commit numbers start again at 1. */
  restartCommitNumbers(): void {
    for (const directory of [this.#sealedDirectory, this.#activeDirectory]) {
      if (directory === 0) continue
      this.#pieces.forEachRecord(directory, (record) => {
        const words = this.#pieces.words(record)
        words[(record & wordMask) + lateLastCommit] = 1
        words[(record & wordMask) + latePreviousCommit] = 1
      })
    }
  }

  /** What stands in the way of `saveState`: samples on their way into blocks. */
  get isOnTheMove(): boolean {
    return this.hasSealed || this.#dropped !== 0 || this.pending.length > 0
  }

  /** What is not in shared memory. */
  saveState(state: StateWriter): void {
    state.numbers({ activeFirstMs: this.#active.firstMs, activeLastMs: this.#active.lastMs })
  }

  restoreState(state: StateReader): void {
    this.#active.firstMs = state.number('activeFirstMs')
    this.#active.lastMs = state.number('activeLastMs')
  }

  #moveSeries(ref: number, record: number, fromMs: number): void {
    const payloads = this.#payloads
    for (const sample of this.#pieces.placesOf(record, this.#pieces.words(record)[(record & wordMask) + lateTotal]!)) {
      const timeMs = this.#pieces.doubles(sample)[(sample & wordMask) >>> 1]!
      if (timeMs < fromMs || this.#pieces.find(this.#activeDirectory, ref, timeMs) !== 0) continue
      const low = this.lowWordOf(sample)
      const words = lateSampleWordsMax + (payloads === undefined ? 0 : payloads.wordsAt(low))
      if (!this.#memory.late.ensure(words)) throw new Error('cannot move late samples: no shared memory left for them')
      this.add(ref, timeMs, payloads === undefined ? low : payloads.copy(low), this.highWordOf(sample))
    }
  }

  /** Gives how many payloads that were. */
  #freeRecord(record: number): number {
    const payloads = this.#payloads
    const written = payloads === undefined ? 0 : this.#pieces.words(record)[(record & wordMask) + lateWritten]!
    for (const sample of this.#pieces.placesOf(record, written)) payloads?.free(this.lowWordOf(sample), this.#epoch)
    this.#pieces.freeRecord(record)
    return written
  }

  #writtenOf(directory: number, ref: number): number {
    const record = directory === 0 ? 0 : findLateRecord(this.#memory, directory, ref)
    return record === 0 ? 0 : this.#pieces.words(record)[(record & wordMask) + lateWritten]!
  }

  get #sealedDirectory(): number {
    return this.#memory.control[this.#places.sealedAt]! >>> 0
  }

  get #activeDirectory(): number {
    return this.#memory.control[this.#places.activeAt]! >>> 0
  }

  get #epoch(): number {
    return this.#memory.control[epochAt]!
  }
}

function endOfPage(place: number): number {
  return (Math.floor(place / pageWords) + 1) * pageWords
}

function moveRange(from: Range, to: Range): void {
  to.firstMs = from.firstMs
  to.lastMs = from.lastMs
  from.firstMs = Infinity
  from.lastMs = -Infinity
}
