import { RepeatingWriter } from '@narthex/exposition/repeating-writer'
import type { Logger } from '@narthex/service/logger'
import { writeBuildInfo, type BuildInfo } from './build-info.ts'
import { CollectorRunner, type CollectorOutcome } from './collector-runner.ts'
import { selectCollectors, SelectionError } from './collector-selection.ts'
import type { Collector, MetricWriter } from './collector.ts'
import { HandlerMetrics } from './handler-metrics.ts'
import {
  answerBusy,
  answerFailure,
  answerMetrics,
  answerText,
  scrapeTimeoutOf,
  type MetricsRequest,
  type MetricsResponse,
} from './metrics-answer.ts'
import { readProcess, writeProcessMetrics } from './process-metrics.ts'

export interface ExporterOptions {
  /** As in `<program>_build_info`: `node_exporter`. Empty: the original has no such family. */
  readonly program: string
  readonly buildInfo: BuildInfo
  /** The collectors that are switched on, in the order in which they run. */
  readonly collectors: readonly Collector[]
  /** Names of all collectors of this exporter, also of those that are off. */
  readonly collectorNames: readonly string[]
  /** Families about each collector's run; names differ between exporters. */
  readonly scrapeFamilies?: { readonly durationName: string; readonly successName: string }
  /** `--web.disable-exporter-metrics`: leaves out promhttp_* and process_*. */
  readonly exporterMetricsDisabled?: boolean
  /** Leaves out promhttp_*, where the original has none. */
  readonly handlerMetricsDisabled?: boolean
  /** `--web.max-requests`: scrapes served at once, 0 for no limit. Default 40. */
  readonly requestsMax?: number
  /** Taken off the client's scrape timeout. Default 250. */
  readonly timeoutOffsetMs?: number
  readonly log: Logger
}

/** An exporter without its HTTP server: the command mounts it on one, the agent calls it in process. */
export interface Exporter {
  readonly collectorNames: readonly string[]
  /** Never rejects. Answers text 0.0.4 whatever the request accepts. */
  handleMetrics(request?: MetricsRequest): Promise<MetricsResponse>
  close(): Promise<void>
}

export function createExporter(options: ExporterOptions): Exporter {
  const { collectors, log, program } = options
  const requestsMax = options.requestsMax ?? 40
  const timeoutOffsetMs = options.timeoutOffsetMs ?? 250
  const knownNames = new Set(options.collectorNames)
  const runner = new CollectorRunner(log)
  const handlerMetrics = new HandlerMetrics()
  const idleWriters: RepeatingWriter[] = []

  async function handleMetrics(request: MetricsRequest = {}): Promise<MetricsResponse> {
    const inFlight = handlerMetrics.requestsInFlight
    if (requestsMax > 0 && inFlight >= requestsMax) {
      handlerMetrics.countRequest(503)
      return answerBusy(requestsMax)
    }
    handlerMetrics.requestsInFlight++
    const writer = idleWriters.pop() ?? new RepeatingWriter()
    try {
      const selected = selectCollectors(collectors, knownNames, request.query ?? new URLSearchParams())
      const response = await scrape(selected, writer, request)
      handlerMetrics.countRequest(200)
      return response
    } catch (error) {
      if (error instanceof SelectionError) return answerText(400, error.message)
      log.error('cannot answer scrape', { err: error })
      handlerMetrics.countRequest(500)
      return answerFailure(error)
    } finally {
      handlerMetrics.requestsInFlight--
      // Concurrent scrapes leave their writers behind: keep as many as usually run at once.
      writer.reset()
      if (idleWriters.length < 2) idleWriters.push(writer)
    }
  }

  async function scrape(selected: readonly Collector[], writer: RepeatingWriter, request: MetricsRequest): Promise<MetricsResponse> {
    const timeoutMs = scrapeTimeoutOf(request, timeoutOffsetMs)
    const run = runner.run(selected, writer, timeoutMs)
    // While collectors wait for what they asked.
    const reading = options.exporterMetricsDisabled === true ? undefined : readProcess()
    const { outcomes, typeClashes } = await run
    if (writer.duplicates + typeClashes > 0) {
      handlerMetrics.gatheringErrors++
      log.warn('dropped part of a scrape', { duplicate_samples: writer.duplicates, families_with_clashing_types: typeClashes })
    }
    writeOutcomes(writer, options.scrapeFamilies, outcomes)
    if (program !== '') writeBuildInfo(writer, program, options.buildInfo)
    if (reading !== undefined) {
      if (options.handlerMetricsDisabled !== true) handlerMetrics.write(writer)
      writeProcessMetrics(writer, reading)
    }
    return answerMetrics(request, writer.finish())
  }

  async function close(): Promise<void> {
    await Promise.all(collectors.map(async (collector) => collector.close?.()))
  }

  return { collectorNames: collectors.map((collector) => collector.name), handleMetrics, close }
}

function writeOutcomes(writer: MetricWriter, families: ExporterOptions['scrapeFamilies'], outcomes: readonly CollectorOutcome[]): void {
  if (families === undefined) return
  const sorted = outcomes.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  writer.family(families.durationName, 'Seconds that the collector took.', 'gauge')
  for (const outcome of sorted) writer.sample(outcome.durationSeconds, ['collector', outcome.name])
  writer.family(families.successName, 'Whether the collector succeeded (1) or failed or found nothing (0).', 'gauge')
  for (const outcome of sorted) writer.sample(outcome.isSuccess ? 1 : 0, ['collector', outcome.name])
}
