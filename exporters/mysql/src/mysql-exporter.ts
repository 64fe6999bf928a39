import { writeBuildInfo, type BuildInfo } from '@narthex/exporter-kit/build-info'
import { selectCollectors, SelectionError } from '@narthex/exporter-kit/collector-selection'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { HandlerMetrics } from '@narthex/exporter-kit/handler-metrics'
import { renderLandingPage } from '@narthex/exporter-kit/landing-page'
import {
  answerBusy,
  answerFailure,
  answerMetrics,
  answerText,
  scrapeTimeoutOf,
  type MetricsRequest,
  type MetricsResponse,
} from '@narthex/exporter-kit/metrics-answer'
import { writeProcessMetrics } from '@narthex/exporter-kit/process-metrics'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import type { Logger } from '@narthex/service/logger'
import { createCustomQueryCollector, customQueryPrefix } from './collect-custom-query.ts'
import { collectorFactories } from './collectors.ts'
import type { ConnectionSettings } from './connection-settings.ts'
import { loadCustomQueries } from './custom-queries.ts'
import { CustomQueryCache } from './custom-query-cache.ts'
import { mysqlExporterFlags } from './flags.ts'
import type { MysqlCollector } from './mysql-collector.ts'
import { loadSettings } from './settings-source.ts'
import { TargetDirectory, TargetError } from './target-directory.ts'
import { createSessionStatements } from './session-statements.ts'

export interface MysqlExporterOptions {
  /** Values by flag name, only of flags that were given. */
  readonly flags?: FlagValues
  readonly log: Logger
  readonly buildInfo: BuildInfo
  /** `MYSQLD_EXPORTER_PASSWORD`, `DATA_SOURCE_NAME`, and what a `.my.cnf` refers to. Default: the process' environment. */
  readonly env?: NodeJS.ProcessEnv
  /** The way into servers by section name, instead of what flags, files and the environment say. */
  readonly loadSettings?: () => ReadonlyMap<string, ConnectionSettings>
  /** Leaves out promhttp_* and process_*: where many exporters are one process. */
  readonly exporterMetricsDisabled?: boolean
}

export interface MysqlExporter extends Exporter {
  /** `--web.telemetry-path`. */
  readonly telemetryPath: string
  /** HTML of `/`. */
  readonly landingPage: string
  /** Answers `/probe?target=host:port&auth_module=client.x`. Never rejects. */
  handleProbe(request: MetricsRequest): Promise<MetricsResponse>
  /** Reads the credentials and the custom queries again; connections to servers are opened anew. Throws and changes nothing when they cannot be used. */
  reload(): void
}

/** Scrapes served at once. */
export const requestsMax = 40

