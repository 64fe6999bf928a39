import type { DamageReport } from './frame-scanner.ts'
import { sampleFrame } from './frame-header.ts'
import type { FrameRef } from './sample-frame.ts'
import type { Segment } from './segment-files.ts'
import { SegmentReader } from './segment-reader.ts'
import type { LayoutCache, SegmentWindow } from './segment-reader.ts'

/** Read at a time. */
export const windowBytes = 256 * 1024

export interface LogSource {
  nextSequence(): number
  fromTail(sequence: number): FrameRef | undefined
  /** The segment that holds a sequence, or the oldest if it is gone; undefined if there is none. */
  findSegment(sequence: number): Segment | undefined
  /** The segment's bytes from `offset` on, at least `bytes` of them or all there are; undefined if it was removed meanwhile. */
  readSegment(
    segment: Segment,
    offset: number,
    bytes: number,
  ): Promise<{ window: SegmentWindow; lastSequence: number; inode: number } | undefined>
  /** The first frame that is kept anywhere. */
  oldestSequence(): number
  /** `sequence`, or the first one behind it that this remote has not got already, and that was not counted as lost. */
  skipSettled(sequence: number): number
  /** How many sequences from `from` to before `to` were delivered, or counted as lost, already. */
  countSettled(from: number, to: number): number
  /** `frames` of those from `from` to before `to` are not there. */
  onLoss(reason: 'damaged' | 'storage_cap', from: number, to: number, frames: number, samples: number | undefined): void
}

/** One remote's way through the log: from memory while it keeps up, from segments when it is behind. */
export class LogReader {
  /** The next sequence to read. */
  position: number
  readonly #source: LogSource
  #segment: SegmentReader | undefined
  /** The file that is read, where the window in `#segment` begins in it, and how much is to be read at a time. */
  #file: Segment | undefined
  #windowStart = 0
  #windowBytes = windowBytes
  #segmentLast = 0
  #inode = 0
  #isLastWindow = true
  /** Layouts known when the window began: of the windows before it, and those that the segment before needed. */
  #layouts: LayoutCache = new Map()
  /** What the windows of this segment needed; the next segment mostly needs the same. */
  #fileLayouts: LayoutCache = new Map()
  /** Samples of damaged frames that their headers told. */
  #damagedSamples = 0
  #damagedFrames = 0
  #loading: Promise<void> | undefined
  /** Reads to before this sequence only. */
  until = Infinity
  /** Called with each append. */
  onAppend: (() => void) | undefined

  constructor(position: number, source: LogSource) {
    this.position = position
    this.#source = source
  }

  /** The next frame if it is in memory; undefined if `load` is needed or there is none. */
  tryNext(): FrameRef | undefined {
    if (this.isFinished) return undefined
    const segment = this.#segment
    if (segment !== undefined) {
      const frame = this.#nextOfSegment(segment)
      if (frame !== undefined || this.isFinished) return frame
      if (!this.#leaveWindow(segment)) return undefined
    }
    if (this.#file !== undefined) return undefined
    this.position = this.#source.skipSettled(this.position)
    if (this.isFinished) return undefined
    const frame = this.#source.fromTail(this.position)
    if (frame !== undefined) this.position = frame.sequence + 1
    return frame
  }

  #nextOfSegment(segment: SegmentReader): FrameRef | undefined {
    for (;;) {
      const frame = segment.next(this.position)
      if (frame === undefined) return undefined
      if (frame.sequence >= this.until) {
        this.#countGap(this.until)
        this.position = this.until
        this.#forgetFile()
        return undefined
      }
      this.#countGap(frame.sequence)
      const behind = this.#source.skipSettled(frame.sequence)
      this.position = Math.max(behind, frame.sequence + 1)
      if (behind === frame.sequence) return frame
    }
  }

  /** Everything before `until` was read. */
  get isFinished(): boolean {
    return this.position >= this.until
  }

  /** Whether there are frames that only the disk has. */
  get isBehind(): boolean {
    if (this.isFinished) return false
    if (this.#file !== undefined) return this.#segment === undefined
    return this.#segment === undefined && this.position < this.#source.nextSequence() && this.#source.fromTail(this.position) === undefined
  }

  /** Takes the segment at the position into memory. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  /** Goes past frames that were dropped; false if they were read before. */
  skipTo(sequence: number): boolean {
    if (sequence <= this.position) return false
    this.position = sequence
    this.#forgetFile()
    return true
  }

  async #load(): Promise<void> {
    const position = this.position
    const going = this.#file
    const file = going ?? this.#source.findSegment(position)
    const read = file === undefined ? undefined : await this.#source.readSegment(file, this.#windowStart, this.#windowBytes)
    if (this.position !== position || this.#file !== going) {
      read?.window.chunk.release()
      return
    }
    if (file === undefined) {
      this.#jump(this.#source.oldestSequence(), 'storage_cap')
      return
    }
    if (read === undefined) {
      this.#forgetFile()
      return
    }
    if (going !== undefined && read.inode !== this.#inode) {
      // It was packed meanwhile: from its beginning once more, past what was read.
      read.window.chunk.release()
      this.#forgetFile()
      return
    }
    this.#inode = read.inode
    // What a remote had read and not delivered when the oldest segment went, or when the process died.
    if (file.firstSequence > position) this.#jump(file.firstSequence, 'storage_cap')
    this.#file = file
    this.#segment = new SegmentReader(read.window, this.#layouts, (damage) => this.#noteDamage(damage))
    this.#isLastWindow = read.window.isEnd
    this.#segmentLast = read.lastSequence
  }

  #forgetFile(): void {
    this.#segment?.release()
    this.#segment = undefined
    this.#file = undefined
    this.#windowStart = 0
    this.#windowBytes = windowBytes
  }

  /** Frames that are nowhere: counted without their samples. */
  #jump(sequence: number, reason: 'damaged' | 'storage_cap' = 'damaged'): void {
    const to = Math.min(sequence, this.until)
    this.#countGap(to, reason)
    this.position = Math.max(this.position, to)
  }

  /** Goes on behind a window that was read; false if there is another one of the same file. */
  #leaveWindow(segment: SegmentReader): boolean {
    for (const [key, layout] of segment.layouts) this.#fileLayouts.set(key, layout)
    if (this.#isLastWindow) {
      this.#layouts = this.#fileLayouts
      this.#fileLayouts = new Map()
      this.#forgetFile()
      this.#jump(this.#segmentLast + 1)
      return true
    }
    // What this window knew, the next one may need.
    for (const [key, layout] of segment.layouts) this.#layouts.set(key, layout)
    this.#windowBytes = segment.needsWhole ? Infinity : segment.offset === 0 ? this.#windowBytes * 2 : windowBytes
    this.#windowStart += segment.offset
    segment.release()
    this.#segment = undefined
    return false
  }

  #noteDamage(damage: DamageReport): void {
    if (damage.frame?.kind !== sampleFrame || damage.frame.sequence < this.position) return
    this.#damagedFrames++
    this.#damagedSamples += damage.frame.samples
  }

  #countGap(next: number, reason: 'damaged' | 'storage_cap' = 'damaged'): void {
    const { position } = this
    const missing = next - position - (next > position ? this.#source.countSettled(position, next) : 0)
    if (missing > 0)
      this.#source.onLoss(reason, position, next, missing, this.#damagedFrames === missing ? this.#damagedSamples : undefined)
    this.#damagedFrames = 0
    this.#damagedSamples = 0
  }
}
