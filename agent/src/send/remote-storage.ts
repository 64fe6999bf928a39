import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describeConfig } from '@narthex/config/describe-config'
import { redactGoUrl } from '@narthex/config/go-url'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import type { Labels } from '@narthex/model/labels'
import { lockDirectory } from '@narthex/service/directory-lock'
import type { DirectoryLock } from '@narthex/service/directory-lock'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { defaultBytesMax, FrameLog } from '../store/frame-log.ts'
import type { FrameLogOptions, LossReason } from '../store/frame-log.ts'
import type { AgentCounts } from '../agent-metrics.ts'
import type { FrameSink, ScrapeBatch } from '../store/frame.ts'
import { DeadLetterFile } from './dead-letter-file.ts'
import type { RemotePoster } from './delivery.ts'
import { noItems } from './item-counts.ts'
import { LossLog } from './loss-log.ts'
import { RemoteSender } from './remote-sender.ts'
import { RateMeter } from './rate-meter.ts'
import { RemoteProgress } from './remote-status.ts'
import type { RemoteStatus, RemoteStorageStatus } from './remote-status.ts'
import { SendMetrics } from './send-metrics.ts'
import type { RemoteMetrics } from './send-metrics.ts'

export interface RemoteStorageOptions {
  /** `--storage.agent.path`; the log goes into its folder `frames`. */
  readonly directory: string
  readonly remotes: readonly RemoteWriteConfig[]
  readonly externalLabels: Labels
  readonly createPoster: (config: RemoteWriteConfig) => RemotePoster
  readonly registry: Registry
  readonly logger: Logger
  readonly userAgent: string
  readonly limits?: StorageLimits
  /** Wait between probes while a remote refuses us (401, 403, 404). */
  readonly holdMs?: number
  /** Refused batches are kept in a file per remote, up to this many bytes each; 0 or absent = they are not. */
  readonly deadLetterBytesMax?: number
  /** False: another process may use the directory, which nothing here survives. */
  readonly lock?: boolean
  readonly now?: () => number
}

/** Bounds of the log; absent ones have the defaults of `FrameLog`. */
export type StorageLimits = Pick<FrameLogOptions, 'bytesMax' | 'ageMaxMs' | 'syncIntervalMs'>

/** What requests under way get to end on a reload. */
const reloadGraceMs = 1000

/** How often the totals are looked at that the shown rates are made of. */
const rateIntervalMs = 5000

interface Running {
  /** Changes when anything about the remote does. */
  readonly description: string
  readonly metrics: RemoteMetrics
  readonly sender: RemoteSender
  readonly url: string
  readonly progress: RemoteProgress
}

