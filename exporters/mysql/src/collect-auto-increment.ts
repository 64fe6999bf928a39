import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

const families: readonly RowFamily[] = [
  oneColumn('mysql_info_schema_auto_increment_column', 'Next value of an AUTO_INCREMENT column.', 'gauge', 'next_value'),
  oneColumn('mysql_info_schema_auto_increment_column_max', 'Largest value of an AUTO_INCREMENT column.', 'gauge', 'max_value'),
]

export function createAutoIncrementCollector(): MysqlCollector {
  return { name: 'auto_increment.columns', defaultOn: false, source: 'information_schema.columns and information_schema.tables', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(`
    SELECT c.table_schema AS \`schema\`, c.table_name AS \`table\`, c.column_name AS \`column\`, t.auto_increment AS next_value,
      POW(2, CASE c.data_type WHEN 'tinyint' THEN 7 WHEN 'smallint' THEN 15 WHEN 'mediumint' THEN 23 WHEN 'int' THEN 31
        WHEN 'bigint' THEN 63 END + (c.column_type LIKE '% unsigned%')) - 1 AS max_value
    FROM information_schema.columns c
    JOIN information_schema.tables t ON BINARY t.table_schema = c.table_schema AND BINARY t.table_name = c.table_name
    WHERE c.extra LIKE '%auto_increment%' AND t.auto_increment IS NOT NULL`)
  const [schema, table, column] = ['schema', 'table', 'column'].map((name) => result.index(name)) as [number, number, number]
  writeRowFamilies(writer, result, families, (row) => [
    'column',
    readText(row[column]),
    'schema',
    readText(row[schema]),
    'table',
    readText(row[table]),
  ])
}
