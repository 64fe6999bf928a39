import { registerApi } from '@narthex/api/api'
import type { ApiBackend } from '@narthex/api/backend'
import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import { describeFamilies } from '@narthex/exposition/families-json'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { sendCompressed } from '@narthex/http/compress'
import type { HttpServer } from '@narthex/http/server'
import { addImportRoutes } from '@narthex/receive/import-route'
import { Receiver } from '@narthex/receive/receive'
import type { RouteAdder } from '@narthex/receive/route'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { exemplarsMax } from '@narthex/tsdb/exemplars/exemplar-ring'
import type { Store } from '@narthex/tsdb/store'
import { AlertingParts, type AlertmanagerSettings } from './alerting.ts'
import { keepsExemplars, toParseOptions } from './feature-flags.ts'
import { renderRegistry } from './render-registry.ts'
import type { ScrapedExemplars, ScrapedMetadata } from './head-appender.ts'
import { registerLimitMetrics, viewLimits, type LimitParts } from './limits-view.ts'
import { MemoryGuard } from './memory-guard.ts'
import type { MemoryPlan } from './memory-plan.ts'
import { registerPages } from './pages.ts'
import { createQueryBackend, createLastSamplesQuery, createRuleQuery } from './query-backend.ts'
import { createQueryBook } from './query-book.ts'
import { QueryJournal } from './query-journal.ts'
import { QueryMemory } from './query-memory.ts'
import type { QueryPool } from './query-pool.ts'
import { createQueryPool, type BootedWorker } from './query-threads.ts'
import { createRemoteReadBackend, type RemoteReadSettings } from './remote-read-backend.ts'
import { createRuleAppender } from './rule-appender.ts'
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
  /** Of the whole process; undefined: by the limit of its control group, or half of the machine. */
  readonly processMemoryBytesMax: number | undefined
  /** Of one query; undefined: what there is for all. */
  readonly queryMemoryBytesMax: number | undefined
  /** Of the head; undefined: what the other parts leave. */
  readonly memoryBytesMax: number | undefined
  /** Series in the head, and of one metric name in it; 0 = no limit. */
  readonly seriesMax: number
  readonly seriesPerMetricMax: number
  /** `storage.exemplars.max_exemplars` of the configuration at the start; not positive: none. */
  readonly exemplarsMax: number
  readonly walCompression: boolean
  /** Whether native histograms with custom buckets are stored, which a Prometheus before 3.0 cannot read. */
  readonly customBuckets: boolean
  /** Of the disk, for when it is full; undefined: by the size of the file system. */
  readonly diskReserveBytes: number | undefined
  readonly lookbackMs: number
  readonly queryTimeoutMs: number
  /** Queries at once (in threads) and waiting. */
  readonly queryConcurrency: number
  readonly querySamplesMax: number
  /** Queries that take longer are logged; 0 = none. */
  readonly slowQueryMs: number
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

const drainMsMax = 1_000

/** What the server is built on. */
export interface OpenedParts {
  readonly store: Store
  readonly plan: MemoryPlan
  readonly addWriteRoute: RouteAdder
  /** A thread for queries that was started already. */
  readonly bootedWorker: BootedWorker | undefined
}

/** The receiver: everything but discovery and scraping, which `scrape` brings in. */
export class Server {
  readonly store: Store
  readonly pool: QueryPool
  readonly #readPool: QueryPool
  readonly #queryMemory: QueryMemory
  readonly #journal: QueryJournal
  readonly #guard: MemoryGuard
  readonly #limits: LimitParts
  readonly #remoteWriter: RemoteWriter
  readonly state: ServerState
  readonly #parts: ServerParts
  readonly #alerting: AlertingParts
  readonly receiver: Receiver
  /** Adds the remote-write route to a further listener. */
  readonly addWriteRoute: RouteAdder
  readonly #metricsWriter = new FamilyWriter()
  #ready = false
  #stopping = false