/** Builds the exporter from its flags. Throws one clear error for a flag value or an option file that cannot be used. */
export function createMysqlExporter(options: MysqlExporterOptions): MysqlExporter {
  const { buildInfo, log } = options
  const flags = new FlagReader(mysqlExporterFlags, options.flags ?? {})
  const telemetryPath = flags.string('web.telemetry-path')
  const timeoutOffsetMs = flags.number('timeout-offset') * 1000
  const load = options.loadSettings ?? (() => loadSettings(flags, options.env ?? process.env, log))
  const all = collectorFactories.map((create) => create(flags))
  const built = all.filter(({ name }) => flags.boolean(`collect.${name}`))
  const loadCollectors = (): readonly MysqlCollector[] => {
    const cache = new CustomQueryCache()
    const queries = loadCustomQueries(flags.strings('config.custom-queries'))
    return [...built, ...queries.map((query) => createCustomQueryCollector(query, cache))]
  }
  let enabled = loadCollectors()
  const targets = new TargetDirectory({
    sections: load(),
    collectors: enabled,
    statementsFor: createSessionStatements(flags),
    connectionsMax: readConnectionsMax(flags),
    log,
  })
  const handlerMetrics = new HandlerMetrics()
  const idleWriters: FamilyWriter[] = []

  async function answer(request: MetricsRequest, kind: 'metrics' | 'probe'): Promise<MetricsResponse> {
    const inFlight = handlerMetrics.requestsInFlight
    if (inFlight >= requestsMax) {
      handlerMetrics.countRequest(503)
      return answerBusy(requestsMax)
    }
    handlerMetrics.requestsInFlight++
    const writer = idleWriters.pop() ?? new FamilyWriter()
    try {
      const response = await scrape(request, kind, writer)
      handlerMetrics.countRequest(200)
      return response
    } catch (error) {
      if (error instanceof SelectionError || error instanceof TargetError) return answerText(400, error.message)
      log.error('cannot answer scrape', { err: error })
      handlerMetrics.countRequest(500)
      return answerFailure(error)
    } finally {
      handlerMetrics.requestsInFlight--
      writer.reset()
      if (idleWriters.length < 2) idleWriters.push(writer)
    }
  }

  async function scrape(request: MetricsRequest, kind: 'metrics' | 'probe', writer: FamilyWriter): Promise<MetricsResponse> {
    const query = request.query ?? new URLSearchParams()
    const target = kind === 'probe' ? targets.findProbed(query) : targets.findDefault(query)
    const chosen = selectNamed(query)
    const timeoutMs = scrapeTimeoutOf(request, timeoutOffsetMs)
    const typeClashes = await target.scrape(writer, chosen, timeoutMs)
    if (writer.duplicates + typeClashes > 0) {
      handlerMetrics.gatheringErrors++
      log.warn('dropped part of a scrape', { duplicate_samples: writer.duplicates, families_with_clashing_types: typeClashes })
    }
    if (kind === 'metrics') {
      writeBuildInfo(writer, 'mysqld_exporter', buildInfo)
      if (options.exporterMetricsDisabled !== true) {
        handlerMetrics.write(writer)
        writeProcessMetrics(writer)
      }
    }
    return answerMetrics(request, writer.finish())
  }

  // As the original, names that are off or unknown choose nothing; but where nothing is left it runs everything, and we say why we do not.
  function selectNamed(query: URLSearchParams): readonly MysqlCollector[] {
    const wanted = query.getAll('collect[]')
    const unwanted = query.getAll('exclude[]')
    if (unwanted.length === 0) {
      const chosen = enabled.filter(({ name }) => isNamed(name, wanted))
      if (chosen.length > 0) return chosen
    }
    const knownNames = new Set([...all, ...enabled].map(({ name }) => name))
    const names = new Set(selectCollectors(enabled.map(asNamed), knownNames, query).map(({ name }) => name))
    return enabled.filter(({ name }) => names.has(name) && !isNamed(name, unwanted))
  }

  return {
    get collectorNames() {
      return enabled.map(({ name }) => name)
    },
    telemetryPath,
    landingPage: renderLandingPage({
      name: 'MySQLd Exporter',
      description: 'Prometheus Exporter for MySQL servers',
      version: buildInfo.version,
      links: [{ address: telemetryPath, text: 'Metrics' }],
    }),
    handleMetrics: (request = {}) => answer(request, 'metrics'),
    handleProbe: (request) => answer(request, 'probe'),
    reload: () => {
      const sections = load()
      enabled = loadCollectors()
      targets.replace(sections, enabled)
    },
    close: () => Promise.resolve(targets.close()),
  }
}

/** `custom_query` stands for all of them. */
function isNamed(name: string, names: readonly string[]): boolean {
  return names.includes(name) || (name.startsWith(`${customQueryPrefix}.`) && names.includes(customQueryPrefix))
}

/** For the kit's selection, which reads names only. */
function asNamed({ defaultOn, name }: { readonly name: string; readonly defaultOn: boolean }) {
  return { name, defaultOn, collect: () => {} }
}

function readConnectionsMax(flags: FlagReader): number {
  const count = flags.number('exporter.max_open_connections')
  if (!Number.isInteger(count) || count < 1 || count > 16) {
    throw new Error(`cannot read flag --exporter.max_open_connections: want 1 to 16, got ${count}`)
  }
  return count
}
