import type { Registry } from '@narthex/service/metrics'
import type { ExemplarRing } from './exemplar-ring.ts'

/** The exemplars' metrics under Prometheus' names. */
export function registerExemplarMetrics(registry: Registry, ring: ExemplarRing): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const cell = registry.gauge(name, help).labels()
    registry.onCollect(() => cell.set(read()))
  }
  const counter = (name: string, help: string, read: () => number): void => {
    const cell = registry.counter(name, help).labels()
    registry.onCollect(() => cell.setTotal(read()))
  }
  counter('prometheus_tsdb_exemplar_exemplars_appended_total', 'Total number of appended exemplars.', () => ring.appended)
  gauge('prometheus_tsdb_exemplar_exemplars_in_storage', 'Number of exemplars currently in circular storage.', () => ring.count)
  gauge(
    'prometheus_tsdb_exemplar_series_with_exemplars_in_storage',
    'Number of series with exemplars currently in circular storage.',
    () => ring.seriesCount,
  )
  gauge(
    'prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds',
    'The timestamp of the oldest exemplar stored in circular storage. Useful to check for what timerange the current exemplar buffer limit allows. This usually means the last timestampfor all exemplars for a typical setup. This is not true though if one of the series timestamp is in future compared to rest series.',
    () => ring.oldestTimeMs / 1000,
  )
  counter(
    'prometheus_tsdb_exemplar_out_of_order_exemplars_total',
    'Total number of out of order exemplar ingestion failed attempts.',
    () => ring.outOfOrder,
  )
  gauge(
    'prometheus_tsdb_exemplar_max_exemplars',
    'Total number of exemplars the exemplar storage can store, resizeable.',
    () => ring.capacity,
  )
}
