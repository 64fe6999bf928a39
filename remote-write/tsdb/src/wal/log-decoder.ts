import type { ChunkLoan, ReturnedChunks } from '../head/chunk-loan.ts'
import { BatchBuilder, isOrdinary, makeBatch } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import type { LogFile } from './log-files.ts'
import { readSegmentInSteps } from './read-segments.ts'
import { RecordEntries } from './record-entries.ts'
import type { Damage } from './repair.ts'

/** What comes of a log, in its order. */
export type LogPart =
  | { readonly kind: 'batch'; readonly batch: LogBatch }
  /** A segment is read and, if it was damaged, repaired. */
  | { readonly kind: 'segment'; readonly index: number; readonly bytes: number; readonly damages: readonly Damage[] }

/**
 * Reads the segments of a log that nobody writes, checks and repairs them, and takes their records apart: all that needs no head. The last one may
 * end in an unfinished write.
 */
export function* decodeLog(segments: readonly LogFile[], takeEmptyBatch: () => LogBatch = makeBatch): Generator<LogPart> {
  const entries = new RecordEntries()
  const builder = new BatchBuilder()
  for (const [i, { index, path }] of segments.entries()) {
    builder.begin(takeEmptyBatch(), index)
    const reading = readSegmentInSteps(path, i === segments.length - 1, entries, (type, record) => builder.add(type, record, entries))
    for (;;) {
      const step = reading.next()
      if (step.done === true) {
        yield { kind: 'batch', batch: builder.batch }
        yield { kind: 'segment', index, ...step.value }
        break
      }
      if (!builder.isFull) continue
      yield { kind: 'batch', batch: builder.batch }
      builder.begin(takeEmptyBatch(), index)
    }
  }
}

/** Floats of batches that are given back are appended by another thread, to chunks that the head lent it. */
export interface LoggedAppending {
  /** Of what was appended by now; Infinity and -Infinity if that is nothing. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Bytes that the chunks take by now. */
  readonly usedBytes: number
  /** Ends it: resolves when all floats of batches that were given back are appended. */
  takeBack(): Promise<ReturnedChunks>
}

/** Where a replay has the parts of a log from. */
export interface LogPartSource {
  /** The next one; a promise: not there yet, ask again when it resolves; undefined: the end. Throws what reading the log did. */
  next(): LogPart | Promise<void> | undefined
  /** A batch is no longer needed. */
  giveBack(batch: LogBatch): void
  /** From now on floats of batches that are given back, whose `headRefs` are set, are appended elsewhere. A source without it cannot. */
  startAppending?(loan: ChunkLoan): LoggedAppending
  close(): void
}

/** Takes the log apart in this thread, as it is asked. */
export function openLocalSource(segments: readonly LogFile[]): LogPartSource {
  let free: LogBatch | undefined
  const parts = decodeLog(segments, () => {
    const batch = free !== undefined && isOrdinary(free) ? free : makeBatch()
    free = undefined
    return batch
  })
  return {
    next() {
      const step = parts.next()
      return step.done === true ? undefined : step.value
    },
    giveBack: (batch) => void (free = batch),
    close: () => void parts.return(undefined),
  }
}
