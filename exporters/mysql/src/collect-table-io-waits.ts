import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'

const operations = ['fetch', 'insert', 'update', 'delete']

const families: readonly RowFamily[] = [
  {
    name: 'mysql_perf_schema_table_io_waits_total',
    help: 'Waits for table I/O by table and operation.',
    type: 'counter',
    columns: operations.map((operation) => ({ column: `count_${operation}`, variant: operation })),
  },
  {
    name: 'mysql_perf_schema_table_io_waits_seconds_total',
    help: 'Seconds of waits for table I/O by table and operation.',
    type: 'counter',
    columns: operations.map((operation) => ({ column: `sum_timer_${operation}`, variant: operation })),
    divisor: picosecondsPerSecond,
  },
]

export function createTableIoWaitsCollector(): MysqlCollector {
  return {
    name: 'perf_schema.tableiowaits',
    defaultOn: false,
    source: 'performance_schema.table_io_waits_summary_by_table',
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(`
    SELECT object_schema, object_name, count_fetch, count_insert, count_update, count_delete,
      sum_timer_fetch, sum_timer_insert, sum_timer_update, sum_timer_delete
    FROM performance_schema.table_io_waits_summary_by_table WHERE object_schema NOT IN ('mysql', 'performance_schema')`)
  writeRowFamilies(writer, result, families, (row, operation) => [
    'name',
    readText(row[1]),
    'operation',
    operation,
    'schema',
    readText(row[0]),
  ])
}
