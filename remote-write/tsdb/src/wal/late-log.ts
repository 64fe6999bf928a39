import { mkdirSync } from 'node:fs'
import type { CommitLog, Head } from '../head/head.ts'
import type { LateBatch } from '../head/late-pending.ts'
import type { PendingSamples } from '../head/pending-samples.ts'
import { checkpointFiles } from './checkpoint-files.ts'
import { buildLateRecords } from './late-records.ts'
import { listSegments } from './log-files.ts'
import { RecordBuilder } from './record-builder.ts'
import type { WalWriter, WalWriterOptions } from './wal-writer.ts'
import { WblWriter } from './wbl.ts'

export interface LateLogOptions extends Omit<WalWriterOptions, 'references' | 'firstSegment'> {
  readonly wal: WalWriter
  /** Index of the first segment that is not there yet; 0: there is none. */
  readonly nextSegment: number
  /** It has what this version cannot read: nothing of it may go. */
  readonly hasUnread: boolean
}

/**
 * The log with all samples, and the one of late samples beside it, as Prometheus has them. Late ones stand in both: in the log for those who
 * follow it, in `wbl/` until they are in a block. That directory is made with the first of them, as it must not be there without a segment.
 */
export class LateLog implements CommitLog {
  readonly #options: LateLogOptions
  readonly #builder = new RecordBuilder()
  #writer: WblWriter | undefined
  #firstSegment = 0

  constructor(options: LateLogOptions) {
    this.#options = options
  }

  writeCommit(head: Head, pending: PendingSamples, newSeries: Uint32Array, late?: LateBatch): void {
    const { wal } = this.#options
    // First, as the log names the series.
    wal.writeCommit(head, pending, newSeries)
    if (late === undefined || late.floats.length + late.histograms.length === 0) return
    // Who follows the log has those that are only moved.
    if (!late.floats.isMoved && !late.histograms.isMoved) wal.writeRecords(buildLateRecords(late, wal.references, this.#builder))
    const writer = (this.#writer ??= this.#open())
    writer.writeRecords(buildLateRecords(late, wal.references, this.#builder))
  }

  forgetSeries(ref: number): void {
    this.#options.wal.forgetSeries(ref)
  }

  /** Whether there are segments of an earlier process, which name series as its log did. */
  get hasOldSegments(): boolean {
    return this.#firstSegment < this.#options.nextSegment
  }

  /** What was written, for metrics; zeros before the first late sample. */
  get figures(): WblWriter['figures'] {
    return this.#writer?.figures ?? noFigures
  }

  /** Times that segments were to go, and that some could not. */
  truncations = 0
  truncationsFailed = 0
  onSync: ((seconds: number) => void) | undefined

  /** Goes on in a new segment and gives its index. Throws if the disk does not take it. */
  nextSegment(): number {
    if (this.#writer !== undefined) return this.#writer.nextSegment()
    this.#writer = this.#open()
    return this.#writer.segment
  }

  /** What the segments before this index had is in blocks, or in later ones, which the disk has: they go. */
  async removeBefore(index: number): Promise<void> {
    if (this.#options.hasUnread) return
    await this.#writer?.sync()
    this.truncations++
    try {
      for (const segment of listSegments(this.#options.directory)) if (segment.index < index) await checkpointFiles.remove(segment.path)
    } catch (cause) {
      this.truncationsFailed++
      throw cause
    }
    this.#firstSegment = index
  }

  sync(): Promise<void> {
    return this.#writer?.sync() ?? Promise.resolve()
  }

  close(): Promise<void> {
    return this.#writer?.close() ?? Promise.resolve()
  }

  #open(): WblWriter {
    mkdirSync(this.#options.directory, { recursive: true })
    const onSync = (seconds: number): void => this.onSync?.(seconds)
    return new WblWriter({ ...this.#options, firstSegment: this.#options.nextSegment, onSync })
  }
}

const noFigures: WblWriter['figures'] = { segment: 0, pagesCompleted: 0, flushes: 0, writesFailed: 0, bytesWritten: 0 }
