import { SampleColumns } from '@narthex/model/sample-columns'
import type { HeadMemory } from '../head/head-memory.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { LateGeneration } from '../head/late-layout.ts'
import {
  findLateRecord,
  lateLastCommit,
  lateNewestPiece,
  latePreviousCommit,
  latePreviousTotal,
  lateSampleWords,
  lateTotal,
  pieceFirstOrdinal,
  pieceFirstTime,
  pieceHeaderWords,
  pieceLastTime,
  pieceOlder,
} from '../head/late-layout.ts'
import { readLatePayload } from '../head/late-payloads.ts'
import { wordMask, wordShift } from '../head/shared-arena.ts'
import { mergeHistograms } from './histogram-samples.ts'
import { mergeSamples } from './merge-samples.ts'

/** What a query may read of one generation of late samples: for each of its series the newest piece and how many samples it had. */
export interface LatePins extends LateGeneration {
  readonly pieces: Uint32Array
  readonly totals: Uint32Array
}

/** Pins a series in a generation as it was at commit `snapshot`; false if two later commits have touched it. */
export function pinLate(memory: HeadMemory, late: LatePins, i: number, ref: number, snapshot: number): boolean {
  const record = findLateRecord(memory, late.directory, ref)
  late.pieces[i] = 0
  late.totals[i] = 0
  if (record === 0) return true
  const words = memory.late.window(record >>> wordShift)
  const at = record & wordMask
  if (words[at + lateLastCommit]! <= snapshot) late.totals[i] = words[at + lateTotal]!
  else if (words[at + latePreviousCommit]! <= snapshot) late.totals[i] = words[at + latePreviousTotal]!
  else return false
  late.pieces[i] = words[at + lateNewestPiece]!
  return true
}

/** The late samples that a reader pinned. */
export class LateReader {
  readonly #memory: HeadMemory
  readonly #found = new SampleColumns(64)
  readonly #sorted = new SampleColumns(64)
  readonly #histograms = new HistogramColumns(64, 256)
  #firstMs = Infinity
  #lastMs = -Infinity

  constructor(memory: HeadMemory) {
    this.#memory = memory
  }

  /** Whether series `i` of the pins has any that may lie in [minTimeMs, maxTimeMs]. */
  overlaps(late: readonly LatePins[], i: number, minTimeMs: number, maxTimeMs: number): boolean {
    if (late.length === 0) return false
    this.#measure(late, i)
    return this.#firstMs <= maxTimeMs && this.#lastMs >= minTimeMs
  }

  /** Times around all of series `i`; +Infinity and -Infinity if it has none. */
  range(late: readonly LatePins[], i: number): { readonly firstMs: number; readonly lastMs: number } {
    this.#measure(late, i)
    return { firstMs: this.#firstMs, lastMs: this.#lastMs }
  }

  /** The times of all of series `i`, as they came. */
  forEachTime(late: readonly LatePins[], i: number, visit: (timeMs: number) => void): void {
    for (const { pieces, totals } of late) {
      this.#forEachPiece(pieces[i]!, totals[i]!, (_words, doubles, at, samples) => {
        for (let from = at + pieceHeaderWords, k = 0; k < samples; k++) visit(doubles[(from + k * lateSampleWords) >>> 1]!)
      })
    }
  }

  /** Puts the floats of series `i` in [minTimeMs, maxTimeMs] between the samples that stand in `into` from `before` on; false if there is none. */
  mergeInto(late: readonly LatePins[], i: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns, before: number): boolean {
    const found = this.#find(late, false, i, minTimeMs, maxTimeMs)
    if (found.length > 0) mergeSamples(into, before, found)
    return found.length > 0
  }

  /** As `mergeInto`, the histograms. What their sources said of resets is not told: others came between. */
  mergeHistogramsInto(
    late: readonly LatePins[],
    i: number,
    minTimeMs: number,
    maxTimeMs: number,
    into: HistogramColumns,
    before: number,
  ): void {
    const { times, words, length } = this.#find(late, true, i, minTimeMs, maxTimeMs)
    if (length === 0) return
    const histograms = this.#histograms
    histograms.clear()
    for (let k = 0; k < length; k++) readLatePayload(this.#memory.late, words[2 * k]!, times[k]!, histograms)
    mergeHistograms(into, before, histograms)
  }

  /** What there is of one kind, sorted. */
  #find(late: readonly LatePins[], hasHistograms: boolean, i: number, minTimeMs: number, maxTimeMs: number): SampleColumns {
    const found = this.#found
    found.clear()
    let isAscending = true
    // The older generation first, and the oldest piece: late samples, too, often come in the order of their times.
    for (const { pieces, totals, hasHistograms: isOfThose } of late) {
      if (isOfThose === hasHistograms)
        this.#forEachPiece(pieces[i]!, totals[i]!, (words, doubles, at, samples) => {
          if (doubles[(at + pieceFirstTime) >>> 1]! > maxTimeMs || doubles[(at + pieceLastTime) >>> 1]! < minTimeMs) return
          for (let from = at + pieceHeaderWords, end = from + samples * lateSampleWords; from < end; from += lateSampleWords) {
            const timeMs = doubles[from >>> 1]!
            if (timeMs < minTimeMs || timeMs > maxTimeMs) continue
            if (found.length > 0 && timeMs <= found.times[found.length - 1]!) isAscending = false
            found.push(timeMs, words[from + 2]!, words[from + 3]!)
          }
        })
    }
    return isAscending ? found : this.#sort(found)
  }

  #measure(late: readonly LatePins[], i: number): void {
    this.#firstMs = Infinity
    this.#lastMs = -Infinity
    for (const { pieces, totals } of late) {
      this.#forEachPiece(pieces[i]!, totals[i]!, (_words, doubles, at) => {
        this.#firstMs = Math.min(this.#firstMs, doubles[(at + pieceFirstTime) >>> 1]!)
        this.#lastMs = Math.max(this.#lastMs, doubles[(at + pieceLastTime) >>> 1]!)
      })
    }
  }

  /** From the oldest piece to the newest one. */
  #forEachPiece(
    newest: number,
    total: number,
    visit: (words: Uint32Array, doubles: Float64Array, at: number, samples: number) => void,
  ): void {
    if (total === 0) return
    const pieces: number[] = []
    const { late } = this.#memory
    for (let piece = newest; piece !== 0; piece = late.window(piece >>> wordShift)[(piece & wordMask) + pieceOlder]!) pieces.push(piece)
    for (let k = pieces.length - 1; k >= 0; k--) {
      const piece = pieces[k]!
      const words = late.window(piece >>> wordShift)
      const first = words[(piece & wordMask) + pieceFirstOrdinal]!
      const next = pieces[k - 1]
      const end = next === undefined ? total : Math.min(total, late.window(next >>> wordShift)[(next & wordMask) + pieceFirstOrdinal]!)
      if (end > first) visit(words, late.doubles[piece >>> wordShift]!, piece & wordMask, end - first)
    }
  }

  /** Of two with the same time the one that came first stays. */
  #sort(found: SampleColumns): SampleColumns {
    const { times, words, length } = found
    const order = Uint32Array.from({ length }, (_, i) => i).sort((a, b) => times[a]! - times[b]! || a - b)
    const sorted = this.#sorted
    sorted.clear()
    for (const i of order) {
      if (sorted.length > 0 && sorted.times[sorted.length - 1] === times[i]) continue
      sorted.push(times[i]!, words[2 * i]!, words[2 * i + 1]!)
    }
    return sorted
  }
}
