import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { QueryLog } from './query-log.ts'
import { gridOf, type ActiveQuery, type EndedQuery } from './query-observer.ts'
import { TopQueries } from './top-queries.ts'

export interface QueryJournalOptions {
  readonly registry: Registry
  readonly log: Logger
  /** Queries that take longer are told in the log of the process; 0 = none. */
  readonly slowMs: number
  readonly concurrencyMax: number
  /** Queries that run now or wait. */
  active(): readonly ActiveQuery[]
}

const sliceQuantiles = [0.5, 0.9, 0.99]
/** Of a query in a line of the log. */
const shownTextMax = 2_000

/** Keeps book of queries: metrics of the engine, the top queries, slow ones in the log of the process, and the query log. */
export class QueryJournal {
  readonly top = new TopQueries()
  readonly queryLog: QueryLog
  readonly #options: QueryJournalOptions
  readonly #onEnd: (ended: EndedQuery) => void

  constructor(options: QueryJournalOptions) {
    this.#options = options
    const { registry, log } = options
    const failures = registry.counter('prometheus_engine_query_log_failures_total', 'The number of query log failures.').labels()
    this.queryLog = new QueryLog(log, () => failures.inc())
    this.#onEnd = registerMetrics(options, () => this.queryLog.isOn)
  }

  /** Called once for each query. */
  note(ended: EndedQuery): void {
    this.#onEnd(ended)
    this.top.note(ended)
    this.queryLog.write(ended)
    const { slowMs, log } = this.#options
    if (slowMs > 0 && ended.totalMs >= slowMs) log.warn('Slow query', describeSlow(ended))
  }
}

function registerMetrics({ registry, concurrencyMax, active }: QueryJournalOptions, isLogOn: () => boolean): (ended: EndedQuery) => void {
  const running = registry.gauge('prometheus_engine_queries', 'The current number of queries being executed or waiting.').labels()
  registry.gauge('prometheus_engine_queries_concurrent_max', 'The max number of concurrent queries.').labels().set(concurrencyMax)
  const durations = registry.summary('prometheus_engine_query_duration_seconds', 'Query timings', ['slice'], sliceQuantiles)
  // There from the start, as in Prometheus.
  const [inner, preparation, queue, sort] = ['inner_eval', 'prepare_time', 'queue_time', 'result_sort'].map((slice) =>
    durations.labels(slice),
  )
  const samples = registry.counter('prometheus_engine_query_samples_total', 'The total number of samples loaded by all queries.').labels()
  const logEnabled = registry.gauge('prometheus_engine_query_log_enabled', 'State of the query log.').labels()
  const outcomes = registry.counter('narthex_queries_total', 'Queries that ended, by how they did.', ['outcome'])
  registry.onCollect(() => {
    running.set(active().length)
    logEnabled.set(isLogOn() ? 1 : 0)
  })
  return ({ request, queuedMs, measures, failure }) => {
    outcomes.labels(failure?.kind ?? 'success').inc()
    if (gridOf(request) === undefined) return
    queue!.observe(queuedMs / 1000)
    if (measures === undefined) return
    inner!.observe(measures.evaluationMs / 1000)
    preparation!.observe(measures.preparationMs / 1000)
    sort!.observe(0)
    samples.inc(measures.totalQueryableSamples)
  }
}

function describeSlow({ request, origin, queuedMs, totalMs, measures, failure }: EndedQuery): Record<string, unknown> {
  const grid = gridOf(request)
  const what = grid === undefined ? { request: request.kind } : { query: grid.query.slice(0, shownTextMax) }
  const times = grid === undefined ? {} : { start: grid.startMs / 1000, end: grid.endMs / 1000, step: grid.stepMs / 1000 }
  return {
    ...what,
    ...times,
    duration_seconds: totalMs / 1000,
    queued_seconds: queuedMs / 1000,
    samples_read: measures?.samplesRead,
    peak_bytes: measures?.peakBytes,
    series: measures?.series,
    ...(failure === undefined ? {} : { err: failure.message }),
    ...(origin?.kind === 'http' ? { client: origin.clientAddress, path: origin.path } : {}),
    ...(origin?.kind === 'rules' && origin.group !== undefined ? { group: origin.group.name, file: origin.group.file } : {}),
  }
}
