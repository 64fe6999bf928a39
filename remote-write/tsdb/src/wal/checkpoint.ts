import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { checkpointFiles } from './checkpoint-files.ts'
import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts'
import { CheckpointFilter } from './checkpoint-filter.ts'
import type { CheckpointCounts } from './checkpoint-filter.ts'
import { FragmentWriter } from './fragment-writer.ts'
import { listLog } from './log-files.ts'
import type { GoneReferences } from './log-references.ts'
import { readRecord } from './read-record.ts'
import { RecordEntries } from './record-entries.ts'
import { ReferenceSet } from './reference-set.ts'
import { SegmentReader } from './segment-reader.ts'
import { segmentBytesMax, segmentName } from './wal-format.ts'

export interface CheckpointOptions {
  /** The `wal` directory. */
  readonly directory: string
  /** Index of the segment being written. */
  readonly activeSegment: number
  /** Segments up to this one have next to nothing that is still wanted; default: none is known to. */
  readonly settledSegment?: number
  /**
   * Whether a reference of the log is still needed: its series is in the head, or later segments have samples of it. A series that
   * is not kept loses its samples too.
   */
  readonly keeps: (reference: number) => boolean
  /** References that are not needed by a checkpoint up to the segment given with them, or a later one. */
  readonly gone?: readonly GoneReferences[]
  /** What is older is in blocks, or no longer wanted. */
  readonly minTimeMs: number
  readonly compresses: boolean
  /** Work of this many milliseconds is done between two turns of the event loop; default 2. */
  readonly sliceMs?: number
  readonly segmentBytes?: number
  readonly files?: CheckpointFiles
}

export interface CheckpointResult extends Readonly<CheckpointCounts> {
  readonly path: string
  /** The last segment that the checkpoint stands for. */
  readonly lastSegment: number
  readonly segments: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** The longest time without a turn of the event loop, in milliseconds. */
  readonly longestSliceMs: number
  readonly seconds: number
}

const writeBytes = 1024 * 1024

/**
 * Makes a checkpoint of the lower two thirds of the log's finished segments, and of all settled ones, and removes what it stands for. Undefined, and
 * nothing done, if that are fewer than two segments and none of them is settled. At every moment the log reads whole, whatever ends the process: the
 * checkpoint gets its name when the disk has all of it, and only then segments go, the oldest first, and older checkpoints last.
 *
 * Memory: one record, and the metadata of the series. It takes seconds of CPU a gigabyte of log, so a server runs it in the
 * thread of the compaction; where it runs, it gives way every `sliceMs` (or after one record, if that takes longer).
 * Throws at a damaged segment or a failed write: nothing is removed then.
 */
