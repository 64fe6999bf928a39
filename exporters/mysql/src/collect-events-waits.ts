import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'

const families: readonly RowFamily[] = [
  oneColumn('mysql_perf_schema_events_waits_total', 'Waits by event.', 'counter', 'count_star'),
  oneColumn(
    'mysql_perf_schema_events_waits_seconds_total',
    'Seconds of waits by event.',
    'counter',
    'sum_timer_wait',
    picosecondsPerSecond,
  ),
]

export function createEventsWaitsCollector(): MysqlCollector {
  return {
    name: 'perf_schema.eventswaits',
    defaultOn: false,
    source: 'performance_schema.events_waits_summary_global_by_event_name',
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(
    'SELECT event_name, count_star, sum_timer_wait FROM performance_schema.events_waits_summary_global_by_event_name',
  )
  writeRowFamilies(writer, result, families, (row) => ['event_name', readText(row[0])])
}
