import { isCustomMark, isFloatMark, isOtherKind } from '../head/histogram-mark.ts'
import * as pendingField from '../head/pending-samples.ts'
import { PendingSamples } from '../head/pending-samples.ts'
import type { LogReferences } from './log-references.ts'
import { RecordBuilder } from './record-builder.ts'
import {
  customFloatHistogramSamplesRecord,
  customHistogramSamplesRecord,
  floatHistogramSamplesRecord,
  histogramSamplesRecord,
} from './wal-format.ts'

/** A record of histograms ends when it has so many. */
export const recordBytes = 64 * 1024
/** In the order in which Prometheus writes them. */
export const histogramTypes = [
  histogramSamplesRecord,
  customHistogramSamplesRecord,
  floatHistogramSamplesRecord,
  customFloatHistogramSamplesRecord,
] as const

/** Where the parts of a commit go. */
export interface CommitRecords {
  /** Writes the records of these floats. */
  putFloats(floats: PendingSamples): void
  /** `record` is valid during the call. */
  putRecord(record: Uint8Array): void
}

/**
 * Writes the samples of a commit that has histograms: batch by batch, in each first the floats, then histograms by their kind. A batch ends where a
 * series goes on with another kind of sample, so that who reads one record after the other meets each series in the order of time.
 */
export class HistogramRecords {
  readonly #builder = new RecordBuilder()
  readonly #floats = new PendingSamples()

  write(pending: PendingSamples, references: LogReferences, into: CommitRecords): void {
    const { words, doubles, length } = pending
    let start = 0
    let firstHistogram = 0
    for (let i = 1; i <= length; i++) {
      const at = i * pendingField.pendingWords
      if (i < length) {
        const isFirst = doubles[(at >>> 1) + pendingField.pendingPreviousTime] === -Infinity
        if (isFirst || !isOtherKind(words[at + pendingField.pendingHigh]!, words[at + pendingField.pendingPreviousHigh]!)) continue
      }
      firstHistogram = this.#writeBatch(pending, start, i, firstHistogram, references, into)
      start = i
    }
  }

  /** Samples `start`…`end - 1`, whose first histogram is number `from`; gives the number of the first one behind them. */
  #writeBatch(pending: PendingSamples, start: number, end: number, from: number, references: LogReferences, into: CommitRecords): number {
    const { count, positions } = pending.histograms
    const floats = this.#floats
    floats.clear()
    let next = start
    let to = from
    for (; to < count && positions[to]! < end; to++) {
      floats.addRange(pending, next, positions[to]!)
      next = positions[to]! + 1
    }
    floats.addRange(pending, next, end)
    if (floats.length > 0) into.putFloats(floats)
    if (to > from) for (const type of histogramTypes) this.#writeHistograms(type, pending, from, to, references, into)
    return to
  }

  #writeHistograms(
    type: number,
    { words, doubles, histograms }: PendingSamples,
    from: number,
    to: number,
    references: LogReferences,
    into: CommitRecords,
  ): void {
    const builder = this.#builder
    builder.begin(type)
    for (let i = from; i < to; i++) {
      const at = histograms.positions[i]! * pendingField.pendingWords
      if (histogramTypeOfMark(words[at + pendingField.pendingHigh]!) !== type) continue
      const ref = references.of(words[at + pendingField.pendingRef]!)
      builder.addPayload(ref, doubles[at >>> 1]!, 0, 0, 0, histograms.payloads, histograms.startOf(i), histograms.ends[i]!)
      if (builder.length < recordBytes) continue
      into.putRecord(builder.view())
      builder.begin(type)
    }
    if (builder.count > 0) into.putRecord(builder.view())
  }
}

/** The low bits of a histogram's mark are enough. */
export function histogramTypeOfMark(mark: number): number {
  if (isCustomMark(mark)) return isFloatMark(mark) ? customFloatHistogramSamplesRecord : customHistogramSamplesRecord
  return isFloatMark(mark) ? floatHistogramSamplesRecord : histogramSamplesRecord
}
