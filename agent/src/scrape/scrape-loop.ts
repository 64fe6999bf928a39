import type { ScrapeConfig } from '@narthex/config/scrape-config'
import { formatDuration } from '@narthex/model/duration'
import type { Logger } from '@narthex/service/logger'
import type { Clock, Timer } from '../clock.ts'
import type { Clients } from '../http/clients.ts'
import type { FrameSink } from '../store/frame.ts'
import { clockJumpMsMin } from './clock-watch.ts'
import type { ClockWatch } from './clock-watch.ts'
import { makeAcceptHeader } from './content-type.ts'
import type { FailureLogs } from './failure-logs.ts'
import type { FamilyTable } from './family-table.ts'
import { AnswerFetcher } from './fetch-answer.ts'
import type { InProcessTargets } from './in-process.ts'
import { ScrapeError } from './scrape-error.ts'
import type { ScrapeMetrics } from './scrape-metrics.ts'
import { TargetReading } from './target-reading.ts'
import type { TargetShard } from './target-shard.ts'
import { untilNextTurnMs } from './target.ts'
import type { Target } from './target.ts'
import { finishSteps } from './target-series.ts'
import type { TargetSeries } from './target-series.ts'

export type TargetHealth = 'unknown' | 'up' | 'down'

/** What a loop needs from around it; one object for all loops of a pool. */
export interface ScrapeContext {
  readonly clock: Clock
  readonly log: Logger
  readonly sink: FrameSink
  readonly metrics: ScrapeMetrics
  readonly inProcess: InProcessTargets
  readonly offsetSeed: bigint
  readonly userAgent: string
  readonly clockWatch: ClockWatch
  readonly failureLogs: FailureLogs
  /** Whether start timestamps are kept. */
  readonly startTimestamps: boolean
  /** Undefined: all targets are scraped. */
  readonly shard: TargetShard | undefined
}

export interface ScrapeLoopOptions {
  readonly config: ScrapeConfig
  readonly target: Target
  readonly series: TargetSeries
  readonly families: FamilyTable
  readonly clients: Clients
  readonly context: ScrapeContext
}

/** A timestamp this close to its place in the schedule is put there: regular timestamps take less room in every storage. */
const alignToleranceMs = 2

/** Scrapes one target on its schedule and writes what it finds. */
export class ScrapeLoop {
  readonly config: ScrapeConfig
  readonly series: TargetSeries
  readonly families: FamilyTable
  /** Changes only in its discovered labels. */
  target: Target
  /** Set: every scrape fails with this text, without asking the target. */
  forcedError: string | undefined
  health: TargetHealth = 'unknown'
  lastError = ''
  /** 0 before the first scrape. */
  lastScrapeMs = 0
  lastDurationSeconds = 0

  readonly #context: ScrapeContext
  readonly #fetcher: AnswerFetcher
  #timer: Timer | undefined
  #stopped = false
  #dueMs = 0
  // How far the wall clock was ahead of the steady one when #dueMs was set.
  #clockOffsetMs = 0
  #lastStartMs = 0
  readonly #reading: TargetReading
  /** What is left to write of the scrape under way. */
  #unwritten: Iterator<void> | undefined

