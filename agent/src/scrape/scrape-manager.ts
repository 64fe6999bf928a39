import { hostname } from 'node:os'
import type { ScrapeConfig } from '@narthex/config/scrape-config'
import type { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { Clock } from '../clock.ts'
import type { TargetGroup } from '../discovery/target-groups.ts'
import type { FamilyMetadata, FrameSink } from '../store/frame.ts'
import { ClockWatch } from './clock-watch.ts'
import { FailureLogs } from './failure-logs.ts'
import type { InProcessTargets } from './in-process.ts'
import type { ScrapeContext, TargetHealth } from './scrape-loop.ts'
import { ScrapeSchedule } from './scrape-schedule.ts'
import { createScrapeMetrics } from './scrape-metrics.ts'
import { ScrapePool } from './scrape-pool.ts'
import type { TargetShard } from './target-shard.ts'
import { makeOffsetSeed } from './target.ts'

/** One active target as the Targets API shows it. */
export interface ActiveTargetStatus {
  readonly discoveredLabels: Labels
  readonly labels: Labels
  readonly scrapePool: string
  readonly scrapeUrl: string
  readonly health: TargetHealth
  readonly lastError: string
  /** Milliseconds since 1970; 0 before the first scrape. */
  readonly lastScrapeMs: number
  readonly lastScrapeDurationSeconds: number
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
}

export interface DroppedTargetStatus {
  readonly discoveredLabels: Labels
  readonly scrapePool: string
}

export interface TargetsStatus {
  readonly active: readonly ActiveTargetStatus[]
  readonly dropped: readonly DroppedTargetStatus[]
  readonly droppedCounts: Readonly<Record<string, number>>
  /** Targets that other agents scrape, by job; only those jobs that have some. */
  readonly otherShardCounts: Readonly<Record<string, number>>
}

export interface TargetMetadata {
  readonly target: Labels
  readonly families: readonly FamilyMetadata[]
}

export interface ScrapeManagerOptions {
  readonly sink: FrameSink
  readonly log: Logger
  readonly registry: Registry
  readonly clock: Clock
  readonly inProcess: InProcessTargets
  readonly userAgent: string
  /** Keep the start ("created") timestamps that targets give: `created-timestamp-zero-ingestion` or `st-storage`; default false. */
  readonly startTimestamps?: boolean
  /** Scrape only these of all targets. */
  readonly shard?: TargetShard
  /** Name of this machine for the offsets; default: the system's. */
  readonly hostName?: string
}

/** All scrape pools, by job. */
export class ScrapeManager {
  readonly #options: ScrapeManagerOptions
  readonly #metrics: ReturnType<typeof createScrapeMetrics>
  readonly #clockWatch: ClockWatch
  readonly #schedule: ScrapeSchedule
  readonly #failureLogs: FailureLogs
  #pools = new Map<string, ScrapePool>()
  /** Of jobs that are gone, until their series are ended. */
  readonly #endingPools = new Map<string, ScrapePool>()

  constructor(options: ScrapeManagerOptions) {
    this.#options = options
    this.#metrics = createScrapeMetrics(options.registry)
    this.#clockWatch = new ClockWatch(options.clock, options.log)
    this.#schedule = new ScrapeSchedule(options.clock)
    this.#failureLogs = new FailureLogs(options.log, () => options.clock.now())
    options.registry.onCollect(() => this.#collect())
  }

  /** Creates, reloads and ends pools to match. */
  apply(configs: readonly ScrapeConfig[], externalLabels: Labels): void {
    this.#failureLogs.reopen(configs.flatMap(({ scrapeFailureLogFile }) => scrapeFailureLogFile ?? []))
    const before = this.#pools
    this.#pools = new Map()
    for (const config of configs) {
      const pool = before.get(config.jobName)
      before.delete(config.jobName)
      const next = this.#openPool(pool, config, externalLabels)
      if (next !== undefined) this.#pools.set(config.jobName, next)
    }
    for (const [jobName, pool] of before) this.#endPool(jobName, pool)
  }

  /** Takes what discovery found for these jobs. */
  setGroups(groupsByJob: ReadonlyMap<string, readonly TargetGroup[]>): void {
    for (const [jobName, groups] of groupsByJob) this.#pools.get(jobName)?.sync(groups)
  }

  /** Whether everything that discovery found is applied. */
  get isSynced(): boolean {
    return [...this.#pools.values()].every((pool) => pool.isSynced)
  }

  /** Ends all scraping without stale markers: the process stops and will be back. */
  async stop(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#endingPools.values()]
    this.#pools.clear()
    this.#endingPools.clear()
    await Promise.all(pools.map((pool) => pool.stop()))
    await this.#failureLogs.close()
  }

  targets(): TargetsStatus {
    const active: ActiveTargetStatus[] = []
    const dropped: DroppedTargetStatus[] = []
    const droppedCounts: Record<string, number> = {}
    const otherShardCounts: Record<string, number> = {}
    for (const [scrapePool, pool] of this.#pools) {
      for (const loop of pool.loops) {
        const { target } = loop
        active.push({
          discoveredLabels: target.discovered,
          labels: target.labels,
          scrapePool,
          scrapeUrl: target.url,
          health: loop.health,
          lastError: loop.lastError,
          lastScrapeMs: loop.lastScrapeMs,
          lastScrapeDurationSeconds: loop.lastDurationSeconds,
          scrapeIntervalMs: target.intervalMs,
          scrapeTimeoutMs: target.timeoutMs,
        })
      }
      for (const discoveredLabels of pool.dropped) dropped.push({ discoveredLabels, scrapePool })
      droppedCounts[scrapePool] = pool.droppedCount
      if (pool.otherShardCount > 0) otherShardCounts[scrapePool] = pool.otherShardCount
    }
    return { active, dropped, droppedCounts, otherShardCounts }
  }

  /** Series of the last answers of all targets. */
  get activeSeries(): number {
    let count = 0
    for (const pool of this.#pools.values()) for (const { series } of pool.loops) count += series.seriesCount
    return count
  }

  /** The configuration that a job runs with. */
  config(jobName: string): ScrapeConfig | undefined {
    return this.#pools.get(jobName)?.config
  }

  /** HELP, TYPE and UNIT of every active target. */
  *metadata(): Iterable<TargetMetadata> {
    for (const pool of this.#pools.values()) {
      for (const loop of pool.loops) yield { target: loop.target.labels, families: [...loop.families.all()] }
    }
  }

  /** A pool that cannot be made or changed is told in one line and does not keep the others from their work; a running one goes on as it was. */
  #openPool(pool: ScrapePool | undefined, config: ScrapeConfig, externalLabels: Labels): ScrapePool | undefined {
    try {
      if (pool === undefined) return this.#resumePool(config) ?? this.#createPool(config, externalLabels)
      pool.reload(config)
    } catch (error) {
      if (pool === undefined) this.#metrics.poolsFailed.inc()
      else this.#metrics.reloadsFailed.inc()
      const message = pool === undefined ? 'error creating new scrape pool' : 'error reloading scrape pool'
      this.#options.log.error(message, { scrape_pool: config.jobName, err: error })
    }
    return pool
  }

  #endPool(jobName: string, pool: ScrapePool): void {
    this.#endingPools.set(jobName, pool)
    pool.end(() => this.#endingPools.delete(jobName))
  }

  /** A second pool would write in the middle of the series that the first one ends. */
  #resumePool(config: ScrapeConfig): ScrapePool | undefined {
    const pool = this.#endingPools.get(config.jobName)
    pool?.resume(config)
    this.#endingPools.delete(config.jobName)
    return pool
  }

  #createPool(config: ScrapeConfig, externalLabels: Labels): ScrapePool {
    const { clock, log, sink, inProcess, userAgent, hostName, startTimestamps = false, shard } = this.#options
    const offsetSeed = makeOffsetSeed(hostName ?? hostname(), externalLabels)
    const context: ScrapeContext = {
      clock,
      schedule: this.#schedule,
      log,
      sink,
      metrics: this.#metrics,
      inProcess,
      offsetSeed,
      userAgent,
      clockWatch: this.#clockWatch,
      failureLogs: this.#failureLogs,
      startTimestamps,
      shard,
    }
    return new ScrapePool(config, context)
  }

  #collect(): void {
    const { targets, otherShards, metadataEntries, metadataBytes } = this.#metrics
    targets.clear()
    otherShards.clear()
    metadataEntries.clear()
    metadataBytes.clear()
    for (const [jobName, pool] of this.#pools) {
      const loops = [...pool.loops]
      targets.set(loops.length, jobName)
      if (this.#options.shard !== undefined) otherShards.set(pool.otherShardCount, jobName)
      let entries = 0
      let bytes = 0
      for (const { families } of loops) {
        entries += families.size
        for (const { name, help, unit } of families.all()) bytes += name.length + help.length + unit.length
      }
      metadataEntries.set(entries, jobName)
      metadataBytes.set(bytes, jobName)
    }
  }
}
