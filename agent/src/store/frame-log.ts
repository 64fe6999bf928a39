import { randomBytes } from 'node:crypto'
import { rmSync, truncateSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'
import { syncDirectory } from '@narthex/service/sync-directory'
import { addRange, CursorFiles } from './cursor-file.ts'
import type { Cursor, FrameRange } from './cursor-file.ts'
import { ChunkPool } from './frame-chunk.ts'
import { FrameTail } from './frame-tail.ts'
import type { FrameSink, ScrapeBatch } from './frame.ts'
import { LogReader, windowBytes } from './log-reader.ts'
import { endOfCursor, isWithin, RemotePlace } from './remote-place.ts'
import { packSegment } from './segment-packer.ts'
import type { FrameRef } from './sample-frame.ts'
import { listSegments } from './segment-files.ts'
import type { Segment } from './segment-files.ts'
import type { SegmentWindow } from './segment-reader.ts'
import { countFrames, readWindow, scanSegment } from './segment-scan.ts'
import { SegmentWriter, segmentSizeFor } from './segment-writer.ts'

/** Why samples were lost to a remote: the byte cap, the age cap, a damaged file, or a full disk for longer than the memory ring lasts. */
export type LossReason = 'storage_cap' | 'storage_age' | 'damaged' | 'disk_full'

export interface FrameLogEvents {
  /** `samples` is undefined when damage took the count with it. */
  onLoss(remote: string, reason: LossReason, frames: number, samples: number | undefined): void
  /** Something an operator should read: a torn tail, a disk that fails or works again. */
  onProblem(text: string, fields: Readonly<Record<string, unknown>>): void
}

export interface FrameLogOptions {
  readonly directory: string
  /** The remotes to keep frames for; cursors of others are removed. With none, frames are thrown away. */
  readonly remotes: readonly string[]
  readonly events: FrameLogEvents
  /** Largest size on disk; the oldest segments go first. The cap is exceeded by at most one segment. */
  readonly bytesMax?: number
  /** Segments whose last frame was written longer ago than this go, delivered or not; default: none does. */
  readonly ageMaxMs?: number
  /** Memory for frames that senders have not read, or that a full disk did not take. */
  readonly tailBytesMax?: number
  readonly ringBytesMax?: number
  readonly syncIntervalMs?: number
  readonly cursorIntervalMs?: number
  readonly healIntervalMs?: number
  /** Segments that nobody has taken for this long are compressed; default 60 s, 0 = at once, Infinity = never. */
  readonly packAfterMs?: number
}

export const defaultBytesMax = 4 * 2 ** 30
const defaultTailBytesMax = 16 * 2 ** 20
/** Of frames in memory this much stays for readers that are still behind them: they come from the disk, and read these there, too. */
const tailBytesForLate = 2 ** 20
const defaultRingBytesMax = 64 * 2 ** 20
const complaintIntervalMs = 10_000
/** A segment that cannot be read for want of something that others give back is tried again after this. */
const readRetryMs = 100
const shortages: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY'])
const fullDisks: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/**
 * The agent's log: frames go in at one end, and every remote reads them from its own cursor. FORMAT.md says how it lies on
 * disk. A frame is kept until all remotes acknowledged it, or until the byte cap takes it, which is counted.
 *
 * Long, because what may happen to a frame (written, ring, cap, age, delivered, packed) has one order, and it is kept here.
 */
export class FrameLog implements FrameSink {
  readonly #directory: string
  readonly #events: FrameLogEvents
  readonly #cursorFiles: CursorFiles
  readonly #bytesMax: number
  readonly #ageMaxMs: number
  readonly #tailBytesMax: number
  readonly #ringBytesMax: number
  readonly #healIntervalMs: number
  readonly #packAfterMs: number
  readonly #run = randomBytes(4).readUInt32LE()
  readonly #remotes = new Map<string, RemotePlace>()
  readonly #tail = new FrameTail()
  readonly #windows = new ChunkPool(windowBytes, 2)
  readonly #timers: NodeJS.Timeout[] = []
  /** Oldest first; the writer's segment is the last one. */
  #segments: Segment[]
  #segmentBytes = 0
  #writer: SegmentWriter | undefined
  #nextSequence: number
  /** First frame that the disk has not taken; `#nextSequence` when all is well. */
  #unwritten: number
  #failingSince: number | undefined
  #healTimer: NodeJS.Timeout | undefined
  /** Frames that never reached the disk, for remotes that come later: those that are there have counted them. */
  #holes: readonly FrameRange[] = []
  #finishing: Promise<unknown> = Promise.resolve()
  #packing: Promise<void> | undefined
  #closed = false
  readonly #complaints = new Map<string, number>()

  /** Opens or makes the log. A torn tail is cut off and told; nothing else of a backlog is read. Throws if the directory cannot be used. */
  constructor(options: FrameLogOptions) {
    this.#directory = options.directory
    this.#events = options.events
    this.#bytesMax = options.bytesMax ?? defaultBytesMax
    this.#ageMaxMs = options.ageMaxMs ?? Infinity
    this.#tailBytesMax = options.tailBytesMax ?? defaultTailBytesMax
    this.#ringBytesMax = options.ringBytesMax ?? defaultRingBytesMax
    this.#healIntervalMs = options.healIntervalMs ?? 1000
    this.#packAfterMs = options.packAfterMs ?? 60_000
    makeDirectory(options.directory)
    this.#cursorFiles = new CursorFiles(join(options.directory, 'cursors'))
    this.#segments = listSegments(options.directory)
    const cursors = this.#cursorFiles.readAll((text) => this.#events.onProblem(text, {}))
    this.#nextSequence = Math.max(1, this.#recoverTail(), ...[...cursors.values()].map(endOfCursor))
    this.#unwritten = this.#nextSequence
    for (const segment of this.#segments) this.#segmentBytes += segment.bytes
    this.setRemotes(options.remotes, cursors)
    const cursorIntervalMs = options.cursorIntervalMs ?? 1000
    this.#timers.push(
      setInterval(() => this.#sync(), options.syncIntervalMs ?? 100),
      setInterval(() => this.#maintain(), cursorIntervalMs),
    )
    // Often at first: an agent that dies soon after every start gets on all the same, and does not send ever more again.
    for (const part of [0.1, 0.3, 0.6]) this.#timers.push(setTimeout(() => this.#storeCursors(), part * cursorIntervalMs))
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segmentBytes
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  get nextSequence(): number {
    return this.#nextSequence
  }

  /** False while the disk takes no frames and they stay in the memory ring. */
  get isWriting(): boolean {
    return this.#failingSince === undefined
  }

  append(batch: ScrapeBatch): void {
    if (batch.count === 0 || this.#remotes.size === 0 || this.#closed) return
    this.#tail.push(this.#nextSequence, this.#run, batch)
    this.#nextSequence++
    if (this.#failingSince === undefined) this.#writeFrames()
    this.#trimTail()
    for (const remote of this.#remotes.values()) for (const reader of remote.readers) reader.onAppend?.()
    if (this.#segmentBytes > this.#bytesMax) this.#enforceCap()
  }

  /** The reader of a remote, at its first frame that is not acknowledged. */
  reader(remote: string): LogReader {
    const known = this.#remotes.get(remote)
    if (known === undefined) throw new Error(`cannot read log: no remote ${remote}`)
    return known.readers[0]!
  }

  /** A second reader of a remote, for what comes from now on; the first one ends where it begins. */
  openLane(remote: string): LogReader {
    const known = this.#remotes.get(remote)
    if (known === undefined || known.readers.length !== 1) throw new Error(`cannot open a lane: want remote ${remote} with one`)
    const live = this.#createReader(known, this.#nextSequence)
    known.openLane(this.#nextSequence, live)
    return live
  }

  /** The first reader of a remote is through: the second one is its reader from now on. */
  closeLane(remote: string): void {
    const known = this.#remotes.get(remote)
    if (known !== undefined && known.readers.length === 2) known.readers.shift()
  }

  /** All frames before `next` are delivered to `remote`, and those of its live lane before `liveNext`. Reaches the disk within a second. */
  acknowledge(remote: string, next: number, liveNext?: number): void {
    this.#remotes.get(remote)?.acknowledge(next, liveNext)
  }

  /**
   * Frames of a remote that were read and not delivered, and whose sender ends: those that the disk has are read again by the next one, the
   * others are lost and counted. Samples by sequence.
   */
  abandon(remote: string, unsettled: ReadonlyMap<number, number>): void {
    const known = this.#remotes.get(remote)
    if (known === undefined) return
    const oldest = this.#segments[0]?.firstSequence ?? this.#unwritten
    for (const reason of ['storage_cap', 'disk_full'] as const) {
      let frames = 0
      let samples = 0
      for (const [sequence, count] of unsettled) {
        const isLost = reason === 'storage_cap' ? sequence < oldest : this.#holes.some((range) => isWithin(sequence, range))
        if (!isLost) continue
        known.settle(sequence, sequence + 1)
        frames++
        samples += count
      }
      if (frames > 0) this.#events.onLoss(remote, reason, frames, samples)
    }
  }

  /** Gives the remote a new reader at its first frame that is not acknowledged. */
  rewind(remote: string): void {
    const known = this.#remotes.get(remote)
    if (known !== undefined) known.readers = [this.#createReader(known, known.cursor.next)]
  }

  /** Frames of a remote that are not acknowledged. */
  pendingFrames(remote: string): number {
    const known = this.#remotes.get(remote)
    if (known === undefined) return 0
    const { next } = known.cursor
    return this.#nextSequence - next - known.countSettled(next, this.#nextSequence)
  }

  /** Bytes on disk of what a remote has not acknowledged; of the segment where it is, in proportion. */
  pendingBytes(remote: string): number {
    const next = this.#remotes.get(remote)?.cursor.next ?? this.#nextSequence
    let bytes = 0
    for (const segment of this.#segments) {
      const end = this.#lastSequence(segment) + 1
      if (end <= next) continue
      const first = segment.firstSequence
      bytes += first >= next ? segment.bytes : segment.bytes * ((end - next) / (end - first))
    }
    return Math.round(bytes)
  }

  /**
   * Takes another set of remotes, as after a reload. New ones begin with the oldest frame that is kept; what removed ones had
   * not got is given up, and their cursors go.
   */
  setRemotes(names: readonly string[], cursors: ReadonlyMap<string, Cursor> = new Map()): void {
    for (const name of [...this.#remotes.keys(), ...cursors.keys()]) {
      if (names.includes(name)) continue
      this.#remotes.delete(name)
      this.#cursorFiles.remove(name)
    }
    for (const name of names) {
      if (this.#remotes.has(name)) continue
      const stored = cursors.get(name)
      // Frames between a stored cursor and the oldest one that is kept are counted by the reader, which does not find them.
      const cursor = stored ?? { next: this.#oldestSequence(), ...(this.#holes.length === 0 ? {} : { settled: this.#holes }) }
      const remote = new RemotePlace(name, cursor, stored)
      remote.readers.push(this.#createReader(remote, cursor.next))
      this.#remotes.set(name, remote)
    }
  }

  #createReader(remote: RemotePlace, position: number): LogReader {
    return new LogReader(position, {
      nextSequence: () => this.#nextSequence,
      fromTail: (sequence) => this.#tail.get(sequence),
      findSegment: (sequence) => this.#findSegment(sequence),
      readSegment: (segment, offset, bytes) => this.#readSegment(segment, offset, bytes),
      oldestSequence: () => this.#oldestSequence(),
      skipSettled: (sequence) => remote.skipSettled(sequence),
      countSettled: (from, to) => remote.countSettled(from, to),
      onLoss: (reason, from, to, frames, samples) => {
        remote.settle(from, to)
        this.#events.onLoss(remote.name, reason, frames, samples)
      },
    })
  }

  /** The first frame that is kept, on disk or in memory; the next one if there is none. */
  #oldestSequence(): number {
    return Math.min(this.#segments[0]?.firstSequence ?? Infinity, this.#tail.firstSequence, this.#nextSequence)
  }

  /** Stores cursors, syncs and closes. Appends are ignored afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
    clearInterval(this.#healTimer)
    if (this.#failingSince !== undefined) this.#heal()
    // What the disk does not take now ends with the process.
    if (this.#failingSince !== undefined) this.#dropAllUnwritten()
    for (const remote of this.#remotes.values()) {
      await remote.storing
      await this.#storeCursor(remote)
    }
    await this.#finishing
    await this.#packing
    try {
      await this.#writer?.finish()
      await syncDirectory(this.#directory)
    } catch (error) {
      this.#reportSyncError(error)
    }
  }

  /** Cuts the torn tail of the last segment and returns the sequence behind its last frame. */
  #recoverTail(): number {
    for (;;) {
      const last = this.#segments.at(-1)
      if (last === undefined) return 1
      const { lastSequence, samples, wholeBytes, fileBytes } = scanSegment(last)
      if (wholeBytes < fileBytes) {
        this.#events.onProblem('cut the torn tail of the last log segment', { path: last.path, bytes: fileBytes - wholeBytes })
        truncateSync(last.path, wholeBytes)
      }
      last.bytes = wholeBytes
      last.samples = samples
      if (lastSequence >= last.firstSequence) return lastSequence + 1
      rmSync(last.path, { force: true })
      this.#segments.pop()
      if (this.#segments.length === 0) return last.firstSequence
    }
  }

  /** Writes what the disk has not taken yet. */
  #writeFrames(): void {
    try {
      for (; this.#unwritten < this.#nextSequence; this.#unwritten++) {
        const frame = this.#tail.get(this.#unwritten)
        if (frame !== undefined) this.#writeFrame(frame)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #writeFrame(frame: FrameRef): void {
    if (this.#writer === undefined || this.#writer.isFull) this.#rotate(frame.sequence)
    const { segment } = this.#writer!
    const before = segment.bytes
    try {
      this.#writer!.append(frame)
    } finally {
      this.#segmentBytes += segment.bytes - before
    }
  }

  #rotate(firstSequence: number): void {
    const full = this.#writer
    this.#writer = undefined
    if (full !== undefined) full.segment.lastWriteMs = performance.now()
    if (full !== undefined)
      this.#finishing = this.#finishing.then(() => full.finish()).catch((error: unknown) => this.#reportSyncError(error))
    this.#writer = new SegmentWriter(this.#directory, firstSequence, this.#run, segmentSizeFor(this.#bytesMax))
    this.#segments.push(this.#writer.segment)
    this.#finishing = this.#finishing.then(() => syncDirectory(this.#directory)).catch((error: unknown) => this.#reportSyncError(error))
  }

  #fail(error: unknown): void {
    const writer = this.#writer
    this.#writer = undefined
    if (writer !== undefined) {
      const { segment } = writer
      try {
        writer.abandon()
      } catch (problem) {
        this.#complain('cannot remove a log segment', { err: problem, path: segment.path })
      }
      segment.lastWriteMs = performance.now()
      if (writer.isEmpty) {
        this.#segments = this.#segments.filter((other) => other !== segment)
        this.#segmentBytes -= segment.bytes
      }
    }
    if (this.#failingSince !== undefined) return
    this.#failingSince = Date.now()
    this.#events.onProblem('cannot write to the log, keeping samples in memory', { err: error, directory: this.#directory })
    this.#healTimer = setInterval(() => this.#heal(), this.#healIntervalMs)
  }

  #heal(): void {
    if (this.#failingSince === undefined) return
    const since = this.#failingSince
    this.#removeDelivered(true)
    this.#writeFrames()
    if (this.#unwritten < this.#nextSequence) return
    clearInterval(this.#healTimer)
    this.#failingSince = undefined
    this.#events.onProblem('writing to the log again', { after_ms: Date.now() - since })
  }

  #sync(): void {
    this.#writer?.sync().catch((error: unknown) => this.#reportSyncError(error))
  }

  #reportSyncError(error: unknown): void {
    this.#complain('cannot sync the log', { err: error, directory: this.#directory })
  }

  /** What would come ten times a second is told once in ten seconds. */
  #complain(text: string, fields: Readonly<Record<string, unknown>>): void {
    const now = performance.now()
    if (now - (this.#complaints.get(text) ?? -Infinity) < complaintIntervalMs) return
    this.#complaints.set(text, now)
    this.#events.onProblem(text, fields)
  }

  /** Frames leave memory when every reader has them, or when there are too many; what the disk has not taken stays longest. */
  #trimTail(): void {
    const tail = this.#tail
    // The first frame that somebody gets from here next, and the first that somebody will get.
    let wanted = this.#nextSequence
    let read = this.#nextSequence
    for (const { readers } of this.#remotes.values()) {
      for (const { position, isFinished } of readers) {
        if (isFinished) continue
        read = Math.min(read, position)
        if (position >= tail.firstSequence) wanted = Math.min(wanted, position)
      }
    }
    const lateBytesMax = Math.min(tailBytesForLate, this.#tailBytesMax)
    for (;;) {
      const first = tail.firstSequence
      if (first === Infinity) return
      if (first < this.#unwritten) {
        if (first >= read && tail.bytes <= (first >= wanted ? this.#tailBytesMax : lateBytesMax)) return
        tail.shift()
      } else {
        if (tail.bytes <= this.#ringBytesMax) return
        this.#dropUnwritten(tail.shift()!)
      }
    }
  }

  #dropUnwritten({ sequence, count }: FrameRef): void {
    this.#unwritten = sequence + 1
    this.#holes = addRange(this.#holes, { first: sequence, end: sequence + 1 })
    for (const remote of this.#remotes.values()) {
      if (!remote.awaits(sequence)) continue
      remote.settle(sequence, sequence + 1)
      this.#events.onLoss(remote.name, 'disk_full', 1, count)
    }
  }

  /** At the end: what was read and not delivered is lost as well. */
  #dropAllUnwritten(): void {
    for (; this.#unwritten < this.#nextSequence; this.#unwritten++) {
      const sequence = this.#unwritten
      const count = this.#tail.get(sequence)?.count
      for (const remote of this.#remotes.values()) {
        if (sequence < remote.cursor.next || remote.skipSettled(sequence) !== sequence) continue
        remote.settle(sequence, sequence + 1)
        this.#events.onLoss(remote.name, 'disk_full', 1, count)
      }
    }
  }

  #findSegment(sequence: number): Segment | undefined {
    const segments = this.#segments
    let low = 0
    let high = segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.firstSequence <= sequence) low = middle + 1
      else high = middle
    }
    // Behind the oldest segment's begin: the first that is there.
    return segments[Math.max(0, low - 1)]
  }

  #lastSequence(segment: Segment): number {
    const next = this.#segments[this.#segments.indexOf(segment) + 1]
    return (next === undefined ? this.#unwritten : next.firstSequence) - 1
  }

  async #readSegment(
    segment: Segment,
    offset: number,
    bytes: number,
  ): Promise<{ window: SegmentWindow; lastSequence: number; inode: number } | undefined> {
    const lastSequence = this.#lastSequence(segment)
    try {
      const isWritten = segment === this.#segments.at(-1)
      return { ...(await readWindow(segment, isWritten, offset, bytes, this.#windows)), lastSequence }
    } catch (error) {
      if (!this.#segments.includes(segment)) return undefined
      if (shortages.has(codeOf(error))) {
        this.#complain('cannot read a log segment, trying again', { err: error, path: segment.path })
        await new Promise((resolve) => setTimeout(resolve, readRetryMs))
        return undefined
      }
      this.#events.onProblem('cannot read a log segment, its samples are lost', { err: error, path: segment.path })
      return { window: { chunk: this.#windows.take(0), length: 0, isEnd: true }, lastSequence, inode: 0 }
    }
  }

  #maintain(): void {
    this.#storeCursors()
    const oldestMs = performance.now() - this.#ageMaxMs
    while (this.#segments.length > 1 && this.#segments[0]!.lastWriteMs < oldestMs) this.#sacrificeOldest('storage_age')
    if (this.#packing === undefined && this.#failingSince === undefined)
      this.#packing = this.#packCold().finally(() => (this.#packing = undefined))
  }

  /** Compresses what waits: newest last, so what is sent next is left alone for as long as it can be. */
  async #packCold(): Promise<void> {
    for (;;) {
      const coldMs = performance.now() - this.#packAfterMs
      // The next one to be read is skipped: it is mostly being read.
      const cold = this.#segments.find((segment, i) => i > 0 && !segment.isPacked && segment.lastWriteMs <= coldMs)
      if (cold === undefined || this.#closed) return
      cold.isPacked = true
      try {
        const isWanted = (): boolean => !this.#closed && this.#segments.includes(cold)
        const packed = await packSegment(cold.path, cold.bytes, isWanted)
        // It went while its packed file was put in its place.
        if (!this.#segments.includes(cold)) await rm(cold.path, { force: true })
        if (packed === undefined || !isWanted()) continue
        this.#segmentBytes += packed - cold.bytes
        cold.bytes = packed
      } catch (error) {
        this.#complain('cannot compress a log segment, it stays as it is', { err: error, path: cold.path })
        return
      }
    }
  }

  #enforceCap(): void {
    while (this.#segmentBytes > this.#bytesMax && this.#segments.length > 1) this.#sacrificeOldest('storage_cap')
  }

  #sacrificeOldest(reason: LossReason): void {
    const oldest = this.#segments[0]!
    const lastSequence = this.#lastSequence(oldest)
    for (const remote of this.#remotes.values()) this.#giveUp(remote, oldest, lastSequence, reason)
    this.#removeOldest()
  }

  /** Counts what a remote had not read of a segment that goes, and moves it on. */
  #giveUp(remote: RemotePlace, segment: Segment, lastSequence: number, reason: LossReason): void {
    for (const reader of remote.readers) {
      const { position } = reader
      const end = Math.min(lastSequence + 1, reader.until)
      if (position >= end) continue
      const settled = remote.countSettled(position, end)
      let frames = end - position - settled
      let { samples } = segment
      if (position !== segment.firstSequence || samples === undefined || end <= lastSequence || settled > 0) {
        const counts = (sequence: number): boolean => sequence >= position && sequence < end && remote.skipSettled(sequence) === sequence
        const { whole, damaged } = countFrames(segment, counts)
        const missing = frames - whole.frames
        if (missing > 0) this.#events.onLoss(remote.name, 'damaged', missing, missing === damaged.frames ? damaged.samples : undefined)
        frames = whole.frames
        samples = whole.samples
      }
      remote.settle(position, end)
      reader.skipTo(end)
      if (frames > 0) this.#events.onLoss(remote.name, reason, frames, samples)
    }
  }

  #removeOldest(): void {
    const oldest = this.#segments.shift()!
    this.#segmentBytes -= oldest.bytes
    try {
      rmSync(oldest.path, { force: true })
    } catch (error) {
      this.#complain('cannot remove a log segment', { err: error, path: oldest.path })
    }
  }

  #storeCursors(): void {
    for (const remote of this.#remotes.values()) remote.storing ??= this.#storeCursor(remote).finally(() => (remote.storing = undefined))
  }

  async #storeCursor(remote: RemotePlace): Promise<void> {
    const { cursor, name } = remote
    if (remote.isStored || this.#remotes.get(name) !== remote) return
    try {
      await this.#cursorFiles.write(name, cursor)
      remote.stored = cursor
      // It may have left the configuration meanwhile.
      if (this.#remotes.has(name)) this.#removeDelivered(false)
      else this.#cursorFiles.remove(name)
    } catch (error) {
      this.#complain('cannot store the cursor of a remote', { err: error, remote: name })
      if (fullDisks.has(codeOf(error))) this.#removeDelivered(true)
    }
  }

  /**
   * Segments go when every stored cursor is behind them: then no restart asks for them again. On a full disk what was delivered goes before,
   * as it may be what fills it; should the process die before its cursors are stored, the next one tells these frames as lost.
   */
  #removeDelivered(isFull: boolean): void {
    let delivered = Infinity
    for (const { cursor, stored } of this.#remotes.values()) delivered = Math.min(delivered, isFull ? cursor.next : (stored?.next ?? -1))
    if (delivered === Infinity) return
    while (this.#segments.length > 1 && this.#segments[1]!.firstSequence <= delivered) this.#removeOldest()
    const last = this.#segments[0]
    // One that is not written any more.
    if (isFull && last !== undefined && this.#writer === undefined && this.#lastSequence(last) < delivered) this.#removeOldest()
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
