import { accepted, invalidHistogram, memoryCeiling } from '../head/append-result.ts'
import type { Head } from '../head/head.ts'
import { isStaleWords } from '@narthex/model/stale'
import { readHistogram } from './histogram-payload.ts'
import type { RecordEntries } from './record-entries.ts'
import { hasFloatHistograms } from './wal-format.ts'

/** Between two commits, so that what is pending stays small. */
const histogramsPerCommit = 2048

/** What became of the histograms of a log. */
export interface HistogramCounts {
  histograms: number
  /** That are not newer than their series' last sample, or before the newest block's end. */
  outOfOrder: number
  /** The head had no memory for them. */
  refused: number
  /** Of a schema that is not known, or that are none. */
  unusable: number
}

/** Puts the histograms of a log into the head. */
export class HistogramReplay {
  readonly counts: HistogramCounts = { histograms: 0, outOfOrder: 0, refused: 0, unusable: 0 }
  readonly #head: Head
  #pending = 0

  constructor(head: Head) {
    this.#head = head
  }

  /** As `RecordTarget.histograms`: `entries` have the head's references. */
  take(type: number, record: Uint8Array, entries: RecordEntries): void {
    const { refs, times, starts, ends, length } = entries
    const { counts } = this
    const isFloat = hasFloatHistograms(type)
    for (let i = 0; i < length; i++) {
      // Of the last one of a stored chunk the head keeps what it is known by.
      if (times[i]! < this.#head.storedUntil(refs[i]!)) {
        counts.histograms++
        continue
      }
      const logged = readHistogram(record, starts[i]!, ends[i]!, isFloat)
      if (logged === undefined) {
        counts.unusable++
        continue
      }
      const result = isStaleWords(logged.sumLow, logged.sumHigh)
        ? this.#head.appendStaleHistogram(refs[i]!, times[i]!, isFloat)
        : this.#head.appendHistogram(refs[i]!, times[i]!, logged.histogram, logged.resetHint)
      if (result === accepted) counts.histograms++
      else if (result === memoryCeiling) counts.refused++
      else if (result === invalidHistogram) counts.unusable++
      else counts.outOfOrder++
      if (++this.#pending < histogramsPerCommit) continue
      this.#pending = 0
      this.#head.commit()
    }
  }
}
