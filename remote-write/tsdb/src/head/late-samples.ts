import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import type { HeadMemory } from './head-memory.ts'
import { LateGenerations } from './late-generations.ts'
import { lateFloatPlaces, lateHistogramPlaces } from './late-layout.ts'
import { LatePayloads } from './late-payloads.ts'
import type { LateBatch } from './late-pending.ts'
import { lateSampleWordsMax } from './late-pieces.ts'

/** Histograms are moved so many times fewer with a call, as they are larger. */
const histogramWeight = 16

/**
 * The writer's side of the samples that came after later ones of their series. They lie in memory as they came, 16 bytes each and a header every
 * 6 to 62, a histogram with its bytes of the log beside, and become visible by whole commits like all others. From time to time all of them are
 * sealed, so that new ones go into generations of their own, and the sealed ones into blocks; then they are dropped as a whole.
 */
export class LateSamples {
  readonly floats: LateGenerations
  readonly histograms: LateGenerations
  readonly payloads: LatePayloads
  /** What came since the last commit. */
  readonly pending: LateBatch
  readonly #memory: HeadMemory

  constructor(memory: HeadMemory) {
    this.#memory = memory
    this.payloads = new LatePayloads(memory.late)
    this.floats = new LateGenerations(memory, lateFloatPlaces)
    this.histograms = new LateGenerations(memory, lateHistogramPlaces, this.payloads)
    this.pending = { floats: this.floats.pending, histograms: this.histograms.pending, payloads: this.payloads }
    this.#publishRange()
  }

  get pendingCount(): number {
    return this.pending.floats.length + this.pending.histograms.length
  }

  get isEmpty(): boolean {
    return this.floats.isEmpty && this.histograms.isEmpty
  }

  get hasSealed(): boolean {
    return this.floats.hasSealed || this.histograms.hasSealed
  }

  /** Whether any may be from before this time. */
  hasBefore(timeMs: number): boolean {
    return Math.min(this.floats.firstMs, this.histograms.firstMs) < timeMs
  }

  /** Whether a series has any, pending ones included. */
  has(ref: number): boolean {
    return this.floats.has(ref) || this.histograms.has(ref)
  }

  /** Whether one more surely finds memory; of a histogram with so many bytes. */
  ensure(payloadBytes = 0): boolean {
    const words = payloadBytes === 0 ? 0 : this.payloads.wordsFor(payloadBytes)
    return this.#memory.late.ensure(lateSampleWordsMax + words)
  }

  /** Makes the pending ones visible, while `commit` is being applied. */
  publish(commit: number): void {
    if (this.pendingCount === 0) return
    this.floats.publish(commit)
    this.histograms.publish(commit)
    this.#publishRange()
  }

  /** Forgets the pending ones. */
  rollback(): void {
    this.floats.rollback()
    this.histograms.rollback()
  }

  /** All that are there are sealed, none that comes from now on is. Only if none is sealed yet, and while a commit is being applied. */
  seal(): void {
    this.floats.seal()
    this.histograms.seal()
  }

  /**
   * Adds the sealed samples that are not before `fromMs` once more, to go on in the newer generations: some thousand with each call, to be
   * committed before the next one. False when there are no more.
   */
  moveSealed(fromMs: number, samplesMax: number): boolean {
    if (this.floats.moveSealed(fromMs, samplesMax)) return true
    return this.histograms.moveSealed(fromMs, Math.ceil(samplesMax / histogramWeight))
  }

  /** Starts `moveSealed` anew, after it could not be committed. */
  restartMoving(): void {
    this.floats.restartMoving()
    this.histograms.restartMoving()
  }

  /** Takes the sealed ones from readers, while a commit is being applied; `freeDropped` then gives their memory back. */
  dropSealed(): void {
    this.floats.dropSealed()
    this.histograms.dropSealed()
    this.#publishRange()
  }

  /** Gives back the memory of the dropped ones, a page with each call; false when it is through. */
  freeDropped(): boolean {
    return this.floats.freeDropped() || this.histograms.freeDropped()
  }

  /** Commit numbers start again at 1. */
  restartCommitNumbers(): void {
    this.floats.restartCommitNumbers()
    this.histograms.restartCommitNumbers()
  }

  /** What stands in the way of `saveState`: samples on their way into blocks. */
  get isOnTheMove(): boolean {
    return this.floats.isOnTheMove || this.histograms.isOnTheMove
  }

  /** What is not in shared memory. */
  saveState(state: StateWriter): void {
    this.floats.saveState(state.part('floats'))
    this.histograms.saveState(state.part('histograms'))
  }

  restoreState(state: StateReader): void {
    this.floats.restoreState(state.part('floats'))
    this.histograms.restoreState(state.part('histograms'))
  }

  #publishRange(): void {
    this.#memory.lateMinTime = Math.min(this.floats.firstMs, this.histograms.firstMs)
    this.#memory.lateMaxTime = Math.max(this.floats.lastMs, this.histograms.lastMs)
  }
}
