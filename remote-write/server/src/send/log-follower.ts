import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ItemCounts } from '@narthex/agent/send/item-counts'
import type { FrameReader, SenderLog } from '@narthex/agent/send/sender-log'
import type { FrameRef } from '@narthex/agent/store/sample-frame'
import { CorruptionError } from '@narthex/tsdb/wal/wal-format'
import { LogCursor } from './log-cursor.ts'
import { isBefore, type LogPlace } from './log-place.ts'
import type { SeriesCatalog } from './series-catalog.ts'
import type { SeriesFamilies } from './series-families.ts'
import type { SeriesLoader } from './series-loader.ts'
import { StepBuilder } from './step-builder.ts'

/** A step ends with the record that reaches this many samples, or bytes. */
const stepSamplesMax = 16_384
const stepBytesMax = 4 * 1024 * 1024
/** How often the end of the log is looked at when everything was read. */
const pollMs = 100
const measureEveryMs = 1_000

/** Why a remote does not get what was in the log. */
export type LogLossReason = 'storage_cap' | 'damaged' | 'unknown_series'

export interface LogFollowerOptions {
  /** The `wal` directory. */
  readonly directory: string
  readonly place: LogPlace
  readonly catalog: SeriesCatalog
  readonly families: SeriesFamilies
  readonly loader: SeriesLoader
  /** The first segment of this process: order is kept within what one process wrote, and what was written before is finished first. */
  readonly startSegment: number
  /** `items` undefined: nobody knows how many. */
  onLoss(reason: LogLossReason, items: Readonly<ItemCounts> | undefined): void
  /** A step was read, from `from` to before `to`. */
  onStep(from: LogPlace, to: LogPlace, taken: Readonly<ItemCounts>, maxTimeMs: number): void
  /** The log cannot be read at the moment. */
  onProblem(error: unknown): void
}

/** A place in the log, reached when all frames before `sequence` are through. */
interface Milestone {
  readonly sequence: number
  place: LogPlace
}

/**
 * Follows the write-ahead log for one remote, as a log of frames that the agent's sender reads. Frames are made when the sender has room for
 * them, so a slow remote costs no memory, and the log is what waits.
 */
export class LogFollower implements SenderLog, FrameReader {
  readonly #options: LogFollowerOptions
  readonly #cursor: LogCursor
  readonly #builder: StepBuilder
  readonly #timer: NodeJS.Timeout
  #frames: FrameRef[] = []
  #position = 0
  #produced = 0
  #acknowledged = 0
  #milestones: Milestone[]
  #mayHaveMore = true
  #isLoaded = false
  #isClosed = false
  #working: Promise<void> = Promise.resolve()
  #bytesRead = 0
  #behindBytes = 0
  #measuredMs = -Infinity
  readonly until = Infinity
  readonly isFinished = false
  onAppend: (() => void) | undefined