export async function createCheckpoint(options: CheckpointOptions): Promise<CheckpointResult | undefined> {
  const startedAt = performance.now()
  const { directory, files = checkpointFiles } = options
  await removeCovered(directory, files)
  const log = listLog(directory)
  const first = log.segments[0]?.index
  const lastSegment = first === undefined ? undefined : lastOfCheckpoint(first, options.activeSegment, options.settledSegment)
  if (lastSegment === undefined) return undefined
  const path = join(directory, `checkpoint.${segmentName(lastSegment)}`)
  const unfinished = `${path}.tmp`
  const gone = collectGone(options.gone ?? [], lastSegment)
  const filter = new CheckpointFilter((reference) => !gone.has(reference) && options.keeps(reference), options.minTimeMs)
  const slices = new Slices(options.sliceMs ?? 2)
  const covered = log.segments.filter(({ index }) => index <= lastSegment)
  let bytesRead = 0
  await files.makeDirectory(unfinished)
  const output = new CheckpointOutput(unfinished, options, files)
  try {
    const entries = new RecordEntries()
    for (const segment of [...log.segmentsOfCheckpoint, ...covered])
      bytesRead += await copySegment(segment.path, entries, filter, output, slices)
    for (const record of filter.rest()) {
      await slices.next(await output.put(record))
    }
    await output.close()
    await files.syncDirectory(unfinished)
    await files.rename(unfinished, path)
    await files.syncDirectory(directory)
  } catch (cause) {
    await output.abandon()
    await files.remove(unfinished).catch(() => undefined)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot create checkpoint ${path}: ${reason}`, { cause })
  }
  await removeCovered(directory, files)
  return {
    ...filter.counts,
    path,
    lastSegment,
    segments: covered.length,
    bytesRead,
    bytesWritten: output.bytesWritten,
    longestSliceMs: slices.longestMs,
    seconds: (performance.now() - startedAt) / 1000,
  }
}

/**
 * Removes what a checkpoint that was interrupted has left: segments and checkpoints that the newest one stands for, and unfinished
 * ones. For a start, and the begin of the next checkpoint.
 */
export async function removeCovered(directory: string, files: CheckpointFiles = checkpointFiles): Promise<void> {
  const log = listLog(directory)
  for (const path of log.unfinished) await files.remove(path)
  // Ascending: a gap between segments would be an error to Prometheus.
  for (const { path } of log.coveredSegments) await files.remove(path)
  for (const { path } of log.olderCheckpoints) await files.remove(path)
}

/**
 * The last segment that a checkpoint made now would stand for, if `first` is the oldest segment there is; undefined: there would be none. As Prometheus
 * two thirds of the finished segments, if that is more than one; but at least those up to `settledSegment`.
 */
export function lastOfCheckpoint(first: number, activeSegment: number, settledSegment = -1): number | undefined {
  const last = first + Math.floor(((activeSegment - 1 - first) * 2) / 3)
  if (settledSegment >= first) return Math.max(last, Math.min(settledSegment, activeSegment - 1))
  return last > first ? last : undefined
}

function collectGone(groups: readonly GoneReferences[], lastSegment: number): ReferenceSet {
  const set = new ReferenceSet()
  for (const group of groups) if (group.lastSegment <= lastSegment) for (const reference of group.references) set.add(reference)
  return set
}

async function copySegment(
  path: string,
  entries: RecordEntries,
  filter: CheckpointFilter,
  output: CheckpointOutput,
  slices: Slices,
): Promise<number> {
  const segment = new SegmentReader(path)
  try {
    for (let record = segment.next(); record !== undefined; record = segment.next()) {
      const type = readRecord(record, entries)
      const kept = type === 0 ? undefined : filter.take(type, record, entries)
      await slices.next(kept !== undefined && (await output.put(kept)))
    }
    return segment.size
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${path} at offset ${segment.recordOffset}: ${reason}`, { cause })
  } finally {
    segment.close()
  }
}

/** Gives the event loop a turn when a slice of work is over. */
class Slices {
  longestMs = 0
  readonly #sliceMs: number
  #startedAt = performance.now()

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs
  }

  /** `hasWaited`: the loop had its turn just now, as a file was written. */
  async next(hasWaited: boolean): Promise<void> {
    if (hasWaited) this.#startedAt = performance.now()
    const tookMs = performance.now() - this.#startedAt
    if (tookMs < this.#sliceMs) return
    if (tookMs > this.longestMs) this.longestMs = tookMs
    await nextTurn()
    this.#startedAt = performance.now()
  }
}

/** The segments of a checkpoint, written a mebibyte at a time. */
class CheckpointOutput {
  bytesWritten = 0
  readonly #directory: string
  readonly #files: CheckpointFiles
  readonly #fragments: FragmentWriter
  #segment = 0
  #file: CheckpointFile | undefined

  constructor(directory: string, options: CheckpointOptions, files: CheckpointFiles) {
    this.#directory = directory
    this.#files = files
    this.#fragments = new FragmentWriter(options.segmentBytes ?? segmentBytesMax, options.compresses)
  }

  /** Gives whether it has waited for a file. */
  async put(record: Uint8Array): Promise<boolean> {
    let hasWaited = this.#file === undefined
    this.#file ??= await this.#open()
    if (this.#fragments.prepare(record, record.length) > this.#fragments.roomInSegment()) {
      this.#fragments.padPage()
      await this.#finish()
      this.#segment++
      this.#file = await this.#open()
      this.#fragments.prepare(record, record.length)
      hasWaited = true
    }
    this.#fragments.put()
    if (this.#fragments.length < writeBytes) return hasWaited
    await this.#flush(this.#file)
    return true
  }

  /** At least one segment is made: a checkpoint that keeps nothing is one too. */
  async close(): Promise<void> {
    this.#file ??= await this.#open()
    await this.#finish()
  }

  async abandon(): Promise<void> {
    await this.#file?.close().catch(() => undefined)
    this.#file = undefined
  }

  #open(): Promise<CheckpointFile> {
    this.#fragments.start = 0
    return this.#files.create(join(this.#directory, segmentName(this.#segment)))
  }

  async #finish(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    await this.#flush(file)
    await file.sync()
    await file.close()
    this.#file = undefined
  }

  async #flush(file: CheckpointFile): Promise<void> {
    const { bytes, length } = this.#fragments
    await file.write(bytes.subarray(0, length))
    this.bytesWritten += length
    this.#fragments.takenAway()
  }
}
