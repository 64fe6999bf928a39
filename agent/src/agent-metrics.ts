import type { Registry } from '@narthex/service/metrics'

/** What the metrics of the agent as a whole are made of. */
export interface AgentCounts {
  readonly activeSeries: number
  readonly samples: number
  readonly histograms: number
  readonly exemplars: number
  /** Places in the log that were found damaged. */
  readonly damages: number
  /** 1: the last run ended in order; 0: it was killed; -1: there is no lock to tell. */
  readonly cleanStart: 1 | 0 | -1
}

/** The metrics of Prometheus' agent storage, under its names, where the meaning is the same. */
export function createAgentMetrics(registry: Registry, count: () => AgentCounts): void {
  const activeSeries = registry.gauge('prometheus_agent_active_series', 'Number of active series being tracked by the WAL storage')
  const samples = registry.counter('prometheus_agent_samples_appended_total', 'Total number of samples appended to the storage', ['type'])
  const exemplars = registry.counter('prometheus_agent_exemplars_appended_total', 'Total number of exemplars appended to the storage')
  const damages = registry.counter('prometheus_agent_corruptions_total', 'Total number of WAL corruptions.')
  const outOfOrder = registry.counter(
    'prometheus_agent_out_of_order_samples_total',
    'Total number of out of order samples ingestion failed attempts.',
  )
  // The scrape stage refuses them before the log would.
  const refused = registry.counter(
    'prometheus_target_scrapes_sample_out_of_order_total',
    'Total number of samples rejected due to not being out of the expected order.',
  )
  const cleanStart = registry.gauge(
    'prometheus_agent_clean_start',
    '-1: lockfile is disabled. 0: replaced a lockfile from a previous execution. 1: lockfile creation was clean.',
  )
  registry.onCollect(() => {
    const counts = count()
    activeSeries.set(counts.activeSeries)
    samples.labels('float').setTotal(counts.samples)
    samples.labels('histogram').setTotal(counts.histograms)
    exemplars.labels().setTotal(counts.exemplars)
    damages.labels().setTotal(counts.damages)
    outOfOrder.labels().setTotal(refused.labels().value)
    cleanStart.set(counts.cleanStart)
  })
}
