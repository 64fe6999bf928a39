import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { putHistogram } from '@narthex/wire/histogram-message'
import { readHistogram } from '@narthex/tsdb/wal/histogram-payload'
import { isStaleWords } from '@narthex/model/stale'

/**
 * Appends the histogram at [start, end) of a log record as a remote-write message without its timestamps; false if it cannot be used. The
 * stale marker stands in the sum, whose bits a number would not keep: such a message is written by hand.
 */
export function putLoggedHistogram(out: ByteWriter, record: Uint8Array, start: number, end: number, isFloat: boolean): boolean {
  const logged = readHistogram(record, start, end, isFloat)
  if (logged === undefined) return false
  const { histogram, sumLow, sumHigh } = logged
  if (!isStaleWords(sumLow, sumHigh)) {
    putHistogram(out, histogram)
    return true
  }
  putNothing(out, isFloat ? 0x11 : 0x08, isFloat)
  out.u8(0x19)
  out.words64le(sumLow, sumHigh)
  putNothing(out, isFloat ? 0x39 : 0x30, isFloat)
  return true
}

/** A count of zero. */
function putNothing(out: ByteWriter, tag: number, isFloat: boolean): void {
  out.u8(tag)
  for (let i = 0; i < (isFloat ? 8 : 1); i++) out.u8(0)
}
