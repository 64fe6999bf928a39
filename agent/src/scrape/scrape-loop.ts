import type { ScrapeConfig } from '@narthex/config/scrape-config'
import { formatDuration } from '@narthex/model/duration'
import type { Logger } from '@narthex/service/logger'
import type { SummaryCell } from '@narthex/service/metrics'
import type { Clock, Timer } from '../clock.ts'
import type { Clients } from '../http/clients.ts'
import type { FrameSink } from '../store/frame.ts'
import { clockJumpMsMin } from './clock-watch.ts'
import type { ClockWatch } from './clock-watch.ts'
import { makeAcceptHeader } from './content-type.ts'
import type { FailureLogs } from './failure-logs.ts'
import type { FamilyTable } from './family-table.ts'
import { AnswerFetcher } from './fetch-answer.ts'
import type { AnswerWaiter } from './fetch-answer.ts'
import type { InProcessTargets } from './in-process.ts'
import { ScrapeError } from './scrape-error.ts'
import type { ScrapeMetrics } from './scrape-metrics.ts'
import type { ScrapeSchedule, Scheduled } from './scrape-schedule.ts'
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
  readonly schedule: ScrapeSchedule
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

// The report of the scrape being written, whichever target's it is.
const report: number[] = []

/** Scrapes one target on its schedule and writes what it finds. */
export class ScrapeLoop implements Scheduled, AnswerWaiter {
  place = -1
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
  #endTimer: Timer | undefined
  #stopped = false
  #dueMs = 0
  // How far the wall clock was ahead of the steady one when #dueMs was set.
  #clockOffsetMs = 0
  // Of the scrape under way, or the last one: when it began by the steady clock, and the time of its samples.
  #startMs = 0
  #timeMs = 0
  readonly #intervalLength: SummaryCell
  readonly #reading: TargetReading
  // What is left to write of the scrape under way.
  #unwritten: Iterator<void> | undefined

  constructor(options: ScrapeLoopOptions) {
    this.config = options.config
    this.target = options.target
    this.series = options.series
    this.families = options.families
    this.#context = options.context
    this.#intervalLength = options.context.metrics.intervalLength.labels(formatDuration(options.target.intervalMs))
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
    this.#startMs = before.#startMs
  }

  start(): void {
    const { clock, schedule, offsetSeed } = this.#context
    schedule.set(this, untilNextTurnMs(this.target, offsetSeed, clock.now()))
  }

  /** Stops at once, a scrape under way included, and writes nothing more when it returns. */
  stop(): void {
    this.#stopped = true
    // It was scraped, so it is kept.
    if (this.#unwritten !== undefined) finishSteps(this.#unwritten)
    this.#unwritten = undefined
    this.#reading.close()
    this.#fetcher.cancel(new Error('context canceled'))
    this.#context.schedule.delete(this)
    this.#context.clock.clearTimer(this.#endTimer)
    this.#endTimer = undefined
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
    this.#endTimer = clock.setTimer(
      () => {
        this.series.writeEnd(sink, staleMs)
        onDone()
      },
      staleMs - now + intervalMs * 1.1,
    )
  }

