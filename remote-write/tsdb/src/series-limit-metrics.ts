import type { Registry } from '@narthex/service/metrics'
import type { Head } from './head/head.ts'
import { seriesRefusalKinds } from './head/refused-series.ts'

/** The limits of series and what they refused. A limit that is off is 0. */
export function registerSeriesLimitMetrics(registry: Registry, head: Head): void {
  const limit = registry.gauge('narthex_tsdb_head_series_limit', 'Most series in the head, and of one metric in it; 0 = no limit.', [
    'scope',
  ])
  const refused = registry.counter(
    'narthex_tsdb_head_new_series_refused_total',
    'New series refused, by reason: a limit of series, or the memory ceiling.',
    ['reason'],
  )
  const show = (value: number): number => (value === Infinity ? 0 : value)
  limit.set(show(head.limits.seriesMax), 'all')
  limit.set(show(head.limits.seriesPerMetricMax), 'metric')
  const cells = seriesRefusalKinds.map((kind) => ({ kind, cell: refused.labels(kind) }))
  registry.onCollect(() => {
    for (const { kind, cell } of cells) cell.setTotal(head.refused.count(kind))
  })
}
