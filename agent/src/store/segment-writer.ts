import { closeSync, fdatasync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { SeriesLayout } from './frame.ts'
import { putLayoutFrame } from './layout-frame.ts'
import type { FrameRef } from './sample-frame.ts'
import { headerBytes } from './frame-header.ts'
import { segmentPath } from './segment-files.ts'
import type { Segment } from './segment-files.ts'

/** A segment is full when its sample frames, or all its frames, take this much; with a small byte cap it is a part of the cap. */
export interface SegmentSize {
  readonly sampleBytesMax: number
  readonly bytesMax: number
}

export function segmentSizeFor(logBytesMax: number): SegmentSize {
  const sampleBytesMax = Math.max(64 * 1024, Math.min(8 * 2 ** 20, Math.floor(logBytesMax / 32)))
  // Thousands of small targets have layouts of ten times the size of a scrape: they are written anew for every segment.
  return { sampleBytesMax, bytesMax: Math.max(4 * sampleBytesMax, Math.min(128 * 2 ** 20, Math.floor(logBytesMax / 16))) }
}
/** A layout is written this often into a segment that uses it as often: damage to one copy then costs nothing. */
const layoutCopies = 2
const scratchBytesKept = 4 * 1024 * 1024
const syncFile = promisify(fdatasync)

/** Appends frames to one segment file. Every method that writes throws what the file system says; `abandon` then leaves whole frames only. */
export class SegmentWriter {
  readonly segment: Segment
  readonly #fd: number
  readonly #run: number
  readonly #copies = new Map<SeriesLayout, number>()
  #scratch = new ByteWriter(1024)
  #sampleBytes = 0
  #dirty = false
  #syncing = false
  #lastSync: Promise<void> = Promise.resolve()
  #closed = false

  readonly #size: SegmentSize

  constructor(directory: string, firstSequence: number, run: number, size: SegmentSize) {
    this.#size = size
    const path = segmentPath(directory, firstSequence)
    this.#fd = openSync(path, 'ax', 0o640)
    this.#run = run
    this.segment = { path, firstSequence, bytes: 0, samples: 0, lastWriteMs: Infinity, isPacked: false }
  }

  get isFull(): boolean {
    return this.#sampleBytes >= this.#size.sampleBytesMax || this.segment.bytes >= this.#size.bytesMax
  }

  /** No samples are in it, at most a layout. */
  get isEmpty(): boolean {
    return this.segment.samples === 0
  }

  /** When it returns, the frame is in the kernel and survives the death of the process. */
  append(frame: FrameRef): void {
    const copies = this.#copies.get(frame.layout) ?? 0
    if (copies < layoutCopies) {
      this.#writeLayout(frame)
      this.#copies.set(frame.layout, copies + 1)
    }
    this.#write(frame.bytes, frame.start - headerBytes, frame.end)
    this.#sampleBytes += frame.end - frame.start + headerBytes
    this.segment.samples! += frame.count
  }

  /** Makes what was written survive a power cut. Syncs do not overlap: a call during one waits for it only. */
  sync(): Promise<void> {
    if (!this.#dirty || this.#syncing || this.#closed) return this.#lastSync
    this.#dirty = false
    this.#syncing = true
    this.#lastSync = syncFile(this.#fd).then(
      () => {
        this.#syncing = false
      },
      (error: unknown) => {
        this.#syncing = false
        this.#dirty = true
        throw error
      },
    )
    return this.#lastSync
  }

  /** Syncs what is left and closes; nothing may be appended any more. */
  async finish(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.#lastSync.catch(() => undefined)
      if (this.#dirty) await syncFile(this.#fd)
    } finally {
      closeSync(this.#fd)
    }
  }

  /** After a failed write: cuts the torn frame off if the disk lets us, and removes a segment without samples, whose name the next one needs. */
  abandon(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      ftruncateSync(this.#fd, this.segment.bytes)
    } catch {
      // The reader skips the torn frame by its checksum.
    }
    const closeFile = (): void => closeSync(this.#fd)
    this.#lastSync.then(closeFile, closeFile)
    if (this.isEmpty) rmSync(this.segment.path, { force: true })
  }

  #writeLayout(frame: FrameRef): void {
    const scratch = this.#scratch
    scratch.reset()
    putLayoutFrame(scratch, frame.sequence, this.#run, frame.layout)
    this.#write(scratch.bytes, 0, scratch.length)
    if (scratch.bytes.length > scratchBytesKept) this.#scratch = new ByteWriter(1024)
  }

  /** `segment.bytes` grows only when the whole range was written, so it always ends behind a whole frame. */
  #write(bytes: Uint8Array, start: number, end: number): void {
    this.#dirty = true
    let at = start
    while (at < end) at += writeSync(this.#fd, bytes, at, end - at)
    this.segment.bytes += end - start
  }
}
