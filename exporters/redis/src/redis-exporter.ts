import { selectCollectors, SelectionError } from '@narthex/exporter-kit/collector-selection'
import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
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
import { ClusterNodes } from './cluster-nodes.ts'
import { CommandTable } from './command-table.ts'
import { FailureLog } from './failure-log.ts'
import { redisExporterFlags } from './flags.ts'
import { KeptConnections } from './kept-connections.ts'
import { openNode, openTarget, type Target } from './open-target.ts'
import { readPasswordFile, type PasswordMap } from './password-file.ts'
import { parseRedisAddress, redactAddress, type RedisAddress } from './redis-address.ts'
import { RefusalMemory } from './refusal-memory.ts'
import { enabledSteps, scrapeTarget, stepNames } from './scrape-target.ts'
import { overrideByQuery, readSettings, type RedisSettings } from './settings.ts'
import { FamilyNames, TargetWriter } from './target-writer.ts'

/** Scrapes at once, `/metrics` and `/scrape` together; more are answered with 503. */
export const requestsMax = 40
/** Taken off the client's scrape timeout, for the way back. */
const timeoutOffsetMs = 250

export interface RedisExporterOptions {
  /** Values by flag name, only of flags that were given. */
  readonly flags?: FlagValues
  readonly log: Logger
  readonly buildInfo: BuildInfo
  /** Wall clock, milliseconds. */
  readonly nowMs?: () => number
}

export interface RedisExporter extends Exporter {
  /** `--web.telemetry-path`. */
  readonly telemetryPath: string
  /** HTML of `/`. */
  readonly landingPage: string
  /** `--disable-scrape-endpoint`. */
  readonly isScrapeDisabled: boolean
  /** `/scrape?target=redis://host:6379&check-keys=…`: one server of many. Never rejects. */
  handleScrape(request: MetricsRequest): Promise<MetricsResponse>
  /** `/discover-cluster-nodes`: all nodes of the cluster in the form of `http_sd_configs`. Never rejects. */
  discoverClusterNodes(): Promise<MetricsResponse>
  /** Reads the password file again; throws one clear line and keeps the old passwords if it cannot be used. */
  reload(): void
}

/** What an exporter tells of its own scrapes. */
interface ScrapeStatistics {
  scrapes: number
  seconds: number
}

interface Answer {
  readonly request: MetricsRequest
  readonly target: Target | undefined
  readonly settings: RedisSettings
  readonly statistics: ScrapeStatistics
  /** Those of all requests are shown once: by the exporter's own page. */
  readonly requestErrors: number
  readonly withProcess: boolean
}

