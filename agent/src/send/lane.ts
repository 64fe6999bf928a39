import { AckTracker } from './ack-tracker.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import type { Pulse } from './pulse.ts'
import type { FrameReader } from './sender-log.ts'
import type { Shard } from './shard.ts'

export interface LaneOptions {
  readonly reader: FrameReader
  /** Beats when anything changed that somebody may wait for. */
  readonly pulse: Pulse
  /** No new frames are waited for any more. */
  readonly stopping: AbortSignal
  /** Nothing more is sent. */
  readonly abort: AbortSignal
  /** A frame was read; called before it is queued. */
  onRead(frame: FrameRef): void
  /** A frame is in a queue. */
  onQueued(frame: FrameRef, hadToWait: boolean): void
  createShard(finish: (frame: FrameRef) => void): Shard
  /** All samples of a frame are settled. */
  onFinished(frame: FrameRef): void
}

/** One reader of the log and the shards that it feeds: in order per target. A remote has one, or one for the backlog and one for what is new. */
export class Lane {
  readonly reader: FrameReader
  readonly #options: LaneOptions
  readonly #tracker = new AckTracker()
  #shards: Shard[] = []
  #wantedShards: number
  #run: number | undefined
  #dispatching: Promise<void> = Promise.resolve()

  constructor(options: LaneOptions, shards: number) {
    this.#options = options
    this.reader = options.reader
    this.#wantedShards = shards
    this.#setShards()
  }

  get shardCount(): number {
    return this.#shards.length
  }

  /** The first frame that is not through. */
  get next(): number {
    return this.#tracker.next(this.reader.position)
  }

  /** Milliseconds since 1970 of the first frame that was read and is not through; undefined if all are. */
  get oldestTimeMs(): number | undefined {
    return this.#tracker.oldestTimeMs
  }

  get pendingFrames(): number {
    return this.#tracker.pendingCount
  }

  /** The samples of each frame that was read and is not through, by its sequence. */
  unsettled(): Map<number, number> {
    return this.#tracker.unfinished()
  }

  /** Samples in memory that are not settled. */
  get queuedSamples(): number {
    let samples = 0
    for (const shard of this.#shards) samples += shard.queuedSamples
    return samples
  }

  /** Everything that it was to read is settled. */
  get isThrough(): boolean {
    return this.reader.isFinished && this.#tracker.pendingCount === 0
  }

  start(): void {
    this.reader.onAppend = () => this.#options.pulse.beat()
    this.#dispatching = this.#dispatch()
  }

  /** With other shards a target may get another queue: the old ones are emptied first, so that its order holds. */
  setShards(count: number): void {
    this.#wantedShards = count
  }

  /** From now on nothing waits for a full batch. */
  flush(): void {
    for (const shard of this.#shards) shard.flush()
  }

  /** Resolves when the reader has nothing more and the queues are empty; only after `stopping`, or `abort`. */
  async drained(): Promise<void> {
    await this.#dispatching
    this.flush()
    await this.#untilIdle()
  }

  close(): void {
    for (const shard of this.#shards) shard.stop()
    this.reader.onAppend = undefined
  }

  /** Reads the log for ever: one frame after the other into the queue of its target's shard. */
  async #dispatch(): Promise<void> {
    const { reader, pulse, stopping, abort } = this.#options
    while (!abort.aborted) {
      if (this.#wantedShards !== this.#shards.length) await this.#reshard()
      const frame = reader.tryNext()
      if (frame !== undefined) {
        const waiting = this.#enqueue(frame)
        if (waiting !== undefined) await waiting
      } else if (reader.isBehind) await reader.load()
      else if (stopping.aborted || reader.isFinished) return this.flush()
      else await pulse.wait()
    }
  }

  /** At once if there is room, as mostly; else a promise. */
  #enqueue(frame: FrameRef): Promise<void> | undefined {
    // Before it is handed on: a frame that is read and not settled must hold the cursor back.
    this.#tracker.start(frame.sequence, frame.minTimeMs, frame.count)
    frame.chunk?.hold()
    // Frames of an earlier run may name targets by other numbers: they are finished before frames of this run begin.
    if (this.#run !== undefined && frame.run !== this.#run) return this.#enqueueLater(frame)
    this.#run = frame.run
    this.#options.onRead(frame)
    const shard = this.#shardOf(frame)
    if (!shard.hasRoom(frame.count)) return this.#enqueueWithRoom(shard, frame)
    this.#queue(shard, frame, false)
    return undefined
  }

  async #enqueueLater(frame: FrameRef): Promise<void> {
    await this.#untilIdle()
    this.#run = frame.run
    this.#options.onRead(frame)
    await this.#enqueueWithRoom(this.#shardOf(frame), frame)
  }

  async #enqueueWithRoom(shard: Shard, frame: FrameRef): Promise<void> {
    const { abort, pulse } = this.#options
    const hadToWait = !shard.hasRoom(frame.count)
    while (!shard.hasRoom(frame.count) && !abort.aborted) await pulse.wait()
    if (!abort.aborted) this.#queue(shard, frame, hadToWait)
  }

  #queue(shard: Shard, frame: FrameRef, hadToWait: boolean): void {
    const { onQueued, stopping } = this.#options
    shard.enqueue(frame)
    onQueued(frame, hadToWait)
    if (stopping.aborted) shard.flush()
  }

  #shardOf(frame: FrameRef): Shard {
    return this.#shards[frame.layout.target % this.#shards.length]!
  }

  #setShards(): void {
    this.#shards = Array.from({ length: this.#wantedShards }, () =>
      this.#options.createShard((frame) => {
        this.#tracker.finish(frame.sequence)
        this.#options.onFinished(frame)
      }),
    )
  }

  async #reshard(): Promise<void> {
    this.flush()
    await this.#untilIdle()
    if (!this.#options.abort.aborted) this.#setShards()
  }

  async #untilIdle(): Promise<void> {
    while (!this.#options.abort.aborted && this.#shards.some((shard) => !shard.isIdle)) await this.#options.pulse.wait()
  }
}
