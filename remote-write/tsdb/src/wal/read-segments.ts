import { readRecord } from './read-record.ts'
import type { RecordEntries } from './record-entries.ts'
import { repairSegment } from './repair.ts'
import type { Damage } from './repair.ts'
import { SegmentReader } from './segment-reader.ts'
import { CorruptionError } from './wal-format.ts'

/** Takes one record that was read: its type, bytes (type included) and entries, all valid until the next one. */
export type TakeRecord = (type: number, record: Uint8Array, entries: RecordEntries) => void

/**
 * Reads one segment of a log that is being opened, and repairs it if it is damaged: everything before the damage has been taken
 * then. `isNewest`: an unfinished last write is no more than that.
 */
export function readSegment(path: string, isNewest: boolean, entries: RecordEntries, take: TakeRecord): { bytes: number; damage?: Damage } {
  const segment = new SegmentReader(path)
  const bytes = segment.size
  let corruption: CorruptionError | undefined
  try {
    for (let record = segment.next(); record !== undefined; record = segment.next()) {
      const type = readRecord(record, entries)
      if (type !== 0) take(type, record, entries)
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    corruption = error
  } finally {
    segment.close()
  }
  if (corruption === undefined) return { bytes }
  return { bytes, damage: repairSegment(path, segment.recordOffset, bytes, isNewest, corruption) }
}
