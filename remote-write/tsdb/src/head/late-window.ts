import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { accepted, duplicateSample, memoryCeiling, tooOld } from './append-result.ts'
import type { AppendResult } from './append-result.ts'
import type { HeadCounters } from './head-counters.ts'
import type { HeadMemory } from './head-memory.ts'
import { LateSamples } from './late-samples.ts'
import type { PendingSamples } from './pending-samples.ts'
import { noSample, sameSample, SamplesAt } from './samples-at.ts'
import type { NewHistogram } from './samples-at.ts'

/** How late samples may come, in milliseconds before the head's newest one; 0 = not at all. */
export interface LateWindows {
  /** Those that others send. */
  readonly receivedMs: number
  /** Those of scrapes and rules. */
  readonly ownMs: number
}

/** Takes the samples that come too late for their order, if they come within a window. */
export class LateWindow {
  readonly samples: LateSamples
  windows: LateWindows = { receivedMs: 0, ownMs: 0 }
  /** Whether the samples until the next commit or rollback are of scrapes and rules. */
  isOwn = false
  /** Told of each sample that comes behind a later one, taken or not: seconds before the head's newest one. */
  onDelta: ((seconds: number) => void) | undefined
  readonly #counters: HeadCounters
  readonly #there: SamplesAt

  /** `pending`: the batch of samples in order. */
  constructor(memory: HeadMemory, counters: HeadCounters, pending: PendingSamples) {
    this.#counters = counters
    this.samples = new LateSamples(memory)
    this.#there = new SamplesAt(memory, this.samples, pending)
  }

  /** Milliseconds; 0 = closed. */
  get windowMs(): number {
    return this.isOwn ? this.windows.ownMs : this.windows.receivedMs
  }

  /**
   * Keeps a late sample for the next commit, if it is not older than the window before `newestMs`. One that the series has already is accepted and
   * not kept twice, of another value, or if that is a histogram, it is refused.
   */
  take(ref: number, timeMs: number, lowWord: number, highWord: number, newestMs: number, freeBytes: number): AppendResult {
    if (!(timeMs >= newestMs - this.windowMs)) {
      this.#counters.tooOld++
      return tooOld
    }
    const found = this.#there.findFloat(ref, timeMs, lowWord, highWord)
    if (found !== noSample) return this.#answer(found)
    if (freeBytes < freeBytesMin || !this.samples.ensure()) return this.#refuse()
    this.samples.floats.add(ref, timeMs, lowWord, highWord)
    return accepted
  }

  /** As `take`, for a histogram. */
  takeHistogram(ref: number, timeMs: number, histogram: NewHistogram, newestMs: number, freeBytes: number): AppendResult {
    if (!(timeMs >= newestMs - this.windowMs)) {
      this.#counters.tooOld++
      this.#counters.histogramsTooOld++
      return tooOld
    }
    const found = this.#there.findHistogram(ref, timeMs, histogram)
    if (found !== noSample) return this.#answer(found)
    return this.#addHistogram(ref, timeMs, histogram, freeBytes) ? accepted : this.#refuse()
  }

  /** A late sample of a log, for the next commit; false = no memory is left for it. */
  restore(ref: number, timeMs: number, lowWord: number, highWord: number, freeBytes: number): boolean {
    if (this.#there.findLateFloat(ref, timeMs, lowWord, highWord) !== noSample) return true
    if (freeBytes <= 0 || !this.samples.ensure()) return false
    this.samples.floats.add(ref, timeMs, lowWord, highWord)
    return true
  }

  restoreHistogram(ref: number, timeMs: number, histogram: NewHistogram, freeBytes: number): boolean {
    if (this.#there.findLateHistogram(ref, timeMs, histogram) !== noSample) return true
    return this.#addHistogram(ref, timeMs, histogram, freeBytes)
  }

  noteDelta(timeMs: number, newestMs: number): void {
    if (timeMs < newestMs) this.onDelta?.((newestMs - timeMs) / 1000)
  }

  /** The batch is over. */
  endBatch(): void {
    this.isOwn = false
    this.#there.endBatch()
  }

  /** Closes the files of stored chunks that it has open. */
  close(): void {
    this.#there.close()
  }

  saveState(state: StateWriter): void {
    this.samples.saveState(state.part('samples'))
  }

  restoreState(state: StateReader): void {
    this.samples.restoreState(state.part('samples'))
  }

  #addHistogram(ref: number, timeMs: number, { payloads, start, end, hash, mark }: NewHistogram, freeBytes: number): boolean {
    const { samples } = this
    const bytes = end - start
    if (freeBytes < freeBytesMin + 4 * samples.payloads.wordsFor(bytes) || !samples.ensure(bytes)) return false
    samples.histograms.add(ref, timeMs, samples.payloads.put(payloads, start, end, mark), hash)
    return true
  }

  #answer(found: number): AppendResult {
    if (found === sameSample) return accepted
    this.#counters.duplicates++
    return duplicateSample
  }

  #refuse(): AppendResult {
    this.#counters.ceilingRefused++
    return memoryCeiling
  }
}

/** Room that a late sample needs below the ceiling: the largest piece and a record. */
const freeBytesMin = 2048
