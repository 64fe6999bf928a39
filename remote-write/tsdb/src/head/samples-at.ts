import { SampleColumns } from '@narthex/model/sample-columns'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { isSameHistogram } from '../chunk/same-histogram.ts'
import { PinnedChunks } from '../select/head-series-set.ts'
import type { HeadMemory } from './head-memory.ts'
import { isFloatMark } from './histogram-mark.ts'
import { payloadStart, readLatePayload, readPayload } from './late-payloads.ts'
import type { LateSamples } from './late-samples.ts'
import * as pendingField from './pending-samples.ts'
import type { PendingSamples } from './pending-samples.ts'
import { PendingTimes } from './pending-times.ts'
import * as record from './series-record.ts'

/** Of pages of stored chunks. */
const storedCacheBytes = 1024 * 1024

export const noSample = 0
export const sameSample = 1
export const otherSample = 2

/** A histogram that was put behind the pending ones and is not kept yet. */
export interface NewHistogram {
  readonly payloads: Uint8Array
  readonly start: number
  readonly end: number
  readonly hash: number
  readonly mark: number
}

/** Finds what the head has of a series at one time: among late samples, in the running batch, or in order. Of two kinds, they are not the same. */
export class SamplesAt {
  readonly #memory: HeadMemory
  readonly #late: LateSamples
  readonly #pending: PendingSamples
  readonly #pendingTimes = new PendingTimes()
  readonly #inOrder: PinnedChunks
  readonly #floats = new SampleColumns(2)
  readonly #histograms = new HistogramColumns(4, 64)
  readonly #candidate = new HistogramColumns(4, 64)

  constructor(memory: HeadMemory, late: LateSamples, pending: PendingSamples) {
    this.#memory = memory
    this.#late = late
    this.#pending = pending
    this.#inOrder = new PinnedChunks(memory, storedCacheBytes)
  }

  /** As `noSample`, `sameSample` or `otherSample`. */
  findFloat(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const found = this.findLateFloat(ref, timeMs, lowWord, highWord) || this.#findPending(ref, timeMs, lowWord, highWord)
    if (found !== noSample) return found
    this.#readInOrder(ref, timeMs)
    if (this.#histograms.length > 0) return otherSample
    if (this.#floats.length === 0) return noSample
    const { words } = this.#floats
    return words[0] === lowWord >>> 0 && words[1] === highWord >>> 0 ? sameSample : otherSample
  }

  findHistogram(ref: number, timeMs: number, histogram: NewHistogram): number {
    const found = this.findLateHistogram(ref, timeMs, histogram) || this.#findPending(ref, timeMs, histogram.hash, histogram.mark)
    if (found !== noSample) return found
    this.#readInOrder(ref, timeMs)
    if (this.#floats.length > 0) return otherSample
    return this.#histograms.length === 0 ? noSample : this.#compare(timeMs, histogram)
  }

  /** Among the late samples alone. */
  findLateFloat(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const { floats, histograms } = this.#late
    const at = floats.find(ref, timeMs)
    if (at === 0) return histograms.find(ref, timeMs) === 0 ? noSample : otherSample
    return floats.lowWordOf(at) === lowWord >>> 0 && floats.highWordOf(at) === highWord >>> 0 ? sameSample : otherSample
  }

  findLateHistogram(ref: number, timeMs: number, histogram: NewHistogram): number {
    const { floats, histograms, payloads } = this.#late
    const at = histograms.find(ref, timeMs)
    if (at === 0) return floats.find(ref, timeMs) === 0 ? noSample : otherSample
    const place = histograms.lowWordOf(at)
    const bytes = payloads.bytesOf(place)
    // The first byte is a hint of the reset, which the hash leaves out, too.
    const isSameHash = histograms.highWordOf(at) === histogram.hash
    if (isSameHash && isSameBytes(bytes, payloadStart(place) + 1, payloads.endOf(place), histogram)) return sameSample
    this.#histograms.clear()
    readLatePayload(this.#memory.late, place, timeMs, this.#histograms)
    return this.#compare(timeMs, histogram)
  }

  endBatch(): void {
    this.#pendingTimes.clear()
    this.#inOrder.refresh()
  }

  /** Closes the files of stored chunks that it has open. */
  close(): void {
    this.#inOrder.close()
  }

  #compare(timeMs: number, { payloads, start, end, mark }: NewHistogram): number {
    this.#candidate.clear()
    readPayload(payloads, start, end, isFloatMark(mark), timeMs, this.#candidate)
    return isSameHistogram(this.#candidate, 0, this.#histograms, 0) ? sameSample : otherSample
  }

  #findPending(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    const place = this.#pendingTimes.find(this.#pending, ref, timeMs)
    if (place < 0) return noSample
    const { words } = this.#pending
    const at = place * pendingField.pendingWords
    const isSame = words[at + pendingField.pendingLow] === lowWord >>> 0 && words[at + pendingField.pendingHigh] === highWord >>> 0
    return isSame ? sameSample : otherSample
  }

  #readInOrder(ref: number, timeMs: number): void {
    this.#floats.clear()
    this.#histograms.clear()
    const words = this.#memory.series.words[ref >>> record.seriesPerWindowShift]!
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const open = words[at + record.openChunkField]!
    if (open === 0) return
    try {
      for (let i = this.#inOrder.find(open, words[at + record.totalField]!, timeMs, timeMs) - 1; i >= 0; i--) {
        this.#inOrder.readFound(i, timeMs, timeMs, this.#floats)
        this.#inOrder.readFoundHistograms(i, timeMs, timeMs, this.#histograms)
      }
    } catch {
      // A stored chunk cannot be read, which queries tell. A sample twice is better than one that is refused for that.
      this.#floats.clear()
      this.#histograms.clear()
    }
  }
}

function isSameBytes(bytes: Uint8Array, start: number, end: number, { payloads, start: from, end: to }: NewHistogram): boolean {
  if (end - start !== to - from - 1) return false
  for (let i = 0; i < end - start; i++) if (bytes[start + i] !== payloads[from + 1 + i]) return false
  return true
}
