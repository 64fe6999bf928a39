import type { PrometheusConfig, ScrapeConfig } from '@narthex/config/prometheus-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { createAgentMetrics } from './agent-metrics.ts'
import type { Clock } from './clock.ts'
import type { EmbeddedExporters } from './embedded/embedded-exporters.ts'
import type { InProcessTargets } from './scrape/in-process.ts'
import type { TargetShard } from './scrape/target-shard.ts'
import type { TargetMetadata, TargetsStatus } from './scrape/scrape-manager.ts'
import { createScraper } from './scraper.ts'
import { openRemote } from './send/open-remote.ts'
import { RemoteStorage } from './send/remote-storage.ts'
import type { RemoteStorageStatus } from './send/remote-status.ts'
import type { StorageLimits } from './send/remote-storage.ts'

export interface AgentOptions {
  readonly config: PrometheusConfig
  /** `--storage.agent.path`. */
  readonly storagePath: string
  readonly log: Logger
  readonly registry: Registry
  /** Exporters of this process, scraped by calling them. */
  readonly inProcessTargets?: InProcessTargets
  /** Makes exporters for the `exporters` section and for what local discovery finds; the caller closes it after `stop`. */
  readonly embedded?: EmbeddedExporters
  readonly clock?: Clock
  /** Keep and send the start ("created") timestamps that targets give; default false. */
  readonly startTimestamps?: boolean
  /** Scrape only these of all targets. */
  readonly shard?: TargetShard
  /** Default: `Narthex/<version>`. */
  readonly userAgent?: string
  readonly limits?: StorageLimits
  /** Wait between probes while a remote refuses us (401, 403, 404). */
  readonly holdMs?: number
  /** Bytes of refused batches kept per remote; 0 = none. */
  readonly deadLetterBytesMax?: number
  /** False: `--storage.agent.no-lockfile`. */
  readonly lock?: boolean
}

export interface AgentStatus {
  readonly config: PrometheusConfig
  readonly targets: TargetsStatus
  readonly remoteWrite: RemoteStorageStatus
  /** What the configuration asks for and gets no effect yet, one line each. */
  readonly warnings: readonly string[]
}

/** The whole agent: discovery → scrape → log on disk → remote write. */
export interface Agent {
  start(): void
  /** Takes a checked configuration: scrapes change at once, the promise is for the remotes. */
  reload(config: PrometheusConfig): Promise<void>
  /** Stops scraping, then sends what can be sent within `graceMs`; the rest is on disk for the next start. */
  stop(graceMs: number): Promise<void>
  status(): AgentStatus
  metadata(): Iterable<TargetMetadata>
  /** The configuration that a scrape job runs with. */
  jobConfig(jobName: string): ScrapeConfig | undefined
}

const defaultUserAgent = 'Narthex/0.1.0'

/** Throws when the storage path cannot be used. Nothing runs until `start`, except that a backlog of the last run is sent. */
export function createAgent(options: AgentOptions): Agent {
  const { log, registry } = options
  const userAgent = options.userAgent ?? defaultUserAgent
  let config = options.config
  const storage = new RemoteStorage({
    directory: options.storagePath,
    remotes: config.remoteWrite,
    externalLabels: config.global.externalLabels,
    createPoster: (remote) => openRemote(remote, userAgent),
    registry,
    logger: log,
    userAgent,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.holdMs === undefined ? {} : { holdMs: options.holdMs }),
    ...(options.deadLetterBytesMax === undefined ? {} : { deadLetterBytesMax: options.deadLetterBytesMax }),
    ...(options.lock === undefined ? {} : { lock: options.lock }),
  })
  const scraper = createScraper({
    config,
    sink: storage,
    log,
    registry,
    userAgent,
    ...(options.inProcessTargets === undefined ? {} : { inProcessTargets: options.inProcessTargets }),
    ...(options.embedded === undefined ? {} : { embedded: options.embedded }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.startTimestamps === undefined ? {} : { startTimestamps: options.startTimestamps }),
    ...(options.shard === undefined ? {} : { shard: options.shard }),
  })

  createAgentMetrics(registry, () => ({ ...storage.counts(), activeSeries: scraper.activeSeries() }))

  return {
    start: () => scraper.start(),
    async reload(next) {
      config = next
      scraper.reload(next)
      await storage.applyConfig(next.remoteWrite, next.global.externalLabels)
    },
    async stop(graceMs) {
      await scraper.stop()
      await storage.close(graceMs)
    },
    status: () => ({ config, targets: scraper.targets(), remoteWrite: storage.status(), warnings: scraper.warnings() }),
    metadata: () => scraper.metadata(),
    jobConfig: (jobName) => scraper.jobConfig(jobName),
  }
}
