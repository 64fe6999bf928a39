import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { isUserstatOn } from './account-statistics.ts'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

const families: readonly RowFamily[] = [
  family('rows_read', 'Rows read from the table.'),
  family('rows_changed', 'Rows changed in the table.'),
  family('rows_changed_x_indexes', 'Rows changed in the table, times the indexes that changed with them.'),
]

export function createTableStatisticsCollector(): MysqlCollector {
  return { name: 'info_schema.tablestats', defaultOn: false, source: 'information_schema.table_statistics, if userstat is on', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  if (!(await isUserstatOn(session))) return
  const result = await session.query(
    'SELECT table_schema, table_name, rows_read, rows_changed, rows_changed_x_indexes FROM information_schema.table_statistics',
  )
  writeRowFamilies(writer, result, families, (row) => ['schema', readText(row[0]), 'table', readText(row[1])])
}

function family(column: string, help: string): RowFamily {
  return oneColumn(`mysql_info_schema_table_statistics_${column}_total`, help, 'counter', column)
}
