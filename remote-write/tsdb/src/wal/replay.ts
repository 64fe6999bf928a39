import type { Head } from '../head/head.ts'
import type { RestoredChunks } from '../head/restored-chunks.ts'
import { finishSteps } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { listLog } from './log-files.ts'
import type { LogFile } from './log-files.ts'
import { LogReferences } from './log-references.ts'
import { openLocalSource } from './log-decoder.ts'
import type { LogPartSource } from './log-decoder.ts'
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
  return finishSteps(replayLogInSteps(directory, head, { onDamage, retentionMs, target }))
}

export interface ReplayOptions {
  readonly onDamage: (damage: Damage) => void
  readonly retentionMs?: number
  readonly target?: RecordTarget
  /** Told of each segment before it is read: the first one after the checkpoint, the last one, and this one. */
  readonly onSegment?: (min: number, max: number, current: number) => void
  /** Told when all segments are read and only floats are still being appended, with the seconds that it took. */
  readonly onRead?: ((seconds: number) => void) | undefined
  /** What files of the head have of the series. */
  readonly restored?: RestoredChunks | undefined
  /** What the log calls the head's series, for who needs it meanwhile. Default: a new list. */
  readonly references?: LogReferences
  /** Who reads the segments and takes them apart; default: this thread. */
  readonly openSource?: (segments: readonly LogFile[]) => LogPartSource
}

/** Of batches that the thread which appends them has not yet seen, and more: what a batch has is bounded by the size of a record. */
const samplesOnTheWayMax = 2 ** 20

/** As `replayLog`, a record a step. */
export function* replayLogInSteps(directory: string, head: Head, options: ReplayOptions): Steps<ReplayResult> {
  const { onDamage, retentionMs = Infinity, target = {}, onSegment } = options
  const start = performance.now()
  const counts: RecordCounts = { series: 0, samples: 0, seriesRefused: 0, samplesUnknown: 0, samplesOutOfOrder: 0, samplesRefused: 0 }
  const map = new SeriesMap()
  const damages: Damage[] = []
  const files = listLog(directory)
  const references = options.references ?? new LogReferences()
  const lastSegment = files.nextSegment - 1
  const records = new RecordReader(head, map, references, lastSegment, counts, target, options.restored)
  const segments = [...files.segmentsOfCheckpoint, ...files.segments]
  const firstSegment = files.segments[0]?.index ?? lastSegment
  let bytes = 0
  head.startReplay()
  onSegment?.(firstSegment, lastSegment, firstSegment)
  const source = (options.openSource ?? openLocalSource)(segments)
  try {
    if (source.startAppending !== undefined) records.startAppendingElsewhere(source.startAppending(head.lendChunks()))
    for (let part = source.next(); part !== undefined; part = source.next()) {
      if (part instanceof Promise) {
        yield part
      } else if (part.kind === 'batch') {
        onSegment?.(firstSegment, lastSegment, Math.max(firstSegment, part.batch.segment))
        // Near the ceiling this thread judges sample by sample.
        const { appending } = records
        if (appending !== undefined && !head.hasRoomFor(samplesOnTheWayMax, appending.usedBytes)) yield* records.endAppendingElsewhere()
        yield* records.takeBatch(part.batch)
        source.giveBack(part.batch)
      } else {
        bytes += part.bytes
        records.commit()
        const { appending } = records
        const cutoffMs = Math.max(head.memory.maxTime, appending?.maxTimeMs ?? -Infinity) - retentionMs
        if (Math.min(head.memory.minTime, appending?.minTimeMs ?? Infinity) < cutoffMs) {
          yield* records.endAppendingElsewhere()
          head.dropBefore(cutoffMs, 1, head.places)
        }
        for (const damage of part.damages) {
          damages.push(damage)
          onDamage(damage)
        }
      }
    }
    options.onRead?.((performance.now() - start) / 1000)
    yield* records.endAppendingElsewhere()
  } finally {
    source.close()
  }
  // References of unknown series are not used again either.
  references.note(map.highest)
  return {
    ...counts,
    segments: segments.length,
    bytes,
    damages,
    unreadRecords: records.unread,
    nextSegment: files.nextSegment,
    references,
    headRefOf: (logRef) => map.get(logRef),
    seconds: (performance.now() - start) / 1000,
  }
}
