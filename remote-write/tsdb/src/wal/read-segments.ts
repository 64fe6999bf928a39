import { finishSteps } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { readRecord } from './read-record.ts'
import type { RecordEntries } from './record-entries.ts'
import { blankRange, repairSegment } from './repair.ts'
import type { Damage } from './repair.ts'
import { SegmentReader } from './segment-reader.ts'
import { CorruptionError } from './wal-format.ts'

/** Takes one record that was read: its type, bytes (type included) and entries, all valid until the next one. */
export type TakeRecord = (type: number, record: Uint8Array, entries: RecordEntries) => void

/**
 * Reads one segment of a log that is being opened, and repairs it if it is damaged: all records that are whole have been taken then. `isNewest`:
 * an unfinished last write is no more than that.
 */
export function readSegment(path: string, isNewest: boolean, entries: RecordEntries, take: TakeRecord): ReadSegment {
  return finishSteps(readSegmentInSteps(path, isNewest, entries, take))
}

export interface ReadSegment {
  readonly bytes: number
  readonly damages: readonly Damage[]
}

/** As `readSegment`, a record a step. */
export function* readSegmentInSteps(path: string, isNewest: boolean, entries: RecordEntries, take: TakeRecord): Steps<ReadSegment> {
  const segment = new SegmentReader(path)
  const bytes = segment.size
  const gaps: Gap[] = []
  try {
    for (;;) {
      const gap = yield* readUpToDamage(segment, entries, take)
      if (gap === undefined) break
      gaps.push(gap)
      if (gap.end === undefined) break
    }
  } finally {
    segment.close()
  }
  const damages = gaps.map(({ offset, end, cause }) => {
    return end === undefined ? repairSegment(path, offset, bytes, isNewest, cause) : blankRange(path, offset, end, cause)
  })
  return { bytes, damages }
}

/** What cannot be read, from where a record begins; no end if nothing whole follows. */
interface Gap {
  readonly offset: number
  readonly end: number | undefined
  readonly cause: CorruptionError
}

/** Undefined at the end of the segment. */
function* readUpToDamage(segment: SegmentReader, entries: RecordEntries, take: TakeRecord): Steps<Gap | undefined> {
  try {
    for (let record = segment.next(); record !== undefined; record = segment.next()) {
      const type = readRecord(record, entries)
      if (type !== 0) take(type, record, entries)
      yield
    }
    return undefined
  } catch (cause) {
    if (!(cause instanceof CorruptionError)) throw cause
    const offset = segment.recordOffset
    return { offset, end: segment.skipDamage() ? segment.offset : undefined, cause }
  }
}
