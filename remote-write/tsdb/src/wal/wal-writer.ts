import { closeSync, fdatasync, fsync, ftruncateSync, openSync, writeSync, close as closeFile } from 'node:fs'
import { join } from 'node:path'
import { DiskFullError } from '../disk-guard.ts'
import { isDiskFull } from '../disk-reserve.ts'
import type { CommitLog, Head } from '../head/head.ts'
import type { PendingSamples } from '../head/pending-samples.ts'
import { FragmentWriter } from './fragment-writer.ts'
import { HistogramRecords } from './histogram-records.ts'
import { LogReferences } from './log-references.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordWriter } from './record-writer.ts'
import { highestReferenceRecord, segmentBytesMax, segmentName } from './wal-format.ts'

export interface WalWriterOptions {
  /** The `wal` directory; exists. */
  readonly directory: string
  /** Index of the segment to begin with; must not exist. */
  readonly firstSegment: number
  readonly compresses: boolean
  /** Milliseconds that written bytes may wait for the disk. */
  readonly syncEveryMs?: number
  readonly onSync?: (seconds: number) => void
  /** A failed fsync: what was written since the last good one may be lost in a power failure. */
  readonly onSyncError?: (cause: Error) => void
  readonly segmentBytes?: number
  /** What the older segments call the head's series, and the highest reference they may have given out; default: there are none. */
  readonly references?: LogReferences
  /** Why nothing may be written now, if so: a commit then throws a `DiskFullError` without touching a file. */
  readonly refusal?: () => string | undefined
  /** Told of each write that failed. */
  readonly onWriteError?: (cause: unknown) => void
}

export interface CommitExtras {
  /** Whole records of what waits for the commit; each is copied before the next is asked for. */
  takeRecords(): Iterable<Uint8Array>
}

/** Samples of one record; a record is compressed and checked as a whole, so it stays below 64 KB. */
const samplesPerRecord = 5000
const seriesRecordBytes = 64 * 1024

/**
 * Appends commits to segments of Prometheus' log. `writeCommit` returns when the system has the bytes (write(2)): they survive
 * the end of the process. The disk has them at most `syncEveryMs` later: fdatasync runs in libuv's pool, never on this thread.
 */
export class WalWriter implements CommitLog {
  readonly #options: WalWriterOptions
  readonly #records = new RecordWriter()
  readonly #mark = new RecordBuilder()
  #histograms: HistogramRecords | undefined
  readonly #out: FragmentWriter
  #segment: number
  #fd: number
  #timer: NodeJS.Timeout | undefined
  #syncing: Promise<void> | undefined
  #isDirty = false
  #isClosed = false
  /** Whether the segment being written begins with the mark of references that it needs. */
  #hasMark = false
  /** Undefined where directories cannot be opened (Windows). */
  readonly #directoryFd: number | undefined
  /** Every segment begins with the highest of them. */
  readonly references: LogReferences
  /** What goes into the log with samples, in one write: metadata before them, exemplars behind them, so that who follows the log has both. */
  metadata: CommitExtras | undefined
  exemplars: CommitExtras | undefined
  bytesWritten = 0
  flushes = 0
  writesFailed = 0

  constructor(options: WalWriterOptions) {
    this.#options = options
    this.#segment = options.firstSegment
    this.#out = new FragmentWriter(options.segmentBytes ?? segmentBytesMax, options.compresses)
    this.references = options.references ?? new LogReferences()
    this.#directoryFd = process.platform === 'win32' ? undefined : openSync(options.directory, 'r')
    this.#fd = this.#openSegment(this.#segment)
    try {
      this.#putMark()
    } catch (cause) {
      // The next commit begins with it.
      this.#takeBack()
      if (!isDiskFull(cause)) throw cause
      options.onWriteError?.(cause)
    }
  }

  /** Index of the segment being written. */
  get segment(): number {
    return this.#segment
  }

  get pagesCompleted(): number {
    return this.#out.pagesCompleted
  }

