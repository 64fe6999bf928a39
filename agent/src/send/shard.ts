import type { FrameRef } from '../store/sample-frame.ts'
import type { FrameSlice } from './request-builder.ts'

export interface ShardOptions {
  /** Samples that may wait; one frame always fits. */
  readonly capacity: number
  readonly samplesMax: () => number
  readonly batchDeadlineMs: number
  /** Sends a batch; resolves when it is settled, false if it was aborted and must stay in the log. */
  send(slices: readonly FrameSlice[], samples: number): Promise<boolean>
  /** All samples of the frame are settled. */
  finish(frame: FrameRef): void
  /** A request is settled: there may be room again, or nothing left. */
  onProgress(): void
}

/** A queue of frames that is sent in its order, one request at a time: so a series stays in order as long as it stays in one shard. */
export class Shard {
  readonly #options: ShardOptions
  #frames: FrameRef[] = []
  /** Samples of the first frame that are sent already. */
  #offset = 0
  #queued = 0
  #firstQueuedMs = 0
  #running = false
  #flushing = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: ShardOptions) {
    this.#options = options
  }

  /** Samples that wait or are on their way. */
  get queuedSamples(): number {
    return this.#queued
  }

  get isIdle(): boolean {
    return this.#queued === 0 && !this.#running
  }

  hasRoom(samples: number): boolean {
    return this.#queued === 0 || this.#queued + samples <= this.#options.capacity
  }

  enqueue(frame: FrameRef): void {
    if (this.#queued === 0) this.#firstQueuedMs = performance.now()
    this.#frames.push(frame)
    this.#queued += frame.count
    this.#schedule()
  }

  /** From now on nothing waits for a full batch. */
  flush(): void {
    this.#flushing = true
    this.#schedule()
  }

  /** Sends nothing more after the request that is under way. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#running || this.#stopped || this.#queued === 0) return
    const waitMs = this.#firstQueuedMs + this.#options.batchDeadlineMs - performance.now()
    if (this.#flushing || this.#queued >= this.#options.samplesMax() || waitMs <= 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      void this.#run()
    } else this.#timer ??= setTimeout(() => this.#onDeadline(), waitMs)
  }

  #onDeadline(): void {
    this.#timer = undefined
    this.#schedule()
  }

  async #run(): Promise<void> {
    this.#running = true
    const slices = this.#take()
    let samples = 0
    for (const slice of slices) samples += slice.to - slice.from
    const settled = await this.#options.send(slices, samples)
    this.#running = false
    if (!settled) {
      this.#stopped = true
    } else {
      this.#queued -= samples
      this.#firstQueuedMs = performance.now()
      for (const { frame, to } of slices) if (to === frame.count) this.#options.finish(frame)
    }
    this.#options.onProgress()
    this.#schedule()
  }

  /** The next samples, up to a full request; frames leave the queue when their last sample is taken. */
  #take(): FrameSlice[] {
    const slices: FrameSlice[] = []
    let room = this.#options.samplesMax()
    while (room > 0 && this.#frames.length > 0) {
      const frame = this.#frames[0]!
      const to = Math.min(frame.count, this.#offset + room)
      slices.push({ frame, from: this.#offset, to })
      room -= to - this.#offset
      if (to === frame.count) {
        this.#frames.shift()
        this.#offset = 0
      } else this.#offset = to
    }
    return slices
  }
}
