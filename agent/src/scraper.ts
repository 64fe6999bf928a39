import type { PrometheusConfig, ScrapeConfig } from '@narthex/config/prometheus-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { createLocalSurroundings } from './discovery/local/surroundings.ts'
import { DiscoveryManager } from './discovery/manager.ts'
import { ConfiguredExporters } from './embedded/configured-exporters.ts'
import type { EmbeddedExporters } from './embedded/embedded-exporters.ts'
import { InProcessTargets } from './scrape/in-process.ts'
import { ScrapeManager } from './scrape/scrape-manager.ts'
import type { TargetMetadata, TargetsStatus } from './scrape/scrape-manager.ts'
import type { TargetShard } from './scrape/target-shard.ts'
import type { FrameSink } from './store/frame.ts'

export interface ScraperOptions {
  readonly config: PrometheusConfig
  /** Takes what is scraped: the agent's log, or the server's head. */
  readonly sink: FrameSink
  readonly log: Logger
  readonly registry: Registry
  readonly userAgent: string
  /** Exporters of this process, scraped by calling them. */
  readonly inProcessTargets?: InProcessTargets
  /** Makes exporters for the `exporters` section and for what local discovery finds; over the same `inProcessTargets`. */
  readonly embedded?: EmbeddedExporters
  readonly clock?: Clock
  /** Keep the start ("created") timestamps that targets give: `created-timestamp-zero-ingestion` or `st-storage`; default false. */
  readonly startTimestamps?: boolean
  /** Scrape only these of all targets. */
  readonly shard?: TargetShard
}

/** The discovery and scrape stages: finds the targets of a configuration and writes their samples to a sink. */
export interface Scraper {
  start(): void
  /** Takes a new configuration; targets that stay keep their series and schedule. */
  reload(config: PrometheusConfig): void
  /** Stops without stale markers. */
  stop(): Promise<void>
  targets(): TargetsStatus
  metadata(): Iterable<TargetMetadata>
  /** Series of the last answers of all targets. */
  activeSeries(): number
  /** The configuration that a job runs with, those of exporters in this process included. */
  jobConfig(jobName: string): ScrapeConfig | undefined
  /** What the configuration asks for and gets no effect yet, one line each. */
  warnings(): readonly string[]
}

export function createScraper(options: ScraperOptions): Scraper {
  const { sink, log, registry, userAgent, startTimestamps = false, shard } = options
  const clock = options.clock ?? systemClock
  const inProcess = options.inProcessTargets ?? new InProcessTargets()
  const manager = new ScrapeManager({
    sink,
    log,
    registry,
    clock,
    inProcess,
    userAgent,
    startTimestamps,
    ...(shard === undefined ? {} : { shard }),
  })
  const exporters = new ConfiguredExporters(options.embedded, log)
  const discovery = new DiscoveryManager({
    log,
    registry,
    clock,
    name: 'scrape',
    userAgent,
    local: createLocalSurroundings(registry, {
      embedded: options.embedded,
      *scrapeUrls(exceptJob) {
        for (const { scrapePool, scrapeUrl } of manager.targets().active) if (scrapePool !== exceptJob) yield scrapeUrl
      },
      configuredServices: () => exporters.services(),
    }),
    onUpdate: (groups) => manager.setGroups(groups),
  })
  let warnings: readonly string[] = []

  function apply(config: PrometheusConfig): void {
    const configured = exporters.apply(config.exporters)
    const jobs = [...config.scrapeConfigs, ...configured.jobs]
    manager.apply(jobs, config.global.externalLabels)
    warnings = configured.warnings
    discovery.apply(jobs)
  }

  return {
    start: () => apply(options.config),
    reload: apply,
    async stop() {
      discovery.stop()
      await manager.stop()
    },
    targets: () => manager.targets(),
    metadata: () => manager.metadata(),
    activeSeries: () => manager.activeSeries,
    jobConfig: (jobName) => manager.config(jobName),
    warnings: () => warnings,
  }
}
