import { isStaleWords } from '@narthex/model/stale'
import { unknownReset } from '@narthex/model/reset-hint'
import { copyHistogram } from '../chunk/copy-histogram.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { LoggedHistogram } from '../wal/histogram-payload.ts'

/** Out-of-order histograms of many series, added in any order. Of two of one time the first one counts. */
export class LateHistograms {
  readonly #columns = new Map<number, HistogramColumns>()

  add(ref: number, timeMs: number, logged: LoggedHistogram): void {
    const columns = this.#columns.get(ref) ?? new HistogramColumns(16, 64)
    this.#columns.set(ref, columns)
    pushLogged(columns, timeMs, logged)
  }

  has(ref: number): boolean {
    return this.#columns.has(ref)
  }

  /** Appends those of a series in [minTimeMs, maxTimeMs] in the order of time. */
  read(ref: number, minTimeMs: number, maxTimeMs: number, into: HistogramColumns): void {
    const columns = this.#columns.get(ref)
    if (columns === undefined) return
    const { times, length } = columns
    const order = Uint32Array.from({ length }, (_, i) => i).sort((a, b) => times[a]! - times[b]! || a - b)
    let before = NaN
    for (const i of order) {
      const timeMs = times[i]!
      if (timeMs !== before && timeMs >= minTimeMs && timeMs <= maxTimeMs) copyHistogram(columns, i, into)
      before = timeMs
    }
  }
}

/** Appends a histogram of a log, of which nothing is known of resets. */
export function pushLogged(columns: HistogramColumns, timeMs: number, { histogram, sumLow, sumHigh }: LoggedHistogram): void {
  if (isStaleWords(sumLow, sumHigh)) columns.pushStale(timeMs, 0, histogram.isFloat, unknownReset)
  else columns.pushHistogram(timeMs, 0, histogram, unknownReset)
}