  writeCommit(head: Head, pending: PendingSamples, newSeries: Uint32Array): void {
    if (pending.length === 0 && newSeries.length === 0) return
    this.#write(() => {
      // Before the records, as they may begin a segment.
      for (const ref of newSeries) this.references.assign(ref)
      for (let from = 0; from < newSeries.length;) {
        from = this.#records.writeSeries(head, newSeries, from, this.references, seriesRecordBytes)
        this.#putRecord(this.#records.bytes, this.#records.length)
      }
      this.#putExtras(this.metadata)
      if (pending.histograms.count === 0) this.#putFloats(pending)
      else this.#putMixed(pending)
      this.#putExtras(this.exemplars)
    })
  }

  forgetSeries(ref: number): void {
    this.references.forget(ref, this.#segment)
  }

  /**
   * Appends whole records, type byte first, as one commit. If it throws, none of them is in the segment being written; those that
   * had filled the one before stay, so the caller may repeat all. Each is copied before the next is asked for. References are the
   * log's (`references` is the caller's business).
   */
  writeRecords(records: Iterable<Uint8Array>): void {
    this.#write(() => {
      for (const record of records) this.#putRecord(record, record.length)
    })
  }

  /** Goes on in a new segment, so that all older ones can be checkpointed or removed; gives its index. */
  nextSegment(): number {
    if (this.#isClosed) throw new Error('cannot begin a segment of the log: it is closed')
    try {
      this.#rotate()
    } catch (cause) {
      this.#takeBack()
      this.#options.onWriteError?.(cause)
      throw cause
    }
    return this.#segment
  }

  /** Waits for the disk and closes. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#syncing
    if (this.#isDirty) await this.#sync(this.#fd)
    closeSync(this.#fd)
    if (this.#directoryFd !== undefined) closeSync(this.#directoryFd)
  }

  /** Waits until all that is written is on the disk. */
  async sync(): Promise<void> {
    await this.#syncing
    if (this.#isDirty) await this.#sync(this.#fd)
  }

  #write(putRecords: () => void): void {
    if (this.#isClosed) throw new Error('cannot write to the log: it is closed')
    const refusal = this.#options.refusal?.()
    if (refusal !== undefined) throw new DiskFullError(`cannot write to the log: ${refusal}`)
    try {
      if (!this.#hasMark) this.#putMark()
      putRecords()
      this.#flush()
    } catch (cause) {
      this.writesFailed++
      this.#takeBack()
      this.#options.onWriteError?.(cause)
      const reason = cause instanceof Error ? cause.message : String(cause)
      const text = `cannot write to the log segment ${segmentName(this.#segment)}: ${reason}`
      throw isDiskFull(cause) ? new DiskFullError(text, { cause }) : new Error(text, { cause })
    }
    this.#scheduleSync()
  }

  #putExtras(extras: CommitExtras | undefined): void {
    if (extras !== undefined) for (const record of extras.takeRecords()) this.#putRecord(record, record.length)
  }

  #putFloats(pending: PendingSamples): void {
    for (let from = 0; from < pending.length; from += samplesPerRecord) {
      this.#records.writeSamples(pending, from, Math.min(pending.length, from + samplesPerRecord), this.references)
      this.#putRecord(this.#records.bytes, this.#records.length)
    }
  }

  #putMixed(pending: PendingSamples): void {
    this.#histograms ??= new HistogramRecords()
    this.#histograms.write(pending, this.references, {
      putFloats: (floats) => this.#putFloats(floats),
      putRecord: (record) => this.#putRecord(record, record.length),
    })
  }

  /** Goes to a new segment if this one cannot hold the record whole. */
  #putRecord(record: Uint8Array, length: number): void {
    const stored = this.#out.prepare(record, length)
    if (stored > this.#out.roomInSegment()) {
      this.#rotate()
      this.#out.prepare(record, length)
    }
    this.#out.put()
  }

  #putMark(): void {
    if (this.references.highest > 0) {
      this.#mark.begin(highestReferenceRecord)
      this.#mark.addHighestReference(this.references.highest)
      this.#out.prepare(this.#mark.view(), this.#mark.length)
      this.#out.put()
      this.#flush()
    }
    this.#hasMark = true
  }

  #rotate(): void {
    this.#out.padPage()
    this.#flush()
    const opened = this.#openSegment(this.#segment + 1)
    const full = this.#fd
    this.#fd = opened
    this.#segment++
    this.#out.start = 0
    this.#hasMark = false
    const before = this.#syncing
    this.#syncing = (async () => {
      await before
      await this.#syncFile(full, true)
      closeFile(full, () => {})
    })()
    this.#putMark()
  }

  #openSegment(index: number): number {
    const fd = openSync(join(this.#options.directory, segmentName(index)), 'wx')
    // The new name must be on the disk too; nobody waits for it.
    if (this.#directoryFd === undefined) return fd
    fsync(this.#directoryFd, (error) => {
      if (error !== null && !this.#isClosed) this.#options.onSyncError?.(error)
    })
    return fd
  }

  #flush(): void {
    const { bytes, length, start } = this.#out
    for (let from = 0; from < length;) from += writeSync(this.#fd, bytes, from, length - from, start + from)
    this.#out.takenAway()
    this.flushes++
    this.bytesWritten += length
    this.#isDirty = true
  }

  /** Cuts off what a failed write has left behind the last whole record, so that the next one follows that. */
  #takeBack(): void {
    this.#out.drop()
    try {
      ftruncateSync(this.#fd, this.#out.start)
    } catch {
      // The next write starts at the same place and covers what is left.
    }
  }

  #scheduleSync(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const before = this.#syncing
      this.#syncing = (async () => {
        await before
        if (!this.#isClosed && this.#isDirty) await this.#sync(this.#fd)
      })()
    }, this.#options.syncEveryMs ?? 100)
    this.#timer.unref()
  }

  async #sync(fd: number): Promise<void> {
    this.#isDirty = false
    await this.#syncFile(fd, false)
  }

  #syncFile(fd: number, withLength: boolean): Promise<void> {
    const start = performance.now()
    return new Promise((resolve) => {
      const done = (error: Error | null): void => {
        if (error !== null) {
          this.#isDirty = true
          this.#options.onSyncError?.(error)
        } else this.#options.onSync?.((performance.now() - start) / 1000)
        resolve()
      }
      if (withLength) fsync(fd, done)
      else fdatasync(fd, done)
    })
  }
}
