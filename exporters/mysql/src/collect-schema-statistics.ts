import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { isUserstatOn } from './account-statistics.ts'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

const families: readonly RowFamily[] = [
  family('rows_read', 'Rows read from the schema.'),
  family('rows_changed', 'Rows changed in the schema.'),
  family('rows_changed_x_indexes', 'Rows changed in the schema, times the indexes that changed with them.'),
]

export function createSchemaStatisticsCollector(): MysqlCollector {
  return {
    name: 'info_schema.schemastats',
    defaultOn: false,
    source: 'information_schema.table_statistics by schema, if userstat is on',
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  if (!(await isUserstatOn(session))) return
  const result = await session.query(`
    SELECT table_schema, SUM(rows_read) AS rows_read, SUM(rows_changed) AS rows_changed,
      SUM(rows_changed_x_indexes) AS rows_changed_x_indexes
    FROM information_schema.table_statistics GROUP BY table_schema`)
  writeRowFamilies(writer, result, families, (row) => ['schema', readText(row[0])])
}

function family(column: string, help: string): RowFamily {
  return oneColumn(`mysql_info_schema_schema_statistics_${column}_total`, help, 'counter', column)
}
