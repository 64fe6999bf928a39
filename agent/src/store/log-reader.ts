import type { DamageReport } from './frame-scanner.ts'
import { sampleFrame } from './frame-header.ts'
import type { FrameRef } from './sample-frame.ts'
import type { Segment } from './segment-files.ts'
import { SegmentReader } from './segment-reader.ts'
import type { LayoutCache } from './segment-reader.ts'

export interface LogSource {
  nextSequence(): number
  fromTail(sequence: number): FrameRef | undefined
  /** The segment that holds a sequence, or the oldest if it is gone; undefined if there is none. */
  findSegment(sequence: number): Segment | undefined
  /** Undefined if the segment was removed meanwhile. */
  readSegment(segment: Segment): Promise<{ bytes: Uint8Array; lastSequence: number } | undefined>
  /** `sequence`, or the first one behind it that was written. */
  skipHole(sequence: number): number
  /** How many sequences from `from` to before `to` were never written, and counted so. */
  countHoles(from: number, to: number): number
  onLoss(frames: number, samples: number | undefined): void
}

/** One remote's way through the log: from memory while it keeps up, from segments when it is behind. */
export class LogReader {
  /** The next sequence to read. */
  position: number
  readonly #source: LogSource
  #segment: SegmentReader | undefined
  #segmentLast = 0
  #layouts: LayoutCache = new Map()
  /** Samples of damaged frames that their headers told. */
  #damagedSamples = 0
  #damagedFrames = 0
  #loading: Promise<void> | undefined
  /** Called with each append. */
  onAppend: (() => void) | undefined

  constructor(position: number, source: LogSource) {
    this.position = position
    this.#source = source
  }

  /** The next frame if it is in memory; undefined if `load` is needed or there is none. */
  tryNext(): FrameRef | undefined {
    const segment = this.#segment
    if (segment !== undefined) {
      const frame = segment.next(this.position)
      if (frame !== undefined) {
        this.#countGap(frame.sequence)
        this.position = frame.sequence + 1
        return frame
      }
      this.#leaveSegment(segment)
    }
    this.position = this.#source.skipHole(this.position)
    const frame = this.#source.fromTail(this.position)
    if (frame !== undefined) this.position = frame.sequence + 1
    return frame
  }

  /** Whether there are frames that only the disk has. */
  get isBehind(): boolean {
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
    this.#segment = undefined
    return true
  }

  async #load(): Promise<void> {
    const position = this.position
    const segment = this.#source.findSegment(position)
    const read = segment === undefined ? undefined : await this.#source.readSegment(segment)
    if (this.position !== position) return
    if (segment === undefined) {
      this.#jump(this.#source.nextSequence())
      return
    }
    if (read === undefined) return
    if (segment.firstSequence > position) this.#jump(segment.firstSequence)
    this.#segment = new SegmentReader(read.bytes, this.#layouts, (damage) => this.#noteDamage(damage))
    this.#segmentLast = read.lastSequence
  }

  /** Frames that are nowhere: counted without their samples. */
  #jump(sequence: number): void {
    this.#countGap(sequence)
    this.position = Math.max(this.position, sequence)
  }

  #leaveSegment(segment: SegmentReader): void {
    this.#layouts = segment.layouts
    this.#segment = undefined
    this.#jump(this.#segmentLast + 1)
  }

  #noteDamage(damage: DamageReport): void {
    if (damage.frame?.kind !== sampleFrame || damage.frame.sequence < this.position) return
    this.#damagedFrames++
    this.#damagedSamples += damage.frame.samples
  }

  #countGap(next: number): void {
    const missing = next - this.position - (next > this.position ? this.#source.countHoles(this.position, next) : 0)
    if (missing > 0) this.#source.onLoss(missing, this.#damagedFrames === missing ? this.#damagedSamples : undefined)
    this.#damagedFrames = 0
    this.#damagedSamples = 0
  }
}
