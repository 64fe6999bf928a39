import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { putHistogram, putStaleHistogram } from '@narthex/wire/histogram-message'
import { readHistogram } from '@narthex/tsdb/wal/histogram-payload'
import { isStaleWords } from '@narthex/model/stale'

/**
 * Appends the histogram at [start, end) of a log record as a remote-write message without its timestamps; false if it cannot be used.
 */
export function putLoggedHistogram(out: ByteWriter, record: Uint8Array, start: number, end: number, isFloat: boolean): boolean {
  const logged = readHistogram(record, start, end, isFloat)
  if (logged === undefined) return false
  const { histogram, sumLow, sumHigh } = logged
  if (!isStaleWords(sumLow, sumHigh)) {
    putHistogram(out, histogram)
    return true
  }
  putStaleHistogram(out, isFloat)
  return true
}
