import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { DiscoveryManager } from './discovery/manager.ts'
import { InProcessTargets } from './scrape/in-process.ts'
import { ScrapeManager } from './scrape/scrape-manager.ts'
import type { TargetMetadata, TargetsStatus } from './scrape/scrape-manager.ts'
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
  readonly clock?: Clock
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
  /** What the configuration asks for and gets no effect yet, one line each. */
  warnings(): readonly string[]
}

export function createScraper(options: ScraperOptions): Scraper {
  const { sink, log, registry, userAgent } = options
  const clock = options.clock ?? systemClock
  const inProcess = options.inProcessTargets ?? new InProcessTargets()
  const manager = new ScrapeManager({ sink, log, registry, clock, inProcess, userAgent })
  const discovery = new DiscoveryManager({
    log,
    registry,
    clock,
    name: 'scrape',
    userAgent,
    onUpdate: (groups) => manager.setGroups(groups),
  })
  let warnings: readonly string[] = []

  function apply(config: PrometheusConfig): void {
    warnings = manager.apply(config.scrapeConfigs, config.global.externalLabels)
    discovery.apply(config.scrapeConfigs)
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
    warnings: () => warnings,
  }
}