/** Builds the exporter from its flags. Throws one clear error for a flag value that cannot be used; an unreachable server is no reason. */
export function createRedisExporter(options: RedisExporterOptions): RedisExporter {
  const { log, buildInfo } = options
  const nowMs = options.nowMs ?? Date.now
  const flags = new FlagReader(redisExporterFlags, options.flags ?? {})
  const settings = readSettings(flags)
  const passwordFile = flags.string('redis.password-file')
  const ownAddress = readOwnAddress(flags.string('redis.addr'))
  const showsExporter = !flags.boolean('redis-only-metrics')
  const isScrapeDisabled = flags.boolean('disable-scrape-endpoint')
  const telemetryPath = flags.string('web.telemetry-path')
  const refusals = new RefusalMemory(() => performance.now())
  const statistics: ScrapeStatistics = { scrapes: 0, seconds: 0 }
  const idleWriters: FamilyWriter[] = []
  const names = new FamilyNames(settings.namespace)
  const commands = new CommandTable()
  const connections = new KeptConnections()
  const failures = new FailureLog(log)
  const running = new Set<AbortController>()
  let passwords: PasswordMap = passwordFile === '' ? new Map() : readPasswordFile(passwordFile)
  let requestErrors = 0

  function handleMetrics(request: MetricsRequest = {}): Promise<MetricsResponse> {
    const target = ownAddress === undefined ? undefined : { address: ownAddress, settings, passwords }
    return answer({ request, target, settings, statistics, requestErrors, withProcess: showsExporter })
  }

  async function handleScrape(request: MetricsRequest): Promise<MetricsResponse> {
    const refuse = (text: string): MetricsResponse => {
      requestErrors++
      return answerText(400, `${text}\n`)
    }
    const query = request.query ?? new URLSearchParams()
    const given = query.get('target') ?? ''
    if (given === '') return refuse("'target' parameter must be specified")
    let target: Target
    try {
      // A password in a URL of a scrape stands in logs and pages: it does not count, as in the original.
      const address: RedisAddress = { ...parseRedisAddress(given), password: '' }
      const chosen = overrideByQuery(settings, query)
      target = {
        address: { ...address, username: '' },
        settings: address.username === '' ? chosen : { ...chosen, user: address.username },
        passwords,
      }
    } catch (error) {
      return refuse(`Invalid 'target' parameter, parse err: ${error instanceof Error ? error.message : String(error)}`)
    }
    return answer({
      request,
      target,
      settings: target.settings,
      statistics: { scrapes: 0, seconds: 0 },
      requestErrors: 0,
      withProcess: false,
    })
  }

  async function answer(asked: Answer): Promise<MetricsResponse> {
    if (running.size >= requestsMax) return answerBusy(requestsMax)
    const writer = idleWriters.pop() ?? new FamilyWriter()
    const abort = new AbortController()
    running.add(abort)
    try {
      return await writeAnswer(asked, writer, abort)
    } catch (error) {
      if (error instanceof SelectionError) return answerText(400, error.message)
      log.error('cannot answer scrape', { err: error })
      return answerFailure(error)
    } finally {
      running.delete(abort)
      writer.reset()
      if (idleWriters.length < 2) idleWriters.push(writer)
    }
  }

  async function writeAnswer(asked: Answer, families: FamilyWriter, abort: AbortController): Promise<MetricsResponse> {
    const { request, target } = asked
    const steps = selectSteps(asked.settings, request.query ?? new URLSearchParams())
    // Nothing of a scrape writes once it is over, so the families need no guard.
    const writer = new TargetWriter(families, names)
    if (target !== undefined) await scrape(target, steps, writer, asked, abort)
    writeExporterMetrics(writer, asked.statistics, asked.requestErrors)
    if (families.duplicates > 0) log.debug('dropped part of a scrape', { duplicate_samples: families.duplicates })
    if (asked.withProcess) writeProcessMetrics(families)
    return answerMetrics(request, families.finish())
  }

  async function scrape(
    target: Target,
    steps: ReadonlySet<string>,
    writer: TargetWriter,
    { request, statistics: own }: Answer,
    abort: AbortController,
  ): Promise<void> {
    const timeoutMs = scrapeTimeoutOf(request, timeoutOffsetMs)
    const timer = setTimeout(() => abort.abort(), timeoutMs)
    const startMs = performance.now()
    const { isUp, error } = await scrapeTarget({ target, writer, steps, refusals, commands, connections, log, signal: abort.signal, nowMs })
    clearTimeout(timer)
    const seconds = (performance.now() - startMs) / 1000
    own.scrapes++
    own.seconds += seconds
    failures.note(target.address.text, error)
    writer.gauge('exporter_last_scrape_duration_seconds', 'Seconds that the last scrape took.', seconds)
    writer.gauge('exporter_last_scrape_error', 'Whether the last scrape failed (1), with the reason.', error === '' ? 0 : 1, ['err', error])
    writer.gauge('up', 'Whether the server answered (1).', isUp ? 1 : 0)
  }

  function writeExporterMetrics(writer: TargetWriter, own: ScrapeStatistics, errors: number): void {
    if (showsExporter) {
      const runtime = `node${process.versions.node}`
      const labels = ['build_date', '', 'commit_sha', buildInfo.revision, 'golang_version', runtime, 'version', buildInfo.version]
      writer.gauge('exporter_build_info', 'A metric with the constant value 1 and what the exporter was built from as labels.', 1, labels)
    }
    writer.family('exporter_scrape_duration_seconds', 'Seconds that scrapes took.', 'summary')
    writer.sample(own.seconds, [], '_sum')
    writer.sample(own.scrapes, [], '_count')
    writer.counter('exporter_scrapes_total', 'Scrapes of this server.', own.scrapes)
    writer.counter('target_scrape_request_errors_total', 'Requests to /scrape that could not be understood.', errors)
  }

  async function discoverClusterNodes(): Promise<MetricsResponse> {
    if (!settings.isCluster || ownAddress === undefined) {
      return answerText(400, 'The discovery endpoint is only available on a redis cluster\n')
    }
    const abort = new AbortController()
    running.add(abort)
    const timer = setTimeout(() => abort.abort(), settings.timeoutMs)
    const target: Target = { address: ownAddress, settings, passwords }
    try {
      const client = await openTarget(target, abort.signal)
      try {
        const nodes = await ClusterNodes.discover(client, ownAddress.host, (address) => openNode(target, address, abort.signal))
        const scheme = ownAddress.isTls ? 'rediss' : 'redis'
        const targets = nodes.addresses(settings.discoversHostnames).map((address) => `${scheme}://${address}`)
        const body = new TextEncoder().encode(JSON.stringify([{ targets, labels: {} }]))
        return { status: 200, headers: { 'content-type': 'application/json' }, body }
      } finally {
        client.close()
      }
    } catch (error) {
      return answerText(500, `Couldn't connect to redis cluster: ${error instanceof Error ? error.message : String(error)}\n`)
    } finally {
      clearTimeout(timer)
      running.delete(abort)
    }
  }

  function close(): Promise<void> {
    for (const abort of running) abort.abort()
    connections.close()
    return Promise.resolve()
  }

  return {
    collectorNames: enabledSteps(settings),
    handleMetrics,
    handleScrape,
    discoverClusterNodes,
    reload: () => {
      connections.close()
      if (passwordFile !== '') passwords = readPasswordFile(passwordFile)
    },
    close,
    telemetryPath,
    isScrapeDisabled,
    landingPage: renderLandingPage({
      name: 'Redis Exporter',
      description: 'Prometheus Redis Exporter',
      version: buildInfo.version,
      links: [{ address: telemetryPath, text: 'Metrics' }],
    }),
  }
}

function readOwnAddress(given: string): RedisAddress | undefined {
  if (given === '') return undefined
  try {
    return parseRedisAddress(given)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot use flag --redis.addr ${redactAddress(given)}: ${reason}`, { cause })
  }
}

/** Of the settings that were asked for last without a choice: nearly always those of the flags. */
let allSteps: { readonly settings: RedisSettings; readonly steps: ReadonlySet<string> } | undefined

// The original knows no collect[]; here it is as in the other exporters.
function selectSteps(settings: RedisSettings, query: URLSearchParams): ReadonlySet<string> {
  const isChosen = query.has('collect[]') || query.has('exclude[]')
  if (!isChosen && allSteps?.settings === settings) return allSteps.steps
  const enabled = enabledSteps(settings).map((name) => ({ name, defaultOn: true, collect: () => undefined }))
  const steps = new Set(selectCollectors(enabled, new Set(stepNames), query).map(({ name }) => name))
  if (!isChosen) allSteps = { settings, steps }
  return steps
}