  constructor(options: LogFollowerOptions) {
    this.#options = options
    this.#builder = new StepBuilder(options.catalog, options.families)
    this.#cursor = new LogCursor(options.directory, options.place, {
      onDamage: () => options.onLoss('damaged', undefined),
      onGap: () => options.onLoss('storage_cap', undefined),
    })
    this.#milestones = [{ sequence: 0, place: options.place }]
    this.#timer = setInterval(() => this.look(), pollMs)
  }

  get position(): number {
    return this.#position
  }

  get isBehind(): boolean {
    return this.#frames.length === 0 && this.#mayHaveMore && !this.#isClosed
  }

  /** What is not made of bytes yet is estimated by what was. */
  get nextSequence(): number {
    const bytesPerFrame = this.#produced === 0 ? 0 : this.#bytesRead / this.#produced
    return this.#produced + (bytesPerFrame === 0 ? 0 : Math.ceil(this.behindBytes / bytesPerFrame))
  }

  /** Bytes of the log that were not read. */
  get behindBytes(): number {
    const now = performance.now()
    if (this.#mayHaveMore && now - this.#measuredMs > measureEveryMs) {
      this.#measuredMs = now
      this.#behindBytes = this.#cursor.measureBehind()
    }
    return this.#mayHaveMore ? this.#behindBytes : 0
  }

  /** Everything before this place is through: where the next run begins. */
  get settledPlace(): LogPlace {
    return this.#milestones[0]!.place
  }

  /** The segment that is read. */
  get segment(): number {
    return this.#cursor.place.segment
  }

  /** The oldest segment that is still needed: what was read waits in memory, and again in the log for a process that dies. */
  get neededSegment(): number {
    return Math.min(this.settledPlace.segment, this.#cursor.place.segment)
  }

  reader(): FrameReader {
    return this
  }

  openLane(): FrameReader {
    throw new Error('cannot open a second lane: the write-ahead log is read in its order')
  }

  closeLane(): void {}

  acknowledge(_remote: string, next: number): void {
    this.#acknowledged = next
    const milestones = this.#milestones
    while (milestones.length > 1 && milestones[1]!.sequence <= next) milestones.shift()
  }

  /** They are read again by the next run. */
  abandon(): void {}

  pendingFrames(): number {
    return Math.max(0, this.nextSequence - this.#acknowledged)
  }

  tryNext(): FrameRef | undefined {
    const frame = this.#frames.shift()
    if (frame !== undefined) this.#position = frame.sequence + 1
    return frame
  }

  /** Reads the next step. */
  load(): Promise<void> {
    return this.#queue(() => this.#loadStep())
  }

  /**
   * The log cannot keep what stands before this segment: it is read past without being sent, and counted. What is in the sender's queues
   * already is still sent.
   */
  giveUpBefore(segment: number): Promise<void> {
    return this.#queue(() => this.#giveUp(segment))
  }

  /** There may be more in the log. */
  look(): void {
    this.#mayHaveMore = true
    this.onAppend?.()
  }

  /** Reads nothing more. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#cursor.close()
  }

  #queue(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(work).catch((error: unknown) => {
      // The next look tries again.
      this.#mayHaveMore = false
      this.#options.onProblem(error)
    })
    return this.#working
  }

  async #loadStep(): Promise<void> {
    // Other remotes, answers and messages get their turn.
    await nextTurn()
    if (this.#frames.length > 0 || !(await this.#prepare())) return
    const from = this.#cursor.place
    const isEnd = this.#readStep()
    const { frames, loss } = this.#builder.finish(this.#produced, from.segment < this.#options.startSegment ? 0 : 1)
    this.#produced += frames.length
    this.#frames.push(...frames)
    if (isEnd) this.#mayHaveMore = false
    this.#noteStep(from)
    const { unknown, damaged, exemplars } = loss
    if (unknown.samples + unknown.histograms + unknown.exemplars > 0) this.#options.onLoss('unknown_series', unknown)
    if (damaged.histograms > 0) this.#options.onLoss('damaged', damaged)
    if (exemplars > 0) this.#options.onLoss('unknown_series', { samples: 0, histograms: 0, exemplars })
  }

  /** False: closed meanwhile. */
  async #prepare(): Promise<boolean> {
    if (!this.#isLoaded) {
      await this.#options.loader.loadTo(this.#cursor.place)
      this.#isLoaded = true
    }
    return !this.#isClosed
  }

  /** Gives whether the end of the log is reached. */
  #readStep(): boolean {
    const cursor = this.#cursor
    let bytes = 0
    const { segment } = cursor.place
    while (this.#builder.count < stepSamplesMax && bytes < stepBytesMax) {
      // Not across segments, so that all frames of a step are of one run.
      const record = cursor.next(segment + 1)
      if (record === undefined) {
        this.#bytesRead += bytes
        return cursor.place.segment === segment
      }
      bytes += record.length
      try {
        this.#builder.take(record, segment)
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error
        this.#options.onLoss('damaged', undefined)
      }
    }
    this.#bytesRead += bytes
    return false
  }

  #noteStep(from: LogPlace): void {
    const { place } = this.#cursor
    const last = this.#milestones.at(-1)!
    if (last.sequence === this.#produced) last.place = place
    else this.#milestones.push({ sequence: this.#produced, place })
    this.#options.loader.noteRead(from, place)
    const { taken, maxTimeMs } = this.#builder
    this.#options.onStep(from, place, { ...taken }, maxTimeMs)
    Object.assign(taken, { samples: 0, histograms: 0, exemplars: 0 })
  }

  async #giveUp(segment: number): Promise<void> {
    if (!(await this.#prepare())) return
    const wanted: LogPlace = { segment, offset: 0 }
    const lost = { samples: 0, histograms: 0, exemplars: 0 }
    while (isBefore(this.#cursor.place, wanted)) {
      const from = this.#cursor.place
      const isEnd = this.#readStep()
      const dropped = this.#builder.drop()
      lost.samples += dropped.samples
      lost.histograms += dropped.histograms
      lost.exemplars += dropped.exemplars
      this.#noteStep(from)
      await nextTurn()
      if (isEnd || this.#isClosed) break
    }
    // What is in the queues is sent from memory; a process that dies before that finds a gap, and says so.
    for (const milestone of this.#milestones) if (isBefore(milestone.place, wanted)) milestone.place = this.#cursor.place
    if (lost.samples + lost.histograms + lost.exemplars > 0) this.#options.onLoss('storage_cap', lost)
  }
}
