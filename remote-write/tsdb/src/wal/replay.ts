import type { Head } from '../head/head.ts'
import { listLog } from './log-files.ts'
import { LogReferences } from './log-references.ts'
import { readSegment } from './read-segments.ts'
import { RecordEntries } from './record-entries.ts'
import { RecordReader } from './record-reader.ts'
import type { RecordCounts, RecordTarget } from './record-reader.ts'
import type { Damage } from './repair.ts'
import { SeriesMap } from './series-map.ts'

export interface ReplayResult extends Readonly<RecordCounts> {
  readonly segments: number
  readonly bytes: number
  readonly damages: readonly Damage[]
  /** Records by type that nobody took, as the target has no method for them or the type is not known; they stay in the log. */
  readonly unreadRecords: ReadonlyMap<number, number>
  /** Index for the next segment. */
  readonly nextSegment: number
  /** What the log calls the head's series, and the highest reference that it has or once had. */
  readonly references: LogReferences
  /** The head's reference for one of this log, 0 if it is not known; for reading the log of out-of-order samples. */
  readonly headRefOf: (logRef: number) => number
  readonly seconds: number
}

/**
 * Reads the log of a data directory into an empty head: the newest checkpoint, then the segments after it. Memory is bounded by
 * one record beside the head. A torn tail is cut off. Damaged records further in are
 * copied to `<segment>.corrupt-<n>` and blanked, and reading goes on behind them (samples of series that are thereby unknown are counted).
 * What is older than the retention is dropped from the head after each segment, so that it leaves room for what is newer.
 * What is no series or float goes to `target`.
 */
export function replayLog(
  directory: string,
  head: Head,
  onDamage: (damage: Damage) => void,
  retentionMs = Infinity,
  target: RecordTarget = {},
): ReplayResult {
  const start = performance.now()
  const counts: RecordCounts = { series: 0, samples: 0, seriesRefused: 0, samplesUnknown: 0, samplesOutOfOrder: 0, samplesRefused: 0 }
  const map = new SeriesMap()
  const damages: Damage[] = []
  const entries = new RecordEntries()
  const files = listLog(directory)
  const references = new LogReferences()
  const records = new RecordReader(head, map, references, files.nextSegment - 1, counts, target)
  const paths = [...files.segmentsOfCheckpoint, ...files.segments].map(({ path }) => path)
  let bytes = 0
  head.startReplay()
  for (const [i, path] of paths.entries()) {
    const read = readSegment(path, i === paths.length - 1, entries, (type, record) => records.take(type, record, entries))
    bytes += read.bytes
    records.commit()
    const cutoffMs = head.memory.maxTime - retentionMs
    if (head.memory.minTime < cutoffMs) head.dropBefore(cutoffMs, 1, head.places)
    for (const damage of read.damages) {
      damages.push(damage)
      onDamage(damage)
    }
  }
  // References of unknown series are not used again either.
  references.note(map.highest)
  return {
    ...counts,
    segments: paths.length,
    bytes,
    damages,
    unreadRecords: records.unread,
    nextSegment: files.nextSegment,
    references,
    headRefOf: (logRef) => map.get(logRef),
    seconds: (performance.now() - start) / 1000,
  }
}
