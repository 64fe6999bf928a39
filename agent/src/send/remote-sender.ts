import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import type { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import { RemoteWrite1Writer } from '@narthex/wire/remote-write-1-writer'
import { compress, SnappyError } from '@narthex/wire/snappy'
import { countRare, FrameError } from '../store/sample-frame.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import type { DeadLetterFile } from './dead-letter-file.ts'
import { Delivery } from './delivery.ts'
import type { RemotePoster } from './delivery.ts'
import { MetadataSchedule } from './metadata-schedule.ts'
import { noItems, subtractCounts } from './item-counts.ts'
import { Lane } from './lane.ts'
import { LayoutPreparer } from './prepared-layout.ts'
import { Pulse } from './pulse.ts'
import { KeptBody } from './kept-body.ts'
import { RequestBuilder } from './request-builder.ts'
import type { BuiltRequest, FrameSlice } from './request-builder.ts'
import type { FrameReader, SenderLog } from './sender-log.ts'
import { Shard } from './shard.ts'
import { ShardCount } from './shard-count.ts'
import type { RemoteMetrics } from './send-metrics.ts'
import type { MessageVersion } from './verdict.ts'

/** After a 413 requests get this much smaller, down to the smallest. */
const shrinkFactor = 0.5
const samplesPerSendMin = 50
/** How often it is looked at whether new samples need a lane of their own. */
const laneReviewMs = 500
/** The same complaint about a remote is logged at most this often. */
const complaintIntervalMs = 10_000
const answerTextMax = 1024
/** After a remote asked for less, its shards become no more for this long. */
const throttleMs = 2 * ShardCount.intervalMs

export interface RemoteSenderOptions {
  /** Names the remote's cursor. */
  readonly name: string
  readonly config: RemoteWriteConfig
  readonly externalLabels: Labels
  readonly log: SenderLog
  readonly poster: RemotePoster
  readonly metrics: RemoteMetrics
  readonly logger: Logger
  readonly userAgent: string
  readonly now?: () => number
  readonly random?: () => number
  readonly holdMs?: number
  /** Where refused requests go; absent: nowhere. */
  readonly deadLetters?: DeadLetterFile
}

/** Why nothing gets through at the moment. */
export interface SenderTrouble {
  readonly state: 'retrying' | 'throttled' | 'held'
  /** What the last attempt said. */
  readonly reason: string
}

/** Brings the frames of the log to one remote, in order per target, and moves the remote's cursor behind what was delivered. */
export class RemoteSender {
  readonly #options: RemoteSenderOptions
  readonly #now: () => number
  readonly #delivery: Delivery
  readonly #builder: RequestBuilder
  readonly #metadata: MetadataSchedule
  readonly #shardCount: ShardCount
  readonly #stopping = new AbortController()
  readonly #abort = new AbortController()
  /** Beats when anything changed that somebody may wait for. */
  readonly #pulse = new Pulse()
  /** The lane of the backlog first; the second one, of what is new, is there only while the remote is behind and takes samples out of order. */
  #lanes: Lane[]
  #samplesPerSend: number
  /** Where the log ended at each of the last looks, oldest first; and whether anything was delivered since the last one. */
  #logEnds: number[] = []
  #hasDelivered = false
  #timers: NodeJS.Timeout[] = []
  #intervalIn = 0
  #intervalOut = 0
  #intervalSendSeconds = 0
  #throttledUntilMs = 0
  #trouble: SenderTrouble | undefined
  #lastComplaintMs = -Infinity
  #isSendingMetadata = false
  #stopped: Promise<void> | undefined

  constructor(options: RemoteSenderOptions) {
    const { config, name, log, metrics } = options
    const { queue, metadata } = config
    this.#options = options
    this.#now = options.now ?? Date.now
    const wanted = { exemplars: config.sendExemplars, histograms: config.sendNativeHistograms }
    this.#builder = new RequestBuilder(new LayoutPreparer(options.externalLabels, config.writeRelabelConfigs), wanted)
    this.#metadata = new MetadataSchedule(metadata.send ? metadata.sendIntervalMs : Infinity, this.#now)
    this.#shardCount = new ShardCount(queue.minShards, queue.maxShards)
    this.#samplesPerSend = queue.maxSamplesPerSend
    this.#delivery = this.#createDelivery()
    this.#lanes = [this.#createLane(log.reader(name), queue.minShards)]
    this.#showShards()
    metrics.protocolVersion.set(this.#delivery.version)
  }

  start(): void {
    this.#lanes[0]!.start()
    const { metadata, queue } = this.#options.config
    if (queue.liveFirst) this.#timers.push(setInterval(() => this.#reviewLanes(), laneReviewMs))
    this.#timers.push(setInterval(() => this.#reviewShards(), ShardCount.intervalMs))
    if (metadata.send) this.#timers.push(setInterval(() => void this.#sendDueMetadata(), metadata.sendIntervalMs))
  }

  /** Samples in memory that are not settled. */
  get queuedSamples(): number {
    let samples = 0
    for (const lane of this.#lanes) samples += lane.queuedSamples
    return samples
  }

  get version(): MessageVersion {
    return this.#delivery.version
  }

  /** Undefined since the last request that was settled. */
  get trouble(): SenderTrouble | undefined {
    return this.#trouble
  }

  /** Milliseconds since 1970 of the oldest frame in memory that is not settled; undefined if there is none. */
  get oldestTimeMs(): number | undefined {
    return this.#lanes[0]!.oldestTimeMs ?? this.#lanes[1]?.oldestTimeMs
  }

  /** Sends what is in the log for up to `graceMs`, then stops; the rest stays in the log for the next run. */
  stop(graceMs: number): Promise<void> {
    return (this.#stopped ??= this.#stop(graceMs))
  }

  async #stop(graceMs: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#stopping.abort()
    this.#pulse.beat()
    const deadline = setTimeout(() => this.#abort.abort(), graceMs)
    this.#abort.signal.addEventListener('abort', () => this.#pulse.beat())
    await Promise.all(this.#lanes.map((lane) => lane.drained()))
    clearTimeout(deadline)
    this.#abort.abort()
    for (const lane of this.#lanes) lane.close()
    this.#options.metrics.histogramsPending.set(0)
    this.#options.metrics.exemplarsPending.set(0)
    this.#acknowledge()
    const { log, name } = this.#options
    for (const lane of this.#lanes) log.abandon(name, lane.unsettled())
    await this.#options.deadLetters?.close()
    await this.#options.poster.close?.()
  }

  #createLane(reader: FrameReader, shards: number): Lane {
    const { config } = this.#options
    return new Lane(
      {
        reader,
        pulse: this.#pulse,
        stopping: this.#stopping.signal,
        abort: this.#abort.signal,
        onRead: (frame) => this.#metadata.note(frame.layout),
        onQueued: (frame, hadToWait) => this.#countQueued(frame, hadToWait),
        onFinished: (frame) => this.#finish(frame),
        createShard: (finish) => {
          const body = new KeptBody()
          return new Shard({
            capacity: config.queue.capacity,
            samplesMax: () => this.#samplesPerSend,
            batchDeadlineMs: config.queue.batchSendDeadlineMs,
            send: (slices, samples) => this.#send(body, slices, samples),
            finish,
            onProgress: () => this.#onProgress(),
          })
        },
      },
      shards,
    )
  }

  #countQueued(frame: FrameRef, hadToWait: boolean): void {
    const { metrics } = this.#options
    if (hadToWait) metrics.enqueueRetries.inc()
    this.#intervalIn += frame.count
    metrics.highestQueuedSeconds.set(Math.max(metrics.highestQueuedSeconds.value, frame.maxTimeMs / 1000))
    this.#countPending(frame, 1)
    metrics.samplesPending.set(this.queuedSamples)
  }

  /** A frame whose counts cannot be read fails when it is sent. */
  #countPending(frame: FrameRef, factor: 1 | -1): void {
    const { histogramsPending, exemplarsPending } = this.#options.metrics
    try {
      const { histograms, exemplars } = countRare(frame)
      if (histograms > 0) histogramsPending.inc(factor * histograms)
      if (exemplars > 0) exemplarsPending.inc(factor * exemplars)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
    }
  }

  #showShards(): void {
    const { metrics } = this.#options
    let shards = 0
    for (const lane of this.#lanes) shards += lane.shardCount
    this.#shardCount.apply(this.#lanes[0]!.shardCount)
    metrics.shards.set(shards)
    metrics.shardsDesired.set(this.#shardCount.desired)
  }

  /** Opens a second lane when the remote is back after an outage, and lets go of the first when the backlog is through. */
  #reviewLanes(): void {
    const { log, name, config } = this.#options
    const [first, second] = this.#lanes
    if (first!.isThrough && second !== undefined) {
      first!.close()
      log.closeLane(name)
      this.#lanes = [second]
      this.#logEnds = []
    } else if (second === undefined) {
      this.#logEnds.push(log.nextSequence)
      // What is older than two deadlines and not even read: samples scraped now would come as late as that.
      const looks = Math.ceil((2 * config.queue.batchSendDeadlineMs) / laneReviewMs) + 1
      if (this.#logEnds.length > looks) this.#logEnds.shift()
      const isBehind = this.#logEnds.length === looks && first!.reader.position < this.#logEnds[0]!
      if (isBehind && this.#hasDelivered) {
        const live = this.#createLane(log.openLane(name), config.queue.minShards)
        this.#lanes = [first!, live]
        live.start()
      }
    }
    this.#hasDelivered = false
    this.#showShards()
    this.#acknowledge()
  }

  #reviewShards(): void {
    const backlog = this.queuedSamples + this.#unreadSamples()
    // Not for ever when the clock is set back.
    const throttledMs = this.#throttledUntilMs - this.#now()
    const isThrottled = throttledMs > 0 && throttledMs <= throttleMs
    const wanted = this.#shardCount.update(this.#intervalIn, this.#intervalOut, this.#intervalSendSeconds, backlog, isThrottled)
    for (const lane of this.#lanes) lane.setShards(wanted)
    this.#showShards()
    this.#intervalIn = 0
    this.#intervalOut = 0
    this.#intervalSendSeconds = 0
    this.#pulse.beat()
  }

  /** Frames not read yet, at the size of those in the queues; a guess for the number of shards only. */
  #unreadSamples(): number {
    let unread = 0
    let pending = 0
    for (const lane of this.#lanes) {
      unread += Math.max(0, Math.min(this.#options.log.nextSequence, lane.reader.until) - lane.reader.position)
      pending += lane.pendingFrames
    }
    return pending === 0 ? 0 : (unread * this.queuedSamples) / pending
  }

  /** Settles a batch; false if it was aborted. */
  async #send(body: KeptBody, slices: readonly FrameSlice[], samples: number): Promise<boolean> {
    const { metrics } = this.#options
    let built: BuiltRequest | undefined
    let result
    const startMs = performance.now()
    try {
      const build = (version: MessageVersion): BuiltRequest => (built = this.#build(body, slices, version))
      result = await this.#delivery.deliver({ build }, this.#abort.signal)
    } catch (error) {
      if (!(error instanceof FrameError) && !(error instanceof SnappyError)) throw error
      this.#complain('cannot build a request, its samples are lost', { err: error })
      metrics.lose(error instanceof FrameError ? 'damaged' : 'too_large', { ...noItems, samples })
      return true
    }
    this.#intervalSendSeconds += (performance.now() - startMs) / 1000
    if (result.kind === 'aborted') return false
    this.#hasDelivered = true
    this.#trouble = undefined
    this.#countResult(result, built!)
    this.#intervalOut += samples
    return true
  }

  #build(body: KeptBody, slices: readonly FrameSlice[], version: MessageVersion): BuiltRequest {
    const { sampleAgeLimitMs } = this.#options.config.queue
    const oldestMs = sampleAgeLimitMs > 0 ? this.#now() - sampleAgeLimitMs : -Infinity
    const built = this.#builder.build(slices, version, oldestMs, this.#metadata)
    return { ...built, body: body.keep(built.body) }
  }

  #countResult(result: Exclude<Awaited<ReturnType<Delivery['deliver']>>, { kind: 'aborted' }>, built: BuiltRequest): void {
    const { metrics } = this.#options
    const { byRules, byAge, customBuckets, unwantedHistograms } = built.leftOut
    metrics.lose('rule', byRules)
    metrics.lose('too_old', byAge)
    metrics.lose('nhcb_in_rw1_not_supported', { ...noItems, histograms: customBuckets })
    metrics.lose('native_histograms_not_sent', { ...noItems, histograms: unwantedHistograms })
    const failed = subtractCounts(result.sent, result.written)
    // As Prometheus: what was sent counts here, also when the remote refused it; the `…_failed_total` say how much.
    metrics.samples.inc(result.sent.samples)
    metrics.samplesFailed.inc(failed.samples)
    metrics.histograms.inc(result.sent.histograms)
    metrics.histogramsFailed.inc(failed.histograms)
    metrics.exemplars.inc(result.sent.exemplars)
    metrics.exemplarsFailed.inc(failed.exemplars)
    metrics.isHeld.set(0)
    if (result.sent.samples + result.sent.histograms > 0) metrics.bytes.inc(built.body.length)
    if (result.kind === 'delivered') {
      metrics.lose('rejected', failed)
      metrics.highestSentSeconds.set(Math.max(metrics.highestSentSeconds.value, built.maxTimeMs / 1000))
      return
    }
    metrics.lose(result.reason, failed)
    if (result.isTooLarge) this.#samplesPerSend = Math.max(samplesPerSendMin, Math.floor(this.#samplesPerSend * shrinkFactor))
  }

  #finish(frame: FrameRef): void {
    this.#countPending(frame, -1)
    frame.chunk?.release()
    this.#acknowledge()
  }

  #acknowledge(): void {
    const { log, name, metrics } = this.#options
    const [first, live] = this.#lanes
    log.acknowledge(name, first!.next, live?.next)
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
      onRetry: (reason, { samples, histograms, exemplars }, isThrottled, isMetadata) => {
        if (isMetadata) metrics.metadataRetried.inc(samples)
        else metrics.samplesRetried.inc(samples)
        metrics.histogramsRetried.inc(histograms)
        metrics.exemplarsRetried.inc(exemplars)
        // A hold is told just before its retry.
        if (this.#trouble?.state !== 'held') this.#trouble = { state: isThrottled ? 'throttled' : 'retrying', reason }
        if (isThrottled) this.#throttledUntilMs = this.#now() + throttleMs
        this.#complain('Failed to send batch, retrying', { reason, samples: samples + histograms })
      },
      onFallback: (reason) => {
        metrics.protocolVersion.set(1)
        this.#options.logger.info('The remote does not take remote write 2.0, sending 1.0 from now on.', { reason })
      },
      onHold: (reason) => {
        metrics.isHeld.set(1)
        this.#trouble = { state: 'held', reason }
        this.#complain('The remote refuses us: samples are kept, next attempt in 30 s', { reason })
      },
      onRefusal: (reason, answer, headers, body) => {
        const text = Buffer.from(answer.body.subarray(0, answerTextMax)).toString('utf8').trim()
        this.#complain('non-recoverable error', { reason, status: answer.status, err: text })
        this.#options.deadLetters?.add({
          timeMs: this.#now(),
          status: answer.status,
          reason,
          error: text,
          contentType: headers['Content-Type']!,
          body,
        })
      },
      onAttempt: (seconds) => metrics.batchDuration.observe(seconds),
    })
  }

  #complain(message: string, fields: Readonly<Record<string, unknown>>): void {
    const now = this.#now()
    if (Math.abs(now - this.#lastComplaintMs) < complaintIntervalMs) return
    this.#lastComplaintMs = now
    this.#options.logger.warn(message, fields)
  }

  /** One at a time: a remote that refuses metadata alone must not get more of it with every interval. */
  async #sendDueMetadata(): Promise<void> {
    if (this.#isSendingMetadata) return
    this.#isSendingMetadata = true
    try {
      await this.#sendMetadata()
    } finally {
      this.#isSendingMetadata = false
    }
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
      const result = await this.#delivery.deliver(
        { isMetadata: true, build: () => ({ body, items: { ...noItems, samples: entries.length } }) },
        this.#abort.signal,
      )
      if (result.kind === 'aborted') return
      metrics.metadata.inc(entries.length)
      metrics.metadataBytes.inc(body.length)
      if (result.kind === 'dropped') metrics.metadataFailed.inc(entries.length)
    }
  }

  #onProgress(): void {
    this.#options.metrics.samplesPending.set(this.queuedSamples)
    this.#pulse.beat()
  }
}