  constructor(options: ScrapeLoopOptions) {
    this.config = options.config
    this.target = options.target
    this.series = options.series
    this.families = options.families
    this.#context = options.context
    const { nativeHistograms, alwaysClassic, convertClassic } = options.target.histograms
    const { startTimestamps } = options.context
    const bodyOptions = { nhcb: convertClassic, keepClassic: alwaysClassic, nativeHistograms, createdAsStart: startTimestamps }
    this.#reading = new TargetReading(options.series, options.config.fallbackScrapeProtocol, bodyOptions)
    this.#fetcher = new AnswerFetcher({
      url: options.target.url,
      socketPath: options.target.socketPath,
      headers: {
        accept: makeAcceptHeader(options.config),
        'user-agent': options.context.userAgent,
        'x-prometheus-scrape-timeout-seconds': String(options.target.timeoutMs / 1000),
      },
      compression: options.config.compression,
      timeoutMs: options.target.timeoutMs,
      bodySizeLimitBytes: options.config.bodySizeLimitBytes,
      clients: options.clients,
      inProcess: options.context.inProcess,
    })
  }

  /** Goes on from another loop of the same target: what the Targets page shows, and when it was due. */
  takeOver(before: ScrapeLoop): void {
    this.health = before.health
    this.lastError = before.lastError
    this.lastScrapeMs = before.lastScrapeMs
    this.lastDurationSeconds = before.lastDurationSeconds
    this.#dueMs = before.#dueMs
    this.#clockOffsetMs = before.#clockOffsetMs
    this.#lastStartMs = before.#lastStartMs
  }

  start(): void {
    const { clock, offsetSeed, clockWatch } = this.#context
    this.#timer = clock.setTimer(
      () => {
        this.#dueMs = clock.now()
        this.#clockOffsetMs = clockWatch.offsetMs()
        void this.#run()
      },
      untilNextTurnMs(this.target, offsetSeed, clock.now()),
    )
  }

  /** Stops at once, a scrape under way included, and writes nothing more when it returns. */
  stop(): void {
    this.#stopped = true
    // It was scraped, so it is kept.
    if (this.#unwritten !== undefined) finishSteps(this.#unwritten)
    this.#unwritten = undefined
    this.#reading.close()
    this.#fetcher.cancel(new Error('context canceled'))
    this.#context.clock.clearTimer(this.#timer)
    this.#timer = undefined
  }

  /**
   * Stops and, when two intervals and a tenth have passed, ends all series with stale markers at the time of the first scrape that did not
   * happen. Until then `stop` calls it off: the target may come back. `onDone` is called after the markers.
   */
  end(onDone: () => void): void {
    const { clock, sink } = this.#context
    const { intervalMs } = this.target
    this.#followClock()
    const now = clock.now()
    const staleMs = this.#dueMs === 0 ? now : this.#dueMs + Math.max(1, Math.ceil((now - this.#dueMs) / intervalMs)) * intervalMs
    this.stop()
    this.#timer = clock.setTimer(
      () => {
        this.series.writeEnd(sink, staleMs)
        onDone()
      },
      staleMs - now + intervalMs * 1.1,
    )
  }

  async #run(): Promise<void> {
    const { clock } = this.#context
    const { intervalMs } = this.target
    this.#followClock()
    const now = clock.now()
    // A millisecond early is on time: timers count in whole ones.
    const turns = Math.floor((now - this.#dueMs + 1) / intervalMs)
    if (turns > 0) this.#dueMs += turns * intervalMs
    const isOnTime = Math.abs(now - this.#dueMs) <= Math.min(alignToleranceMs, intervalMs / 100)
    await this.#scrape(isOnTime ? this.#dueMs : now)
    if (this.#stopped) return
    this.#followClock()
    // The turn that came while the scrape ran is taken at once, earlier ones are left out.
    const late = Math.floor((clock.now() - this.#dueMs) / intervalMs)
    if (late > 1) this.#dueMs += (late - 1) * intervalMs
    this.#timer = clock.setTimer(() => void this.#run(), this.#dueMs + intervalMs - clock.now())
  }

  /** When the clock is set, the schedule goes with it: the next scrape comes after the same time as if it had not been. */
  #followClock(): void {
    if (this.#dueMs === 0) return
    const offsetMs = this.#context.clockWatch.offsetMs()
    const jumpMs = offsetMs - this.#clockOffsetMs
    this.#clockOffsetMs = offsetMs
    if (Math.abs(jumpMs) >= clockJumpMsMin) this.#dueMs += Math.round(jumpMs)
  }

  async #scrape(timeMs: number): Promise<void> {
    const { clock } = this.#context
    const started = clock.elapsed()
    this.#observeInterval(started)
    const reading = this.#reading
    let bodyBytes = 0
    let failure: unknown
    reading.begin()
    try {
      if (this.forcedError !== undefined) throw new ScrapeError('target-limit', this.forcedError)
      bodyBytes = await this.#fetcher.ask(reading)
    } catch (error) {
      failure = error
    }
    if (this.#stopped) return
    const durationSeconds = (clock.elapsed() - started) / 1000
    const writing = this.#write(timeMs, durationSeconds, bodyBytes, reading.hasRead, failure)
    if (writing !== undefined) await writing
    this.#count(failure)
    this.health = failure === undefined ? 'up' : 'down'
    this.lastError = failure === undefined ? '' : messageOf(failure)
    this.lastScrapeMs = timeMs
    this.lastDurationSeconds = durationSeconds
    if (failure !== undefined) this.#logFailure(this.lastError)
  }

  #logFailure(err: string): void {
    const { log, failureLogs } = this.#context
    const { jobName, scrapeFailureLogFile } = this.config
    log.debug('Scrape failed', { scrape_pool: jobName, target: this.target.url, err })
    if (scrapeFailureLogFile !== undefined) failureLogs.add(scrapeFailureLogFile, jobName, this.target.url, err)
  }

  #write(timeMs: number, durationSeconds: number, bodyBytes: number, isRead: boolean, failure: unknown): Promise<void> | undefined {
    const { sink, clock } = this.#context
    const { counts } = this.series
    const report = [
      failure === undefined ? 1 : 0,
      durationSeconds,
      isRead ? counts.scraped : 0,
      isRead ? counts.kept : 0,
      isRead ? counts.seriesAdded : 0,
    ]
    if (this.config.extraScrapeMetrics) {
      const isTooLarge = failure instanceof ScrapeError && failure.failure === 'body-size-limit'
      report.push(this.target.timeoutMs / 1000, this.config.sampleLimit, isTooLarge ? -1 : bodyBytes)
    }
    if (failure !== undefined) this.series.writeFailure(sink, timeMs, report)
    else if (this.series.layoutCount === 1) this.series.write(sink, timeMs, clock.now(), report)
    else return this.#writeInTurns(this.series.writeSteps(sink, timeMs, clock.now(), report))
    return undefined
  }

  /** A large target's frames, one in each turn of the event loop: other scrapes are due meanwhile. */
  async #writeInTurns(steps: Iterator<void>): Promise<void> {
    this.#unwritten = steps
    while (this.#unwritten !== undefined && steps.next().done !== true) await nextTurn()
    this.#unwritten = undefined
  }

  #count(failure: unknown): void {
    const { metrics } = this.#context
    const { counts, refused, exemplarCounts } = this.series
    metrics.scrapes.inc()
    if (failure !== undefined) {
      metrics.scrapesFailed.inc()
      if (failure instanceof ScrapeError) metrics.failures[failure.failure]?.inc()
      return
    }
    metrics.samples.inc(counts.kept)
    metrics.duplicates.inc(counts.duplicates)
    metrics.outOfOrder.inc(refused.outOfOrder)
    metrics.outOfBounds.inc(refused.outOfBounds)
    refused.outOfOrder = 0
    refused.outOfBounds = 0
    metrics.exemplarsOutOfOrder.inc(exemplarCounts.outOfOrder)
    metrics.exemplarsTooLong.inc(exemplarCounts.labelsTooLong)
    metrics.exemplarsInvalid.inc(exemplarCounts.invalid)
    exemplarCounts.outOfOrder = exemplarCounts.labelsTooLong = exemplarCounts.invalid = 0
  }

  #observeInterval(startedMs: number): void {
    const { metrics } = this.#context
    if (this.#lastStartMs > 0) {
      metrics.intervalLength.observe((startedMs - this.#lastStartMs) / 1000, formatDuration(this.target.intervalMs))
    }
    this.#lastStartMs = startedMs
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