  onTurn(): void {
    const { clock, clockWatch } = this.#context
    const { intervalMs } = this.target
    if (this.#dueMs === 0) {
      this.#dueMs = clock.now()
      this.#clockOffsetMs = clockWatch.offsetMs()
    }
    this.#followClock()
    const now = clock.now()
    // A millisecond early is on time: timers count in whole ones.
    const turns = Math.floor((now - this.#dueMs + 1) / intervalMs)
    if (turns > 0) this.#dueMs += turns * intervalMs
    const isOnTime = Math.abs(now - this.#dueMs) <= Math.min(alignToleranceMs, intervalMs / 100)
    this.#scrape(isOnTime ? this.#dueMs : now)
  }

  #setNextTurn(): void {
    const { clock, schedule } = this.#context
    const { intervalMs } = this.target
    this.#followClock()
    // The turn that came while the scrape ran is taken at once, earlier ones are left out.
    const late = Math.floor((clock.now() - this.#dueMs) / intervalMs)
    if (late > 1) this.#dueMs += (late - 1) * intervalMs
    schedule.set(this, this.#dueMs + intervalMs - clock.now())
  }

  /** When the clock is set, the schedule goes with it: the next scrape comes after the same time as if it had not been. */
  #followClock(): void {
    if (this.#dueMs === 0) return
    const offsetMs = this.#context.clockWatch.offsetMs()
    const jumpMs = offsetMs - this.#clockOffsetMs
    this.#clockOffsetMs = offsetMs
    if (Math.abs(jumpMs) >= clockJumpMsMin) this.#dueMs += Math.round(jumpMs)
  }

  #scrape(timeMs: number): void {
    const startMs = this.#context.clock.elapsed()
    if (this.#startMs > 0) this.#intervalLength.observe((startMs - this.#startMs) / 1000)
    this.#startMs = startMs
    this.#timeMs = timeMs
    this.#reading.begin()
    if (this.forcedError === undefined) this.#fetcher.ask(this.#reading, this)
    else this.onFailure(new ScrapeError('target-limit', this.forcedError))
  }

  onAnswer(bodyBytes: number): void {
    if (this.#stopped) return
    const durationSeconds = this.#elapsedSeconds()
    this.#makeReport(1, durationSeconds, bodyBytes)
    if (this.series.layoutCount > 1) {
      void this.#writeInTurns(durationSeconds)
      return
    }
    this.series.write(this.#context.sink, this.#timeMs, this.#context.clock.now(), report)
    this.#conclude(durationSeconds, undefined)
  }

  onFailure(failure: unknown): void {
    if (this.#stopped) return
    const durationSeconds = this.#elapsedSeconds()
    const isTooLarge = failure instanceof ScrapeError && failure.failure === 'body-size-limit'
    this.#makeReport(0, durationSeconds, isTooLarge ? -1 : 0)
    this.series.writeFailure(this.#context.sink, this.#timeMs, report)
    this.#conclude(durationSeconds, failure)
    this.#logFailure(this.lastError)
  }

  #elapsedSeconds(): number {
    return (this.#context.clock.elapsed() - this.#startMs) / 1000
  }

  #conclude(durationSeconds: number, failure: unknown): void {
    this.#count(failure)
    this.health = failure === undefined ? 'up' : 'down'
    this.lastError = failure === undefined ? '' : messageOf(failure)
    this.lastScrapeMs = this.#timeMs
    this.lastDurationSeconds = durationSeconds
    this.#setNextTurn()
  }

  #logFailure(err: string): void {
    const { log, failureLogs } = this.#context
    const { jobName, scrapeFailureLogFile } = this.config
    log.debug('Scrape failed', { scrape_pool: jobName, target: this.target.url, err })
    if (scrapeFailureLogFile !== undefined) failureLogs.add(scrapeFailureLogFile, jobName, this.target.url, err)
  }

  /** Of the series that tell of the scrape, in their order. */
  #makeReport(up: number, durationSeconds: number, bodyBytes: number): void {
    const { counts } = this.series
    const isRead = this.#reading.hasRead
    report[0] = up
    report[1] = durationSeconds
    report[2] = isRead ? counts.scraped : 0
    report[3] = isRead ? counts.kept : 0
    report[4] = isRead ? counts.seriesAdded : 0
    report[5] = this.target.timeoutMs / 1000
    report[6] = this.config.sampleLimit
    report[7] = bodyBytes
  }

  /** A large target's frames, one in each turn of the event loop: other scrapes are due meanwhile. */
  async #writeInTurns(durationSeconds: number): Promise<void> {
    const { sink, clock } = this.#context
    const steps = this.series.writeSteps(sink, this.#timeMs, clock.now(), report)
    this.#unwritten = steps
    while (this.#unwritten !== undefined && steps.next().done !== true) await nextTurn()
    this.#unwritten = undefined
    if (!this.#stopped) this.#conclude(durationSeconds, undefined)
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
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
