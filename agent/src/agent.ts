import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { Clock } from './clock.ts'
import { createClients } from './http/clients.ts'
import type { Clients } from './http/clients.ts'
import type { InProcessTargets } from './scrape/in-process.ts'
import type { TargetMetadata, TargetsStatus } from './scrape/scrape-manager.ts'
import { createScraper } from './scraper.ts'
import { createPoster } from './send/http-poster.ts'
import { RemoteStorage } from './send/remote-storage.ts'

export interface AgentOptions {
  readonly config: PrometheusConfig
  /** `--storage.agent.path`. */
  readonly storagePath: string
  readonly log: Logger
  readonly registry: Registry
  /** Exporters of this process, scraped by calling them. */
  readonly inProcessTargets?: InProcessTargets
  readonly clock?: Clock
  /** Default: `Narthex/<version>`. */
  readonly userAgent?: string
  /** Byte cap of the log on disk. */
  readonly logBytesMax?: number
}

export interface AgentStatus {
  readonly config: PrometheusConfig
  readonly targets: TargetsStatus
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
}

const defaultUserAgent = 'Narthex/0.1.0'

/** Throws when the storage path cannot be used. Nothing runs until `start`, except that a backlog of the last run is sent. */
export function createAgent(options: AgentOptions): Agent {
  const { log, registry } = options
  const userAgent = options.userAgent ?? defaultUserAgent
  let config = options.config
  let clients: Clients[] = []
  const storage = new RemoteStorage({
    directory: options.storagePath,
    remotes: config.remoteWrite,
    externalLabels: config.global.externalLabels,
    createPoster(remote) {
      const own = createClients(remote.http, { userAgent, timeoutMs: remote.remoteTimeoutMs })
      clients.push(own)
      return createPoster(own, remote.url, remote.remoteTimeoutMs)
    },
    registry,
    logger: log,
    userAgent,
    ...(options.logBytesMax === undefined ? {} : { bytesMax: options.logBytesMax }),
  })
  const scraper = createScraper({
    config,
    sink: storage,
    log,
    registry,
    userAgent,
    ...(options.inProcessTargets === undefined ? {} : { inProcessTargets: options.inProcessTargets }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  })

  return {
    start: () => scraper.start(),
    async reload(next) {
      config = next
      scraper.reload(next)
      const before = clients
      clients = []
      await storage.applyConfig(next.remoteWrite, next.global.externalLabels)
      await Promise.all(before.map((client) => client.close()))
    },
    async stop(graceMs) {
      await scraper.stop()
      await storage.close(graceMs)
      await Promise.all(clients.map((client) => client.close()))
    },
    status: () => ({ config, targets: scraper.targets(), warnings: scraper.warnings() }),
    metadata: () => scraper.metadata(),
  }
}
