import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'

const modes = ['read', 'write', 'misc']

const families: readonly RowFamily[] = [
  {
    name: 'mysql_perf_schema_file_events_total',
    help: 'File operations by event and mode.',
    type: 'counter',
    columns: modes.map((mode) => ({ column: `count_${mode}`, variant: mode })),
  },
  {
    name: 'mysql_perf_schema_file_events_seconds_total',
    help: 'Seconds of file operations by event and mode.',
    type: 'counter',
    columns: modes.map((mode) => ({ column: `sum_timer_${mode}`, variant: mode })),
    divisor: picosecondsPerSecond,
  },
  {
    name: 'mysql_perf_schema_file_events_bytes_total',
    help: 'Bytes of file operations by event and mode.',
    type: 'counter',
    columns: ['read', 'write'].map((mode) => ({ column: `sum_number_of_bytes_${mode}`, variant: mode })),
  },
]

export function createFileEventsCollector(): MysqlCollector {
  return { name: 'perf_schema.file_events', defaultOn: false, source: 'performance_schema.file_summary_by_event_name', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(`
    SELECT event_name, count_read, sum_timer_read, sum_number_of_bytes_read, count_write, sum_timer_write, sum_number_of_bytes_write,
      count_misc, sum_timer_misc
    FROM performance_schema.file_summary_by_event_name`)
  writeRowFamilies(writer, result, families, (row, mode) => ['event_name', readText(row[0]), 'mode', mode])
}
