import { join } from 'node:path'
import type { RemotePoster } from '@narthex/agent/send/delivery'
import { noItems, type ItemCounts } from '@narthex/agent/send/item-counts'
import { LossLog } from '@narthex/agent/send/loss-log'
import { RateMeter } from '@narthex/agent/send/rate-meter'
import { RemoteSender } from '@narthex/agent/send/remote-sender'
import { RemoteProgress, type RemoteStatus } from '@narthex/agent/send/remote-status'
import { nameRemotes } from '@narthex/agent/send/remote-storage'
import { SendMetrics, type RemoteMetrics } from '@narthex/agent/send/send-metrics'
import type { FamilyMetadata } from '@narthex/agent/store/frame'
import { describeConfig } from '@narthex/config/describe-config'
import { redactGoUrl } from '@narthex/config/go-url'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import type { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { listSegments } from '@narthex/tsdb/wal/log-files'
import { statSync } from 'node:fs'
import { LogFollower, type LogLossReason } from './log-follower.ts'
import { isBefore, PlaceFiles, type LogPlace } from './log-place.ts'
import { SeriesCatalog } from './series-catalog.ts'
import { SeriesFamilies } from './series-families.ts'
import { SeriesLoader } from './series-loader.ts'

export interface LogSendersOptions {
  /** The data directory: its `wal` is followed, and the places go into its `remote_write`. */
  readonly directory: string
  /** Where the log of this process begins. */
  readonly startSegment: number
  /** Whether remotes of the first configuration that have no place yet begin there, and not with what comes now. */
  readonly isFromStart: boolean
  readonly createPoster: (config: RemoteWriteConfig) => RemotePoster
  readonly registry: Registry
  readonly logger: Logger
  readonly userAgent: string
  readonly now?: () => number
  readonly holdMs?: number
  readonly placeIntervalMs?: number
}

interface Running {
  /** Changes when anything about the remote does. */
  readonly description: string
  readonly url: string
  readonly metrics: RemoteMetrics
  readonly follower: LogFollower
  readonly sender: RemoteSender
  readonly progress: RemoteProgress
  /** As it stands in the file. */
  stored: LogPlace | undefined
}

/** What requests under way get to end on a reload. */
const reloadGraceMs = 1_000
const rateIntervalMs = 5_000
const forgetIntervalMs = 10_000
/** A crash makes at most what was sent in this time be sent once more. */
const defaultPlaceIntervalMs = 1_000
const problemIntervalMs = 10_000

/** Sends the server's write-ahead log to each `remote_write` of the configuration, and remembers how far each one is. */
export class LogSenders {
  readonly #options: LogSendersOptions
  readonly #walDirectory: string
  readonly #metrics: SendMetrics
  readonly #places: PlaceFiles
  readonly #families = new SeriesFamilies()
  readonly #catalog = new SeriesCatalog(this.#families)
  readonly #loader: SeriesLoader
  readonly #lossLog: LossLog
  readonly #running = new Map<string, Running>()
  readonly #timers: NodeJS.Timeout[]
  readonly #framesIn = new RateMeter()
  /** Places of the last run, until a configuration names their remotes. */
  #known: Map<string, LogPlace>
  #highestPlace: LogPlace
  #isFirst: boolean
  #storing: Promise<void> = Promise.resolve()
  #reloading: Promise<void> = Promise.resolve()
  #lastProblemMs = -Infinity
  #isClosed = false

  constructor(options: LogSendersOptions) {
    const { directory, logger, registry, startSegment } = options
    this.#options = options
    this.#isFirst = options.isFromStart
    this.#walDirectory = join(directory, 'wal')
    this.#metrics = new SendMetrics(registry)
    this.#places = new PlaceFiles(join(directory, 'remote_write'))
    this.#known = this.#places.readAll((text) => logger.warn(text))
    this.#loader = new SeriesLoader(this.#walDirectory, this.#catalog)
    this.#lossLog = new LossLog(logger)
    this.#highestPlace = { segment: startSegment, offset: 0 }
    const behind = registry.gauge(
      'narthex_remote_storage_log_behind_bytes',
      'Bytes of the write-ahead log that were not read for the remote yet.',
      ['remote_name', 'url'],
    )
    const segment = registry.gauge('prometheus_wal_watcher_current_segment', 'Current segment the WAL watcher is reading records from.', [
      'consumer',
    ])
    registry.onCollect(() => {
      behind.clear()
      segment.clear()
      for (const [name, { url, follower }] of this.#running) {
        behind.labels(name, url).set(follower.behindBytes)
        segment.labels(name).set(follower.segment)
      }
    })
    this.#timers = [
      setInterval(() => void this.#storePlaces(), options.placeIntervalMs ?? defaultPlaceIntervalMs),
      setInterval(() => this.#noteRates(), rateIntervalMs),
      setInterval(() => this.#forgetSeries(), forgetIntervalMs),
    ]
  }

  /**
   * Takes a configuration: unchanged remotes do not notice, changed ones go on at their places, new ones begin with what comes now, removed
   * ones end and their places are forgotten. Rejects with what the first remote that cannot be made says; the others are there then.
   */
  apply(remotes: readonly RemoteWriteConfig[], externalLabels: Labels): Promise<void> {
    const turn = this.#reloading.then(() => this.#apply(remotes, externalLabels))
    this.#reloading = turn.catch(() => undefined)
    return turn
  }

  setFamilies(families: readonly FamilyMetadata[]): void {
    this.#families.set(families)
  }

  /** The oldest segment of the log that a remote still needs; undefined: none does. */
  get neededSegment(): number | undefined {
    const segments = [...this.#running.values()].map(({ follower }) => follower.neededSegment)
    return segments.length === 0 ? undefined : Math.min(...segments)
  }

  /** The log cannot be kept from before this segment: remotes that are further behind lose it, which is counted. */
  async giveUpBefore(segment: number): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ follower }) => follower.giveUpBefore(segment)))
    await this.#storePlaces()
  }

  status(): RemoteStatus[] {
    return [...this.#running].map(([name, running]) => this.#describeRemote(name, running))
  }

  /** Sends what can be sent within `graceMs`; the rest stays in the log for the next start. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#timers) clearInterval(timer)
    // Who still looks for the series of a long log has nothing to send.
    const deadline = setTimeout(() => this.#loader.close(), graceMs)
    await this.#reloading
    await Promise.all([...this.#running.values()].map((running) => this.#stop(running, graceMs)))
    clearTimeout(deadline)
    this.#loader.close()
    await this.#storePlaces()
    this.#lossLog.flush(true)
  }

  async #apply(remotes: readonly RemoteWriteConfig[], externalLabels: Labels): Promise<void> {
    if (this.#isClosed) return
    const names = nameRemotes(remotes)
    const descriptions = remotes.map((config) => describeConfig({ config, externalLabels: externalLabels.pairs }))
    const changed = [...this.#running].filter(([name, { description }]) => descriptions[names.indexOf(name)] !== description)
    await Promise.all(changed.map(([, running]) => this.#stop(running, reloadGraceMs)))
    await this.#storePlaces()
    // The end came meanwhile.
    if (this.#isClosed) return
    for (const [name, { follower }] of changed) {
      this.#running.delete(name)
      this.#known.set(name, follower.settledPlace)
    }
    for (const name of this.#known.keys()) {
      if (names.includes(name)) continue
      this.#known.delete(name)
      this.#places.remove(name)
    }
    const failures: unknown[] = []
    remotes.forEach((config, i) => {
      const name = names[i]!
      if (this.#running.has(name)) return
      try {
        this.#start(config, name, descriptions[i]!, externalLabels)
      } catch (error) {
        failures.push(error)
      }
    })
    this.#isFirst = false
    await this.#storePlaces()
    if (failures.length > 0) throw failures[0]
  }

  async #stop({ follower, sender }: Running, graceMs: number): Promise<void> {
    // What was committed just now goes with the rest.
    follower.look()
    await sender.stop(graceMs)
    follower.close()
  }

  #start(config: RemoteWriteConfig, name: string, description: string, externalLabels: Labels): void {
    const { logger, userAgent, createPoster, now, holdMs, startSegment } = this.#options
    const { queue } = config
    const url = redactGoUrl(config.url)
    const poster = createPoster(config)
    if (queue.liveFirst) {
      logger.warn('queue_config.live_first has no effect in the server: the log is sent in its order', { remote_name: name, url })
    }
    const metrics = this.#metrics.remote(name, url, {
      shardsMin: queue.minShards,
      shardsMax: queue.maxShards,
      capacity: queue.capacity,
      samplesPerSendMax: queue.maxSamplesPerSend,
    })
    const place = this.#findPlace(name)
    this.#known.set(name, place)
    const follower = new LogFollower({
      directory: this.#walDirectory,
      place,
      catalog: this.#catalog,
      families: this.#families,
      loader: this.#loader,
      startSegment,
      onLoss: (reason, items) => this.#countLoss(name, metrics, reason, items),
      onStep: (from, to, taken, maxTimeMs) => this.#countStep(from, to, taken, maxTimeMs),
      onProblem: (error) => this.#tellProblem(error),
    })
    const sender = new RemoteSender({
      name,
      config: { ...config, queue: { ...queue, liveFirst: false } },
      externalLabels,
      log: follower,
      poster,
      metrics,
      logger: logger.with({ remote_name: name, url }),
      userAgent,
      ...(now === undefined ? {} : { now }),
      ...(holdMs === undefined ? {} : { holdMs }),
    })
    this.#running.set(name, { description, url, metrics, follower, sender, progress: new RemoteProgress(), stored: undefined })
    sender.start()
  }

  #findPlace(name: string): LogPlace {
    const { startSegment, logger } = this.#options
    const known = this.#known.get(name)
    const start: LogPlace = { segment: startSegment, offset: 0 }
    if (known === undefined) return this.#isFirst ? start : this.#findEnd()
    // At its start a process begins a segment behind all that there are.
    if (!this.#isFirst || known.segment <= startSegment) return known
    logger.warn('The place of a remote is not in the write-ahead log: it begins with what comes now', { remote_name: name, ...known })
    return start
  }

  /** Where the log ends now: a record may be in the middle of being written, and the cursor finds its way. */
  #findEnd(): LogPlace {
    const last = listSegments(this.#walDirectory).at(-1)
    return last === undefined ? this.#highestPlace : { segment: last.index, offset: statSync(last.path).size }
  }

  /** One call after the other; a disk that takes no place is asked again with the next. */
  #storePlaces(): Promise<void> {
    this.#storing = this.#storing.then(async () => {
      for (const [name, running] of this.#running) {
        const { settledPlace } = running.follower
        const { stored } = running
        if (stored !== undefined && stored.segment === settledPlace.segment && stored.offset === settledPlace.offset) continue
        try {
          await this.#places.write(name, settledPlace)
          running.stored = settledPlace
        } catch (error) {
          this.#tellProblem(error)
        }
      }
    })
    return this.#storing
  }

  #describeRemote(name: string, { url, metrics, follower, sender, progress }: Running): RemoteStatus {
    const pendingFrames = follower.pendingFrames()
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
      pendingBytes: follower.behindBytes,
      pendingAgeMs: pendingFrames === 0 || oldestTimeMs === undefined ? 0 : Math.max(0, now - oldestTimeMs),
      shards: metrics.shards.value,
      samplesSent: metrics.samples.value + metrics.histograms.value,
      ...(samplesPerSecond === undefined ? {} : { samplesPerSecond }),
      ...(etaSeconds === undefined ? {} : { etaSeconds }),
      lostSamples: metrics.lostSamples(),
    }
  }

  #noteRates(): void {
    this.#lossLog.flush()
    const now = performance.now()
    let newest = 0
    for (const { metrics, follower, progress } of this.#running.values()) {
      newest = Math.max(newest, follower.nextSequence)
      progress.note(now, metrics.samples.value + metrics.histograms.value, follower.nextSequence - follower.pendingFrames())
    }
    this.#framesIn.note(now, newest)
  }

  #forgetSeries(): void {
    const oldest = this.neededSegment
    if (oldest === undefined) return
    this.#loader.forgetDropped(oldest).catch((error: unknown) => this.#tellProblem(error))
  }

  /** What several remotes read is counted once. */
  #countStep(from: LogPlace, to: LogPlace, taken: Readonly<ItemCounts>, maxTimeMs: number): void {
    if (isBefore(from, this.#highestPlace)) return
    this.#highestPlace = to
    const { samplesIn, histogramsIn, exemplarsIn, highestSeconds } = this.#metrics
    samplesIn.inc(taken.samples)
    histogramsIn.inc(taken.histograms)
    exemplarsIn.inc(taken.exemplars)
    if (maxTimeMs / 1000 > highestSeconds.value) highestSeconds.set(maxTimeMs / 1000)
  }

  #countLoss(name: string, metrics: RemoteMetrics, reason: LogLossReason, items: Readonly<ItemCounts> | undefined): void {
    metrics.lose(reason, items ?? noItems)
    if (items === undefined) metrics.loseFrames(reason, 1)
    this.#lossLog.add(name, reason, 1, items === undefined ? undefined : items.samples + items.histograms)
  }

  #tellProblem(error: unknown): void {
    const now = performance.now()
    if (now - this.#lastProblemMs < problemIntervalMs) return
    this.#lastProblemMs = now
    this.#options.logger.error('cannot follow the write-ahead log', { err: error instanceof Error ? error.message : String(error) })
  }
}
