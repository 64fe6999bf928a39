import { registerApi } from '@narthex/api/api'
import type { ApiBackend } from '@narthex/api/backend'
import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { sendCompressed } from '@narthex/http/compress'
import type { HttpServer } from '@narthex/http/server'
import { Receiver } from '@narthex/receive/receive'
import { addWriteRoute } from '@narthex/receive/route'
import type { Logger } from '@narthex/service/logger'
import type { FastifyInstance } from 'fastify'
import type { Registry } from '@narthex/service/metrics'
import { spawnWorker } from '@narthex/service/worker'
import { defaultReserveBytes } from '@narthex/tsdb/disk-reserve'
import { openStore, type Store } from '@narthex/tsdb/store'
import { AlertingParts, type AlertmanagerSettings } from './alerting.ts'
import { toParseOptions } from './feature-flags.ts'
import { registerPages } from './pages.ts'
import { createQueryBackend, createLastSamplesQuery, createRuleQuery } from './query-backend.ts'
import { QueryPool } from './query-pool.ts'
import type { QueryWorkerData } from './query-protocol.ts'
import { createRemoteReadBackend, type RemoteReadSettings } from './remote-read-backend.ts'
import { createRuleAppender } from './rule-appender.ts'
import { mayCutLog } from './send/log-hold.ts'
import { RemoteWriter } from './send/remote-writer.ts'
import { ServerState, type ScrapeView } from './server-state.ts'

// Builds the receiver's parts and connects them: storage ← receive, scrape and rules; storage → queries → API; rules → alerts.

export interface ServerSettings {
  /** Data directory, in Prometheus' form. */
  readonly directory: string
  /** 0 = no limit. */
  readonly retentionMs: number
  /** 0 = no limit. */
  readonly retentionBytesMax: number
  readonly minBlockRangeMs: number
  /** Undefined: by the retention. */
  readonly maxBlockRangeMs: number | undefined
  /** `--storage.tsdb.delay-compact-file.path`; '' = compact at once. */
  readonly uploadedFile: string
  readonly memoryBytesMax: number | undefined
  readonly walCompression: boolean
  /** Of the disk, for when it is full; undefined: by the size of the file system. */
  readonly diskReserveBytes: number | undefined
  readonly lookbackMs: number
  readonly queryTimeoutMs: number
  /** Queries at once (in threads) and waiting. */
  readonly queryConcurrency: number
  readonly querySamplesMax: number
  readonly remoteRead: RemoteReadSettings
  readonly features: readonly string[]
  /** Where users reach this server, without a slash at the end. */
  readonly externalUrl: string
  /** Undefined: /api/v1/write answers 404 with this reason. */
  readonly receiverRefusal: string | undefined
  readonly outageToleranceMs: number
  readonly gracePeriodMs: number
  readonly resendDelayMs: number
  readonly notificationQueue: number
  readonly notificationBatch: number
  readonly alertmanager: AlertmanagerSettings
  readonly flags: Readonly<Record<string, string>>
  readonly version: string
  readonly compatibleVersion: string
  /** How long samples are still sent to remotes before a stop. */
  readonly flushDeadlineMs: number
  readonly enableLifecycle: boolean
  readonly enableAdminApi: boolean
  /** `--web.cors.origin`: which other origins may read the API, as a fully anchored expression. */
  readonly corsOrigin: string
  readonly pageTitle: string
  /** Whether alerts that wait are sent before a stop. */
  readonly drainNotifications: boolean
}

export interface ServerParts {
  readonly http: HttpServer
  readonly log: Logger
  readonly registry: Registry
  readonly settings: ServerSettings
  reload(): Promise<void>
  quit(): void
}

/** Bytes of columns one query may hold. */
const queryBytesMax = 1024 ** 3
/** Threads that evaluate queries at the same time; more queries wait. */
const queryThreadsMax = 4
const idleWorkerMs = 5 * 60_000
const workerGraceMs = 2_000
const drainMsMax = 1_000

/** The receiver: everything but discovery and scraping, which `scrape` brings in. */
export class Server {
  readonly store: Store
  readonly pool: QueryPool
  readonly #readPool: QueryPool
  readonly #remoteWriter: RemoteWriter
  readonly state: ServerState
  readonly #parts: ServerParts
  readonly #alerting: AlertingParts
  readonly #receiver: Receiver
  readonly #metricsWriter = new FamilyWriter()
  #ready = false
  #stopping = false