/** What the agent writes to: the frame log, and a sender for each `remote_write` of the configuration. */
export class RemoteStorage implements FrameSink {
  readonly #options: RemoteStorageOptions
  readonly #metrics: SendMetrics
  readonly #log: FrameLog
  readonly #running = new Map<string, Running>()
  readonly #lock: DirectoryLock | undefined
  readonly #samplesIn = new RateMeter()
  readonly #framesIn = new RateMeter()
  readonly #rateTimer: NodeJS.Timeout
  readonly #lossLog: LossLog
  #externalLabels: Labels
  #damages = 0
  /** Reloads come one after the other. */
  #reloading: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: RemoteStorageOptions) {
    this.#options = options
    this.#externalLabels = options.externalLabels
    this.#metrics = new SendMetrics(options.registry)
    this.#lossLog = new LossLog(options.logger)
    const names = nameRemotes(options.remotes)
    this.#lock = options.lock === false ? undefined : lockDirectory(options.directory)
    this.#log = new FrameLog({
      directory: join(options.directory, 'frames'),
      remotes: names,
      events: {
        onLoss: (remote, reason, frames, samples) => this.#countLoss(remote, reason, frames, samples),
        onProblem: (text, fields) => options.logger.warn(text, fields),
      },
      ...options.limits,
    })
    const { registry } = options
    const bytes = registry.gauge('narthex_agent_log_bytes', 'Bytes of the frame log on disk.')
    const segments = registry.gauge('narthex_agent_log_segments', 'Segments of the frame log on disk.')
    const writing = registry.gauge('narthex_agent_log_writing', '0 while the disk takes no frames and they are kept in memory.')
    registry.onCollect(() => {
      bytes.set(this.#log.bytes)
      segments.set(this.#log.segmentCount)
      writing.set(this.#log.isWriting ? 1 : 0)
    })
    options.remotes.forEach((config, i) => this.#start(config, names[i]!))
    this.#noteRates()
    this.#rateTimer = setInterval(() => this.#noteRates(), rateIntervalMs).unref()
  }

  append(batch: ScrapeBatch): void {
    const histograms = batch.histograms?.count ?? 0
    this.#metrics.samplesIn.inc(batch.count - histograms)
    if (histograms > 0) this.#metrics.histogramsIn.inc(histograms)
    if (batch.exemplars !== undefined) this.#metrics.exemplarsIn.inc(batch.exemplars.count)
    const timeMs = typeof batch.times === 'number' ? batch.times : (batch.times[0] ?? 0)
    if (timeMs / 1000 > this.#metrics.highestSeconds.value) this.#metrics.highestSeconds.set(timeMs / 1000)
    this.#log.append(batch)
  }

  /**
   * Takes a reloaded configuration: unchanged remotes do not notice, changed ones go on at their cursors, removed ones end. Rejects with what
   * the first remote that cannot be made says; the others are there then.
   */
  applyConfig(remotes: readonly RemoteWriteConfig[], externalLabels: Labels): Promise<void> {
    const turn = this.#reloading.then(() => this.#apply(remotes, externalLabels))
    this.#reloading = turn.catch(() => undefined)
    return turn
  }

  async #apply(remotes: readonly RemoteWriteConfig[], externalLabels: Labels): Promise<void> {
    if (this.#closed) return
    this.#externalLabels = externalLabels
    const names = nameRemotes(remotes)
    const isUnchanged = (name: string): boolean => {
      const at = names.indexOf(name)
      return at >= 0 && this.#running.get(name)?.description === this.#describe(remotes[at]!)
    }
    const changed = [...this.#running].filter(([name]) => !isUnchanged(name))
    await Promise.all(changed.map(([, { sender }]) => sender.stop(reloadGraceMs)))
    // The end came meanwhile.
    if (this.#closed) return
    for (const [name] of changed) this.#running.delete(name)
    this.#log.setRemotes(names)
    const failures: unknown[] = []
    remotes.forEach((config, i) => {
      const name = names[i]!
      if (this.#running.has(name)) return
      this.#log.rewind(name)
      try {
        this.#start(config, name)
      } catch (error) {
        failures.push(error)
      }
    })
    if (failures.length > 0) throw failures[0]
  }

  /** What was appended, and how often damage was found, since the start; whether the last run ended in order. */
  counts(): Omit<AgentCounts, 'activeSeries'> {
    const { samplesIn, histogramsIn, exemplarsIn } = this.#metrics
    return {
      samples: samplesIn.value,
      histograms: histogramsIn.value,
      exemplars: exemplarsIn.value,
      damages: this.#damages,
      cleanStart: this.#lock === undefined ? -1 : this.#lock.wasLeftBehind ? 0 : 1,
    }
  }

  /** How the log and every remote are doing. */
  status(): RemoteStorageStatus {
    const { directory, limits } = this.#options
    const { bytes, segmentCount, isWriting } = this.#log
    const { perSecond } = this.#samplesIn
    const log = {
      directory,
      bytes,
      bytesMax: limits?.bytesMax ?? defaultBytesMax,
      segments: segmentCount,
      isWriting,
      samplesIn: this.#countSamplesIn(),
      ...(perSecond === undefined ? {} : { samplesPerSecond: perSecond }),
    }
    return { log, remotes: [...this.#running].map(([name, running]) => this.#describeRemote(name, running)) }
  }

  #describeRemote(name: string, { url, metrics, sender, progress }: Running): RemoteStatus {
    const pendingFrames = this.#log.pendingFrames(name)
    const { trouble, oldestTimeMs } = sender
    const { samplesPerSecond } = progress
    const etaSeconds = progress.etaSeconds(pendingFrames, this.#framesIn.perSecond)
    const now = (this.#options.now ?? Date.now)()
    return {
      name,
      url,
      version: sender.version,
      state: trouble?.state ?? 'ok',
      reason: trouble?.reason ?? '',
      pendingFrames,
      pendingBytes: pendingFrames === 0 ? 0 : this.#log.pendingBytes(name),
      pendingAgeMs: pendingFrames === 0 || oldestTimeMs === undefined ? 0 : Math.max(0, now - oldestTimeMs),
      shards: metrics.shards.value,
      samplesSent: metrics.samples.value + metrics.histograms.value,
      ...(samplesPerSecond === undefined ? {} : { samplesPerSecond }),
      ...(etaSeconds === undefined ? {} : { etaSeconds }),
      lostSamples: metrics.lostSamples(),
    }
  }

  #countSamplesIn(): number {
    return this.#metrics.samplesIn.value + this.#metrics.histogramsIn.value
  }

  #noteRates(): void {
    this.#lossLog.flush()
    const now = performance.now()
    const { nextSequence } = this.#log
    this.#samplesIn.note(now, this.#countSamplesIn())
    this.#framesIn.note(now, nextSequence)
    for (const [name, { metrics, progress }] of this.#running) {
      progress.note(now, metrics.samples.value + metrics.histograms.value, nextSequence - this.#log.pendingFrames(name))
    }
  }

  /** Sends what can be sent within `graceMs`; the rest is on disk for the next start. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#rateTimer)
    this.#closed = true
    await Promise.all([this.#reloading, ...[...this.#running.values()].map(({ sender }) => sender.stop(graceMs))])
    await this.#log.close()
    this.#lossLog.flush(true)
    this.#lock?.release()
  }

  #describe(config: RemoteWriteConfig): string {
    return describeConfig({ config, externalLabels: this.#externalLabels.pairs })
  }

  #start(config: RemoteWriteConfig, name: string): void {
    const { logger, userAgent, createPoster, now, holdMs, deadLetterBytesMax, directory } = this.#options
    const { queue } = config
    const metrics = this.#metrics.remote(name, redactGoUrl(config.url), {
      shardsMin: queue.minShards,
      shardsMax: queue.maxShards,
      capacity: queue.capacity,
      samplesPerSendMax: queue.maxSamplesPerSend,
    })
    const sender = new RemoteSender({
      name,
      config,
      externalLabels: this.#externalLabels,
      log: this.#log,
      poster: createPoster(config),
      metrics,
      logger: logger.with({ remote_name: name, url: redactGoUrl(config.url) }),
      userAgent,
      ...(now === undefined ? {} : { now }),
      ...(holdMs === undefined ? {} : { holdMs }),
      ...(deadLetterBytesMax === undefined || deadLetterBytesMax === 0
        ? {}
        : { deadLetters: new DeadLetterFile(join(directory, 'dead-letters'), name, deadLetterBytesMax) }),
    })
    this.#running.set(name, {
      description: this.#describe(config),
      metrics,
      sender,
      url: redactGoUrl(config.url),
      progress: new RemoteProgress(),
    })
    sender.start()
  }

  #countLoss(remote: string, reason: LossReason, frames: number, samples: number | undefined): void {
    const metrics = this.#running.get(remote)?.metrics
    metrics?.loseFrames(reason, frames)
    if (reason === 'damaged') this.#damages++
    metrics?.lose(reason, { ...noItems, samples: samples ?? 0 })
    this.#lossLog.add(remote, reason, frames, samples)
  }
}

/** Names for the cursors: the configured name, else six hex digits of the URL, with a number if the same URL comes again. */
export function nameRemotes(remotes: readonly RemoteWriteConfig[]): string[] {
  const names: string[] = []
  for (const { name, url } of remotes) {
    const base = name ?? createHash('md5').update(url).digest('hex').slice(0, 6)
    let unique = base
    for (let i = 2; names.includes(unique); i++) unique = `${base}-${i}`
    names.push(unique)
  }
  return names
}
