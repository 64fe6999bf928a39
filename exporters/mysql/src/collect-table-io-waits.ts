import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { writeRowFamilies } from './row-families.ts'
import { ioWaits, tableLabels, waitFamilies } from './table-waits.ts'

const families = waitFamilies(
  'table_io_waits',
  ['Waits for table I/O by table and operation.', 'Seconds of waits for table I/O by table and operation.'],
  ioWaits,
)

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
  writeRowFamilies(writer, result, families, tableLabels)
}