  private constructor(parts: ServerParts, store: Store) {
    const { log, registry, settings } = parts
    this.#parts = parts
    this.store = store
    this.pool = createPool(parts, store, settings.queryConcurrency)
    this.#readPool = createPool(parts, store, settings.remoteRead.concurrencyMax || queryThreadsMax)
    this.#receiver = new Receiver({
      appender: store.head,
      metadata: { setMetadata: (family, type, help, unit) => store.head.appendMetadata(family, type, help, unit) },
      now: () => Date.now(),
      refusal: () => store.disk.refusal(),
      onCommitError: (error) => log.error('cannot write the log', { err: error }),
    })
    this.#alerting = new AlertingParts({
      log,
      registry,
      settings,
      query: createRuleQuery(this.pool, settings.queryTimeoutMs),
      selectLastSamples: createLastSamplesQuery(this.pool, settings.queryTimeoutMs),
      beginAppend: createRuleAppender(store.head),
    })
    this.state = new ServerState({ settings, store, alerting: this.#alerting, pool: this.pool })
    this.#remoteWriter = new RemoteWriter({
      directory: settings.directory,
      startSegment: store.wal.segment,
      retentionBytesMax: settings.retentionBytesMax,
      userAgent: `Narthex/${settings.version}`,
      metadata: () => this.state.metadata(),
      log: log.with({ component: 'remote' }),
      registry,
    })
    this.#registerRoutes()
  }

  /** Opens the storage (the log is replayed), makes the parts and adds their routes; nothing runs until `start`. */
  static async open(parts: ServerParts): Promise<Server> {
    const { settings, log, registry } = parts
    let server: Server | undefined
    const store = openStore({
      directory: settings.directory,
      retentionMs: settings.retentionMs,
      retentionBytesMax: settings.retentionBytesMax,
      chunkRangeMs: settings.minBlockRangeMs,
      ...(settings.maxBlockRangeMs === undefined ? {} : { maxBlockRangeMs: settings.maxBlockRangeMs }),
      ...(settings.uploadedFile === '' ? {} : { uploadedFile: settings.uploadedFile }),
      walCompression: settings.walCompression,
      mayCutLog: (walDirectory, activeSegment) => mayCutLog(walDirectory, activeSegment, server?.neededSegment ?? 0),
      readersEnded: () => server?.queriesEnded() ?? Promise.resolve(),
      diskReserveBytes: settings.diskReserveBytes ?? defaultReserveBytes(settings.directory),
      log,
      registry,
      ...(settings.memoryBytesMax === undefined ? {} : { memoryBytesMax: settings.memoryBytesMax }),
    })
    try {
      server = new Server(parts, store)
      return server
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Takes over a configuration, at start and at each reload; throws ConfigError when a rule file is wrong, and nothing has changed then. */
  async apply(config: PrometheusConfig): Promise<void> {
    await this.#alerting.apply(config)
    this.state.setConfig(config)
  }

  /**
   * Sends what the storage takes to the remotes of a configuration, at start and at each reload. Rejects with what the first remote that
   * cannot be made says.
   */
  applyRemoteWrite(config: Pick<PrometheusConfig, 'remoteWrite' | 'global'>): Promise<void> {
    return this.#remoteWriter.apply(config)
  }

  /** Resolves when the queries and remote reads that run now have ended. */
  async queriesEnded(): Promise<void> {
    await Promise.all([this.pool.runningEnded(), this.#readPool.runningEnded()])
  }

  /** The oldest segment of the log that a remote still needs; Infinity: none does. */
  get neededSegment(): number {
    return this.#remoteWriter.neededSegment
  }

  /** Who scrapes for this server, for the Targets page; undefined = nobody. */
  setScrapeView(view: ScrapeView): void {
    this.state.setScrapeView(view)
  }

  /** The server's own metrics as text; the bytes are the caller's. */
  async renderMetrics(): Promise<Buffer> {
    await this.#parts.registry.prepare()
    this.#metricsWriter.reset()
    this.#parts.registry.write(this.#metricsWriter)
    return Buffer.from(this.#metricsWriter.finish())
  }

  /** Adds the remote-write route to a further listener. */
  addWriteRoute(app: FastifyInstance): void {
    addWriteRoute(app, { receiver: this.#receiver, registry: this.#parts.registry })
  }

  start(): void {
    this.#alerting.start()
    this.#ready = true
  }

  /** From now on requests are answered with 503; those that run go on. */
  beginStop(): void {
    this.#stopping = true
  }

  /**
   * Ends rules and queries, then closes the log: what was acknowledged is on the disk then, whatever failed before. The HTTP
   * server is its owner's to close, before this.
   */
  async stop(graceMs: number): Promise<void> {
    this.beginStop()
    const drainMs = this.#parts.settings.drainNotifications ? Math.min(graceMs / 2, drainMsMax) : 0
    try {
      await this.#alerting.stop(drainMs)
      await Promise.all([
        this.pool.close(),
        this.#readPool.close(),
        this.#remoteWriter.stop(Math.min(graceMs / 2, this.#parts.settings.flushDeadlineMs)),
      ])
    } finally {
      await this.store.close()
    }
  }

  #registerRoutes(): void {
    const { http, settings, log, registry } = this.#parts
    const { state } = this
    const reads = registry.gauge(
      'prometheus_api_remote_read_queries',
      'The current number of remote read queries being executed or waiting.',
    )
    const backend: ApiBackend = {
      query: createQueryBackend(this.pool, settings.queryTimeoutMs),
      remoteRead: createRemoteReadBackend(this.#readPool, settings.remoteRead, () => state.externalLabels(), reads.labels()),
      state,
      admin: settings.enableAdminApi ? this.store.admin : undefined,
      parse: toParseOptions(settings.features),
      keepsExemplars: settings.features.includes('exemplar-storage'),
      limits: { timeoutMs: settings.queryTimeoutMs },
      corsOrigin: settings.corsOrigin,
      reportBug: (error) => log.error('cannot answer an API request: this is a bug in Narthex', { err: error }),
      lifecycle: {
        isReady: () => this.#ready && !this.#stopping,
        isStopping: () => this.#stopping,
        reload: settings.enableLifecycle ? () => this.#parts.reload() : undefined,
        quit: settings.enableLifecycle ? () => this.#parts.quit() : undefined,
      },
      now: () => Date.now(),
    }
    http.routes((app, _options, done) => {
      app.get('/metrics', async (request, reply) =>
        sendCompressed(request, reply, 'text/plain; version=0.0.4; charset=utf-8', await this.renderMetrics()),
      )
      if (settings.receiverRefusal === undefined) {
        this.addWriteRoute(app)
      } else {
        const refusal = `${settings.receiverRefusal}\n`
        app.post('/api/v1/write', (_request, reply) => reply.code(404).type('text/plain; charset=utf-8').send(refusal))
      }
      app.get('/api/v1/narthex/notifications', (_request, reply) => {
        return reply.type('application/json').send(JSON.stringify({ status: 'success', data: this.#alerting.recentNotifications() }))
      })
      app.get('/api/v1/status/remote_write', async (_request, reply) => {
        return reply
          .type('application/json')
          .send(JSON.stringify({ status: 'success', data: { remotes: await this.#remoteWriter.status() } }))
      })
      this.#alerting.registerRoutes(app)
      registerApi(app, backend)
      registerPages(app, { prefix: http.routePrefix, title: settings.pageTitle })
      done()
    })
    if (http.routePrefix !== '') http.fastify.get('/', (_request, reply) => reply.redirect(`${http.routePrefix}/`))
  }
}

function createPool(parts: ServerParts, store: Store, concurrency: number): QueryPool {
  const { settings, log } = parts
  return new QueryPool({
    startWorker() {
      const head = store.head.descriptor()
      const data: QueryWorkerData = {
        head,
        options: {
          lookbackMs: settings.lookbackMs,
          samplesMax: settings.querySamplesMax,
          bytesMax: queryBytesMax,
          defaultStepMs: 60_000,
          featureFlags: settings.features,
        },
      }
      const worker = spawnWorker('query-worker', new URL('./query-worker.ts', import.meta.url), { workerData: data })
      return { worker, release: () => store.head.releaseReader(head) }
    },
    listBlocks: () => store.blocks.shelf,
    listDeletions: () => store.head.deletions.view,
    workersMax: Math.min(concurrency, queryThreadsMax),
    queueMax: 1_000,
    graceMs: workerGraceMs,
    idleMs: idleWorkerMs,
    log,
  })
}
