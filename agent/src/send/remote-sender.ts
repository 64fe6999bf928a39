import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import type { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import { RemoteWrite1Writer } from '@narthex/wire/remote-write-1-writer'
import { compress, SnappyError } from '@narthex/wire/snappy'
import type { FrameLog } from '../store/frame-log.ts'
import type { LogReader } from '../store/log-reader.ts'
import { FrameError } from '../store/sample-frame.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import { AckTracker } from './ack-tracker.ts'
import { Delivery } from './delivery.ts'
import type { RemotePoster } from './delivery.ts'
import { MetadataSchedule } from './metadata-schedule.ts'
import { LayoutPreparer } from './prepared-layout.ts'
import { Pulse } from './pulse.ts'
import { RequestBuilder } from './request-builder.ts'
import type { BuiltRequest, FrameSlice } from './request-builder.ts'
import { Shard } from './shard.ts'
import { ShardCount } from './shard-count.ts'
import type { RemoteMetrics } from './send-metrics.ts'
import type { MessageVersion } from './verdict.ts'

/** After a 413 requests get this much smaller, down to the smallest. */
const shrinkFactor = 0.5
const samplesPerSendMin = 50
/** The same complaint about a remote is logged at most this often. */
const complaintIntervalMs = 10_000
const answerTextMax = 1024

export interface RemoteSenderOptions {
  /** Names the remote's cursor. */
  readonly name: string
  readonly config: RemoteWriteConfig
  readonly externalLabels: Labels
  readonly log: FrameLog
  readonly poster: RemotePoster
  readonly metrics: RemoteMetrics
  readonly logger: Logger
  readonly userAgent: string
  readonly now?: () => number
  readonly random?: () => number
  readonly holdMs?: number
}

/** Brings the frames of the log to one remote, in order per target, and moves the remote's cursor behind what was delivered. */
export class RemoteSender {
  readonly #options: RemoteSenderOptions
  readonly #now: () => number
  readonly #reader: LogReader
  readonly #tracker = new AckTracker()
  readonly #delivery: Delivery
  readonly #preparer: LayoutPreparer
  readonly #metadata: MetadataSchedule
  readonly #shardCount: ShardCount
  readonly #stopping = new AbortController()
  readonly #abort = new AbortController()
  /** Beats when anything changed that somebody may wait for. */
  readonly #pulse = new Pulse()
  #shards: Shard[] = []
  #wantedShards: number
  #samplesPerSend: number
  #run: number | undefined
  #timers: NodeJS.Timeout[] = []
  #intervalIn = 0
  #intervalOut = 0
  #intervalSendSeconds = 0
  #throttledUntilMs = 0
  #lastComplaintMs = -Infinity
  #dispatching: Promise<void> = Promise.resolve()

  constructor(options: RemoteSenderOptions) {
    const { config, name, log, metrics } = options
    const { queue, metadata } = config
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#reader = log.reader(name)
    this.#preparer = new LayoutPreparer(options.externalLabels, config.writeRelabelConfigs)
    this.#metadata = new MetadataSchedule(metadata.send ? metadata.sendIntervalMs : Infinity, this.#now)
    this.#shardCount = new ShardCount(queue.minShards, queue.maxShards)
    this.#wantedShards = queue.minShards
    this.#samplesPerSend = queue.maxSamplesPerSend
    this.#delivery = this.#createDelivery()
    this.#setShards(queue.minShards)
    metrics.protocolVersion.set(this.#delivery.version)
  }

  start(): void {
    this.#reader.onAppend = () => this.#pulse.beat()
    this.#dispatching = this.#dispatch()
    const { metadata } = this.#options.config
    this.#timers.push(setInterval(() => this.#reviewShards(), ShardCount.intervalMs))
    if (metadata.send) this.#timers.push(setInterval(() => void this.#sendMetadata(), metadata.sendIntervalMs))
  }

  /** Samples in memory that are not settled. */
  get queuedSamples(): number {
    let samples = 0
    for (const shard of this.#shards) samples += shard.queuedSamples
    return samples
  }

  /** Sends what is in the log for up to `graceMs`, then stops; the rest stays in the log for the next run. */
  async stop(graceMs: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#stopping.abort()
    this.#pulse.beat()
    const deadline = setTimeout(() => this.#abort.abort(), graceMs)
    this.#abort.signal.addEventListener('abort', () => this.#pulse.beat())
    await this.#dispatching
    for (const shard of this.#shards) shard.flush()
    await this.#untilIdle()
    clearTimeout(deadline)
    this.#abort.abort()
    for (const shard of this.#shards) shard.stop()
    this.#reader.onAppend = undefined
    this.#acknowledge()
  }

  /** Reads the log for ever: one frame after the other into the queue of its target's shard. */
  async #dispatch(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      if (this.#wantedShards !== this.#shards.length) await this.#reshard()
      const frame = this.#reader.tryNext()
      if (frame !== undefined) await this.#enqueue(frame)
      else if (this.#reader.isBehind) await this.#reader.load()
      else if (this.#stopping.signal.aborted) return
      else await this.#pulse.wait()
    }
  }

  async #enqueue(frame: FrameRef): Promise<void> {
    // Before it is handed on: a frame that is read and not settled must hold the cursor back.
    this.#tracker.start(frame.sequence)
    frame.chunk?.hold()
    // Frames of an earlier run name targets by other numbers: they are finished before frames of this run begin.
    if (this.#run !== undefined && frame.run !== this.#run) await this.#untilIdle()
    this.#run = frame.run
    this.#metadata.note(frame.layout)
    const shard = this.#shards[frame.layout.target % this.#shards.length]!
    if (!shard.hasRoom(frame.count)) this.#options.metrics.enqueueRetries.inc()
    while (!shard.hasRoom(frame.count) && !this.#abort.signal.aborted) await this.#pulse.wait()
    if (this.#abort.signal.aborted) return
    this.#intervalIn += frame.count
    shard.enqueue(frame)
    const { highestQueuedSeconds } = this.#options.metrics
    highestQueuedSeconds.set(Math.max(highestQueuedSeconds.value, frame.maxTimeMs / 1000))
    if (this.#stopping.signal.aborted) shard.flush()
    this.#options.metrics.samplesPending.set(this.queuedSamples)
  }

  #setShards(count: number): void {
    const { config, metrics } = this.#options
    this.#shards = Array.from({ length: count }, () => {
      const builder = new RequestBuilder(this.#preparer)
      return new Shard({
        capacity: config.queue.capacity,
        samplesMax: () => this.#samplesPerSend,
        batchDeadlineMs: config.queue.batchSendDeadlineMs,
        send: (slices, samples) => this.#send(builder, slices, samples),
        finish: (frame) => this.#finish(frame),
        onProgress: () => this.#onProgress(),
      })
    })
    this.#shardCount.apply(count)
    metrics.shards.set(count)
    metrics.shardsDesired.set(this.#shardCount.desired)
  }

  /** With other shards a target may get another queue: the old ones are emptied first, so that its order holds. */
  async #reshard(): Promise<void> {
    for (const shard of this.#shards) shard.flush()
    await this.#untilIdle()
    if (!this.#abort.signal.aborted) this.#setShards(this.#wantedShards)
  }

  #reviewShards(): void {
    const backlog = this.queuedSamples + this.#unreadSamples()
    const isThrottled = this.#now() < this.#throttledUntilMs
    this.#wantedShards = this.#shardCount.update(this.#intervalIn, this.#intervalOut, this.#intervalSendSeconds, backlog, isThrottled)
    this.#options.metrics.shardsDesired.set(this.#shardCount.desired)
    this.#intervalIn = 0
    this.#intervalOut = 0
    this.#intervalSendSeconds = 0
    this.#pulse.beat()
  }

  /** Frames not read yet, at the size of those in the queues; a guess for the number of shards only. */
  #unreadSamples(): number {
    const unread = this.#options.log.nextSequence - this.#reader.position
    return this.#tracker.pendingCount === 0 ? 0 : (unread * this.queuedSamples) / this.#tracker.pendingCount
  }

  /** Settles a batch; false if it was aborted. */
  async #send(builder: RequestBuilder, slices: readonly FrameSlice[], samples: number): Promise<boolean> {
    const { metrics } = this.#options
    let built: BuiltRequest | undefined
    let result
    const startMs = performance.now()
    try {
      const build = (version: MessageVersion): BuiltRequest => (built = this.#build(builder, slices, version))
      result = await this.#delivery.deliver({ build }, this.#abort.signal)
    } catch (error) {
      if (!(error instanceof FrameError) && !(error instanceof SnappyError)) throw error
      this.#complain('cannot build a request, its samples are lost', { err: error })
      metrics.lose(error instanceof FrameError ? 'damaged' : 'too_large', samples)
      return true
    }
    this.#intervalSendSeconds += (performance.now() - startMs) / 1000
    if (result.kind === 'aborted') return false
    this.#countResult(result, built!)
    this.#intervalOut += samples
    return true
  }

  #build(builder: RequestBuilder, slices: readonly FrameSlice[], version: MessageVersion): BuiltRequest {
    const { sampleAgeLimitMs } = this.#options.config.queue
    const oldestMs = sampleAgeLimitMs > 0 ? this.#now() - sampleAgeLimitMs : -Infinity
    return builder.build(slices, version, oldestMs, this.#metadata)
  }

  #countResult(result: Exclude<Awaited<ReturnType<Delivery['deliver']>>, { kind: 'aborted' }>, built: BuiltRequest): void {
    const { metrics } = this.#options
    metrics.lose('rule', built.droppedByRules)
    metrics.lose('too_old', built.droppedByAge)
    const written = Math.min(result.written, result.samples)
    const failed = result.samples - written
    // As Prometheus: what was sent counts here, also when the remote refused it; `samples_failed_total` says how much.
    metrics.samples.inc(result.samples)
    metrics.samplesFailed.inc(failed)
    metrics.isHeld.set(0)
    if (result.samples > 0) metrics.bytes.inc(built.body.length)
    if (result.kind === 'delivered') {
      if (failed > 0) metrics.lose('rejected', failed)
      metrics.highestSentSeconds.set(Math.max(metrics.highestSentSeconds.value, built.maxTimeMs / 1000))
      return
    }
    metrics.lose(result.reason, failed)
    if (result.isTooLarge) this.#samplesPerSend = Math.max(samplesPerSendMin, Math.floor(this.#samplesPerSend * shrinkFactor))
  }

  #finish(frame: FrameRef): void {
    this.#tracker.finish(frame.sequence)
    frame.chunk?.release()
    this.#acknowledge()
  }

  #acknowledge(): void {
    const { log, name, metrics } = this.#options
    log.acknowledge(name, this.#tracker.next(this.#reader.position))
    metrics.pendingFrames.set(log.pendingFrames(name))
  }

  #createDelivery(): Delivery {
    const { config, poster, userAgent, metrics, random, holdMs } = this.#options
    const { queue, protobufMessage } = config
    return new Delivery({
      poster,
      headers: config.headers,
      userAgent,
      fixedVersion: protobufMessage === undefined ? undefined : protobufMessage === 'prometheus.WriteRequest' ? 1 : 2,
      minBackoffMs: queue.minBackoffMs,
      maxBackoffMs: queue.maxBackoffMs,
      now: this.#now,
      ...(random === undefined ? {} : { random }),
      ...(holdMs === undefined ? {} : { holdMs }),
      onRetry: (reason, samples, isThrottled) => {
        metrics.samplesRetried.inc(samples)
        if (isThrottled) this.#throttledUntilMs = this.#now() + 2 * ShardCount.intervalMs
        this.#complain('Failed to send batch, retrying', { reason, samples })
      },
      onFallback: (reason) => {
        metrics.protocolVersion.set(1)
        this.#options.logger.info('The remote does not take remote write 2.0, sending 1.0 from now on.', { reason })
      },
      onHold: (reason) => {
        metrics.isHeld.set(1)
        this.#complain('The remote refuses us: samples are kept, next attempt in 30 s', { reason })
      },
      onRefusal: (reason, answer) => {
        const text = Buffer.from(answer.body.subarray(0, answerTextMax)).toString('utf8').trim()
        this.#complain('non-recoverable error', { reason, status: answer.status, err: text })
      },
      onAttempt: (seconds) => metrics.batchDuration.observe(seconds),
    })
  }

  #complain(message: string, fields: Readonly<Record<string, unknown>>): void {
    const now = this.#now()
    if (now - this.#lastComplaintMs < complaintIntervalMs) return
    this.#lastComplaintMs = now
    this.#options.logger.warn(message, fields)
  }

  /** 1.0 has no place for metadata beside samples: a request of its own per 2,000 families. 2.0 requests carry theirs. */
  async #sendMetadata(): Promise<void> {
    const families = this.#metadata.takeFamilies()
    if (this.#delivery.version !== 1) return
    const { metrics, config } = this.#options
    const perSend = config.metadata.maxSamplesPerSend
    for (let from = 0; from < families.length; from += perSend) {
      const entries = families.slice(from, from + perSend)
      const writer = new RemoteWrite1Writer()
      for (const { name, type, help, unit } of entries) writer.metadata({ family: name, type, help, unit })
      const body = compress(writer.view())
      const result = await this.#delivery.deliver({ build: () => ({ body, samples: entries.length }) }, this.#abort.signal)
      if (result.kind === 'aborted') return
      metrics.metadata.inc(entries.length)
      metrics.metadataBytes.inc(body.length)
      if (result.kind === 'dropped') metrics.metadataFailed.inc(entries.length)
    }
  }

  async #untilIdle(): Promise<void> {
    while (!this.#abort.signal.aborted && this.#shards.some((shard) => !shard.isIdle)) await this.#pulse.wait()
  }

  #onProgress(): void {
    this.#options.metrics.samplesPending.set(this.queuedSamples)
    this.#pulse.beat()
  }
}
