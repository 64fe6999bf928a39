import { closeSync, fdatasync, fsync, ftruncateSync, openSync, writeSync, close as closeFile } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@narthex/bytes/crc32c'
import { compress } from '@narthex/wire/snappy'
import type { CommitLog, Head } from '../head/head.ts'
import type { PendingSamples } from '../head/pending-samples.ts'
import { RecordWriter } from './record-writer.ts'
import {
  firstFragment,
  fragmentHeaderBytes,
  fullFragment,
  lastFragment,
  middleFragment,
  pageBytes,
  segmentBytesMax,
  segmentName,
  snappyFlag,
} from './wal-format.ts'

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
}

/** Samples of one record; a record is compressed and checked as a whole, so it stays near 90 KB. */
const samplesPerRecord = 8192
const seriesRecordBytes = 64 * 1024
const outBytes = 256 * 1024
const outBytesKept = 4 * 1024 * 1024

/**
 * Appends commits to segments of Prometheus' log. `writeCommit` returns when the system has the bytes (write(2)): they survive
 * the end of the process. The disk has them at most `syncEveryMs` later: fdatasync runs in libuv's pool, never on this thread.
 */
export class WalWriter implements CommitLog {
  readonly #options: WalWriterOptions
  readonly #records = new RecordWriter()
  readonly #segmentBytes: number
  #segment: number
  #fd: number
  /** Bytes of the segment that are written, and of the commit that is being put together in `#out`. */
  #written = 0
  #out = new Uint8Array(outBytes)
  #outLength = 0
  #timer: NodeJS.Timeout | undefined
  #syncing: Promise<void> | undefined
  #isDirty = false
  #isClosed = false
  /** Undefined where directories cannot be opened (Windows). */
  readonly #directoryFd: number | undefined
  /** Added to every reference, so that none means another series in the older segments. */
  refBase = 0
  bytesWritten = 0
  pagesCompleted = 0
  flushes = 0
  writesFailed = 0

  constructor(options: WalWriterOptions) {
    this.#options = options
    this.#segment = options.firstSegment
    this.#segmentBytes = options.segmentBytes ?? segmentBytesMax
    this.#directoryFd = process.platform === 'win32' ? undefined : openSync(options.directory, 'r')
    this.#fd = this.#openSegment(this.#segment)
  }

  /** Index of the segment being written. */
  get segment(): number {
    return this.#segment
  }

  writeCommit(head: Head, pending: PendingSamples, firstRef: number, lastRef: number): void {
    if (this.#isClosed) throw new Error('cannot write to the log: it is closed')
    const { segment, written } = { segment: this.#segment, written: this.#written }
    try {
      for (let ref = firstRef; ref <= lastRef;) {
        ref = this.#records.writeSeries(head, ref, lastRef, this.refBase, seriesRecordBytes)
        this.#putRecord()
      }
      for (let from = 0; from < pending.length; from += samplesPerRecord) {
        this.#records.writeSamples(pending, from, Math.min(pending.length, from + samplesPerRecord), this.refBase)
        this.#putRecord()
      }
      this.#flush()
    } catch (cause) {
      this.writesFailed++
      this.#outLength = 0
      this.#restore(segment, written)
      throw new Error(
        `cannot write to the log segment ${segmentName(this.#segment)}: ${cause instanceof Error ? cause.message : String(cause)}`,
        {
          cause,
        },
      )
    }
    this.#scheduleSync()
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

  #putRecord(): void {
    const { bytes, length } = this.#records
    if (!this.#options.compresses) {
      this.#putFragments(bytes, length, 0)
      return
    }
    const compressed = compress(bytes, 0, length)
    if (compressed.length < length) this.#putFragments(compressed, compressed.length, snappyFlag)
    else this.#putFragments(bytes, length, 0)
  }

  /** Cuts a record into fragments, none over the end of a page; goes to a new segment if this one cannot hold it whole. */
  #putFragments(record: Uint8Array, length: number, flags: number): void {
    if (length > this.#roomInSegment()) this.#rotate()
    let from = 0
    do {
      let room = pageBytes - ((this.#written + this.#outLength) % pageBytes)
      if (room < fragmentHeaderBytes) {
        this.#reserveOut(room)
        this.#out.fill(0, this.#outLength, this.#outLength + room)
        this.#outLength += room
        this.pagesCompleted++
        room = pageBytes
      }
      const end = Math.min(length, from + room - fragmentHeaderBytes)
      const kind = from === 0 ? (end === length ? fullFragment : firstFragment) : end === length ? lastFragment : middleFragment
      this.#putFragment(kind | flags, record, from, end)
      from = end
    } while (from < length)
  }

  #putFragment(kind: number, record: Uint8Array, from: number, end: number): void {
    const count = end - from
    this.#reserveOut(fragmentHeaderBytes + count)
    const out = this.#out
    const at = this.#outLength
    const checksum = crc32c(record, from, end)
    out[at] = kind
    out[at + 1] = count >>> 8
    out[at + 2] = count
    out[at + 3] = checksum >>> 24
    out[at + 4] = checksum >>> 16
    out[at + 5] = checksum >>> 8
    out[at + 6] = checksum
    out.set(record.subarray(from, end), at + fragmentHeaderBytes)
    this.#outLength = at + fragmentHeaderBytes + count
  }

  /** Data bytes that fit in what is left of the segment, the headers taken off. */
  #roomInSegment(): number {
    const used = this.#written + this.#outLength
    const inPage = Math.max(0, pageBytes - (used % pageBytes) - fragmentHeaderBytes)
    const pages = Math.floor((this.#segmentBytes - used) / pageBytes)
    return inPage + Math.max(0, pages) * (pageBytes - fragmentHeaderBytes)
  }

  #rotate(): void {
    this.#flush()
    // A segment ends with a full page.
    const rest = pageBytes - (this.#written % pageBytes)
    if (rest < pageBytes) {
      this.#reserveOut(rest)
      this.#out.fill(0, 0, rest)
      this.#outLength = rest
      this.#flush()
    }
    const opened = this.#openSegment(this.#segment + 1)
    const full = this.#fd
    this.#fd = opened
    this.#segment++
    this.#written = 0
    const before = this.#syncing
    this.#syncing = (async () => {
      await before
      await this.#syncFile(full, true)
      closeFile(full, () => {})
    })()
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
    for (let from = 0; from < this.#outLength;) from += writeSync(this.#fd, this.#out, from, this.#outLength - from, this.#written + from)
    this.#written += this.#outLength
    this.flushes++
    this.bytesWritten += this.#outLength
    this.#outLength = 0
    this.#isDirty = true
    if (this.#out.length > outBytesKept) this.#out = new Uint8Array(outBytes)
  }

  /** Takes back what a failed commit has written, so that the next one follows a whole record. */
  #restore(segment: number, written: number): void {
    if (segment !== this.#segment) return
    try {
      ftruncateSync(this.#fd, written)
    } catch {
      // The next write starts at the same place and covers what is left.
    }
    this.#written = written
  }

  #reserveOut(count: number): void {
    const needed = this.#outLength + count
    if (needed <= this.#out.length) return
    const larger = new Uint8Array(Math.max(needed, this.#out.length * 2))
    larger.set(this.#out.subarray(0, this.#outLength))
    this.#out = larger
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