  /** Makes the parts and adds their routes; nothing runs until `start`. `ServerOpening` is the way to it. */
  constructor(parts: ServerParts, { store, plan, addWriteRoute, bootedWorker }: OpenedParts) {
    this.addWriteRoute = addWriteRoute
    const { log, registry, settings } = parts
    this.#parts = parts
    this.store = store
    const memory = (this.#queryMemory = new QueryMemory(plan.queryBytes, plan.queryBytesMax))
    this.#guard = new MemoryGuard({ bytesMax: plan.processBytesMax, onLook: () => this.#adapt(), log })
    this.#limits = { head: store.head, plan, guard: this.#guard, queries: memory }
    registerLimitMetrics(registry, this.#limits)
    store.head.pressure = () => this.#guard.refusal()
    let queryId = 0
    const shared = { parts, store, plan, memory, nextId: () => ++queryId }
    const threads = Math.min(settings.queryConcurrency, plan.queryThreads)
    const journal = (this.#journal = new QueryJournal({
      registry,
      log: log.with({ component: 'query' }),
      slowMs: settings.slowQueryMs,
      concurrencyMax: threads,
      active: () => this.pool.active(),
    }))
    this.pool = createQueryPool({ ...shared, threads, booted: bootedWorker, onEnd: (ended) => journal.note(ended) })
    this.#readPool = createQueryPool({ ...shared, threads: Math.min(settings.remoteRead.concurrencyMax || Infinity, plan.readThreads) })
    this.receiver = new Receiver({
      appender: store.head,
      metadata: {
        setMetadata: (family, type, help, unit) => store.head.appendMetadata(family, type, help, unit),
        series: store.metadata.isOn ? store.metadata : undefined,
      },
      exemplars: keepsExemplars(settings) ? store.exemplars : undefined,
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
    this.state = new ServerState({ settings, store, alerting: this.#alerting, pool: this.pool, memoryBytesMax: plan.processBytesMax })
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

  /** Takes over a configuration, at start and at each reload; throws ConfigError when a rule file is wrong, and nothing has changed then. */
  async apply(config: PrometheusConfig): Promise<void> {
    await this.#alerting.apply(config)
    this.#resizeExemplars(config.storage.maxExemplars)
    this.store.setOutOfOrderWindow(config.storage.outOfOrderTimeWindowMs)
    this.#journal.queryLog.open(config.global.queryLogFile ?? '')
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

  /** Where scrapes leave what they have beside samples. */
  get besideSamples(): { readonly exemplars: ScrapedExemplars | undefined; readonly metadata: ScrapedMetadata | undefined } {
    const { exemplars, metadata } = this.store
    return {
      exemplars: keepsExemplars(this.#parts.settings) ? exemplars : undefined,
      metadata: metadata.isOn ? metadata : undefined,
    }
  }

  /** Who scrapes for this server, for the Targets page; undefined = nobody. */
  setScrapeView(view: ScrapeView): void {
    this.state.setScrapeView(view)
  }

  /** The server's own metrics as text; the bytes are the caller's. */
  renderMetrics(): Promise<Buffer> {
    return renderRegistry(this.#parts.registry, this.#metricsWriter)
  }

  start(): void {
    this.#alerting.start()
    this.#guard.start()
    this.#ready = true
  }

  /** From now on requests are answered with 503; those that run go on. */
  beginStop(): void {
    this.#stopping = true
  }

  /**
   * Ends rules and queries, then closes the log: what was acknowledged is on the disk then, whatever failed before. The HTTP
   * server is its owner's to close, before this. `prolong` as in `Store.close`.
   */
  async stop(graceMs: number, prolong?: (ms: number) => void): Promise<void> {
    this.beginStop()
    const drainMs = this.#parts.settings.drainNotifications ? Math.min(graceMs / 2, drainMsMax) : 0
    try {
      await this.#alerting.stop(drainMs)
      await Promise.all([
        this.pool.close(),
        this.#readPool.close(),
        this.#journal.queryLog.close(),
        this.#remoteWriter.stop(Math.min(graceMs / 2, this.#parts.settings.flushDeadlineMs)),
      ])
    } finally {
      this.#guard.stop()
      await this.store.close(prolong)
    }
  }

  #resizeExemplars(wanted: number): void {
    const { settings, log } = this.#parts
    const { ring } = this.store.exemplars
    const from = ring.capacity
    if (!keepsExemplars(settings)) return
    const migrated = ring.resize(wanted)
    if (ring.capacity !== from) log.info('Exemplar storage resized', { from, to: ring.capacity, migrated })
    if (wanted > exemplarsMax) log.warn('Fewer exemplars are kept than max_exemplars says', { want: wanted, max: exemplarsMax })
  }

  /** Queries may hold what the rest of the process leaves. Above the ceiling that is little, and those that hold more are ended. */
  #adapt(): void {
    const { bytes, bytesMax } = this.#guard
    const memory = this.#queryMemory
    memory.adapt(bytesMax - (bytes - memory.bytes))
    if (bytes <= bytesMax) return
    const reason = this.#guard.refusal() ?? ''
    if (!this.pool.relieve(reason)) this.#readPool.relieve(reason)
  }

  #refuseImport(): string | undefined {
    if (!this.#ready || this.#stopping) return 'Service Unavailable'
    return this.store.disk.refusal()
  }

  #registerRoutes(): void {
    const { http, settings, log, registry } = this.#parts
    const { state } = this
    const reads = registry.gauge(
      'prometheus_api_remote_read_queries',
      'The current number of remote read queries being executed or waiting.',
    )
    const federationErrors = registry
      .counter('prometheus_web_federation_errors_total', 'Total number of errors that occurred while sending federation responses.')
      .labels()
    registry
      .counter('prometheus_web_federation_warnings_total', 'Total number of warnings that occurred while sending federation responses.')
      .labels()
    const backend: ApiBackend = {
      query: createQueryBackend({
        pool: this.pool,
        readPool: this.#readPool,
        timeoutMs: settings.queryTimeoutMs,
        memory: this.#queryMemory,
        externalLabels: () => state.externalLabels(),
      }),
      remoteRead: createRemoteReadBackend(this.#readPool, settings.remoteRead, () => state.externalLabels(), reads.labels()),
      state,
      queries: createQueryBook([this.pool, this.#readPool], this.#journal),
      federation: { onError: () => federationErrors.inc() },
      selfMetrics: async (isWanted) => describeFamilies(await this.renderMetrics(), isWanted),
      admin: settings.enableAdminApi ? this.store.admin : undefined,
      parse: toParseOptions(settings.features),
      keepsExemplars: keepsExemplars(settings),
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
        addImportRoutes(app, {
          appender: this.store.head,
          registry,
          now: () => Date.now(),
          refusal: () => this.#refuseImport(),
        })
      } else {
        const refusal = `${settings.receiverRefusal}\n`
        for (const path of ['write', 'import', 'import/csv'])
          app.post(`/api/v1/${path}`, (_request, reply) => reply.code(404).type('text/plain; charset=utf-8').send(refusal))
      }
      app.get('/api/v1/narthex/notifications', (_request, reply) => {
        return reply.type('application/json').send(JSON.stringify({ status: 'success', data: this.#alerting.recentNotifications() }))
      })
      app.get('/api/v1/narthex/limits', (_request, reply) => {
        return reply.type('application/json').send(JSON.stringify({ status: 'success', data: viewLimits(this.#limits) }))
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
