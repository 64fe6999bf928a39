import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { oneColumn, picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'

/** Column of the table → what it counts. The original gives lock_time in picoseconds and timer_wait in seconds, and so do we. */
const sums: Readonly<Record<string, string>> = {
  created_tmp_disk_tables: 'Temporary tables made on disk.',
  created_tmp_tables: 'Temporary tables made.',
  errors: 'Errors of statements.',
  lock_time: 'Picoseconds that statements waited for locks.',
  no_good_index_used: 'Statements for which no good index was found.',
  no_index_used: 'Statements that used full table scans.',
  rows_affected: 'Rows affected.',
  rows_examined: 'Rows examined.',
  rows_sent: 'Rows sent.',
  select_full_join: 'Joins that scanned tables.',
  select_full_range_join: 'Joins that used a range search on a reference table.',
  select_range: 'Joins that used ranges on the first table.',
  select_range_check: 'Joins without keys that checked for key usage after each row.',
  select_scan: 'Joins that scanned the first table.',
  sort_merge_passes: 'Merge passes of sorts.',
  sort_range: 'Sorts that used ranges.',
  sort_rows: 'Rows sorted.',
  sort_scan: 'Sorts that scanned the table.',
  timer_wait: 'Seconds of statements.',
  warnings: 'Warnings of statements.',
}

const families: readonly RowFamily[] = [
  family('total', 'Statements.', 'count_star'),
  ...Object.entries(sums).map(([column, help]) => family(column, help, `sum_${column}`)),
]

export function createEventsStatementsSumCollector(): MysqlCollector {
  return {
    name: 'perf_schema.eventsstatementssum',
    defaultOn: false,
    source: 'sums of performance_schema.events_statements_summary_by_digest',
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const columns = families.flatMap((each) => each.columns.map(({ column }) => `SUM(${column}) AS ${column}`))
  const result = await session.query(`SELECT ${columns.join(', ')} FROM performance_schema.events_statements_summary_by_digest`)
  writeRowFamilies(writer, result, families)
}

function family(name: string, help: string, column: string): RowFamily {
  const divisor = column === 'sum_timer_wait' ? picosecondsPerSecond : undefined
  return oneColumn(`mysql_perf_schema_events_statements_sum_${name}`, help, 'counter', column, divisor)
}
