import { SampleColumns } from '@narthex/model/sample-columns'
import { HistogramColumns } from '../chunk/histogram-columns.ts'
import { PinnedChunks } from '../select/head-series-set.ts'
import { accepted, duplicateSample, memoryCeiling, tooOld } from './append-result.ts'
import type { AppendResult } from './append-result.ts'
import type { HeadCounters } from './head-counters.ts'
import type { HeadMemory } from './head-memory.ts'
import { LateSamples, noSample, otherSample, sameSample } from './late-samples.ts'
import * as pendingField from './pending-samples.ts'
import type { PendingSamples } from './pending-samples.ts'
import { PendingTimes } from './pending-times.ts'
import * as record from './series-record.ts'

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
  readonly #memory: HeadMemory
  readonly #counters: HeadCounters
  readonly #inOrder: PinnedChunks
  readonly #pending: PendingSamples
  readonly #pendingTimes = new PendingTimes()
  readonly #found = new SampleColumns(2)
  readonly #histograms = new HistogramColumns()

  /** `pending`: the batch of samples in order. */
  constructor(memory: HeadMemory, counters: HeadCounters, pending: PendingSamples) {
    this.#pending = pending
    this.#memory = memory
    this.#counters = counters
    this.samples = new LateSamples(memory)
    this.#inOrder = new PinnedChunks(memory, storedCacheBytes)
  }

  /** Milliseconds; 0 = closed. */
  get windowMs(): number {
    return this.isOwn ? this.windows.ownMs : this.windows.receivedMs
  }

  /**
   * Keeps a late sample for the next commit, if it is not older than the window before `newestMs`. One that the series has already is accepted and
   * not kept twice, of another value it is refused.
   */
  take(ref: number, timeMs: number, lowWord: number, highWord: number, newestMs: number, freeBytes: number): AppendResult {
    if (!(timeMs >= newestMs - this.windowMs)) {
      this.#counters.tooOld++
      return tooOld
    }
    const { samples } = this
    let found = samples.find(ref, timeMs, lowWord, highWord)
    if (found === noSample) found = this.#findPending(ref, timeMs, lowWord, highWord)
    if (found === noSample) found = this.#findInOrder(ref, timeMs, lowWord, highWord)
    if (found === sameSample) return accepted
    if (found !== noSample) {
      this.#counters.duplicates++
      return duplicateSample
    }
    if (freeBytes < freeBytesMin || !samples.ensure()) {
      this.#counters.ceilingRefused++
      return memoryCeiling
    }
    samples.add(ref, timeMs, lowWord, highWord)
    return accepted
  }

  noteDelta(timeMs: number, newestMs: number): void {
    if (timeMs < newestMs) this.onDelta?.((newestMs - timeMs) / 1000)
  }

  /** The batch is over. */
  endBatch(): void {
    this.isOwn = false
    this.#pendingTimes.clear()
    this.#inOrder.refresh()
  }

  /** Closes the files of stored chunks that it has open. */
  close(): void {
    this.#inOrder.close()
  }

  #hasHistogram(i: number, timeMs: number): boolean {
    if (!this.#inOrder.hasHistograms(i)) return false
    this.#histograms.clear()
    this.#inOrder.readFoundHistograms(i, timeMs, timeMs, this.#histograms)
    return this.#histograms.length > 0
  }

  #findPending(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const place = this.#pendingTimes.find(this.#pending, ref, timeMs)
    if (place < 0) return noSample
    const { words } = this.#pending
    const at = place * pendingField.pendingWords
    const isSame = words[at + pendingField.pendingLow] === lowWord >>> 0 && words[at + pendingField.pendingHigh] === highWord >>> 0
    return isSame ? sameSample : otherSample
  }

  #findInOrder(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const words = this.#memory.series.words[ref >>> record.seriesPerWindowShift]!
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const open = words[at + record.openChunkField]!
    if (open === 0) return noSample
    const found = this.#found
    found.clear()
    try {
      if (this.#readInOrder(open, words[at + record.totalField]!, timeMs)) return otherSample
    } catch {
      // A stored chunk cannot be read, which queries tell. A sample twice is better than one that is refused for that.
      return noSample
    }
    if (found.length === 0) return noSample
    return found.words[0] === lowWord >>> 0 && found.words[1] === highWord >>> 0 ? sameSample : otherSample
  }

  /** Into `#found`; true if there is a histogram. */
  #readInOrder(open: number, total: number, timeMs: number): boolean {
    for (let i = this.#inOrder.find(open, total, timeMs, timeMs) - 1; i >= 0; i--) {
      this.#inOrder.readFound(i, timeMs, timeMs, this.#found)
      if (this.#hasHistogram(i, timeMs)) return true
    }
    return false
  }
}

/** Room that a late sample needs below the ceiling: the largest piece and a record. */
const freeBytesMin = 2048
/** Of pages of stored chunks. */
const storedCacheBytes = 1024 * 1024
