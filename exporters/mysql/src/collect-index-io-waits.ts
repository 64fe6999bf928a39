import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { writeRowFamilies } from './row-families.ts'
import { ioWaits, tableLabels, waitFamilies } from './table-waits.ts'

const families = waitFamilies(
  'index_io_waits',
  ['Waits for index I/O by index and operation.', 'Seconds of waits for index I/O by index and operation.'],
  ioWaits,
)

export function createIndexIoWaitsCollector(): MysqlCollector {
  return {
    name: 'perf_schema.indexiowaits',
    defaultOn: false,
    source: 'performance_schema.table_io_waits_summary_by_index_usage',
    collect,
  }
}

// The server counts inserts for no index (NONE): those of the others are NULL here, which writes nothing.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(`
    SELECT object_schema, object_name, IFNULL(index_name, 'NONE') AS index_name, count_fetch,
      IF(index_name IS NULL, count_insert, NULL) AS count_insert, count_update, count_delete, sum_timer_fetch,
      IF(index_name IS NULL, sum_timer_insert, NULL) AS sum_timer_insert, sum_timer_update, sum_timer_delete
    FROM performance_schema.table_io_waits_summary_by_index_usage WHERE object_schema NOT IN ('mysql', 'performance_schema')`)
  writeRowFamilies(writer, result, families, (row, operation) => ['index', readText(row[2]), ...tableLabels(row, operation)])
}
