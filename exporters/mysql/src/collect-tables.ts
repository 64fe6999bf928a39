import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText, type QueryResult, type Row } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'
import { quoteText } from './sql-text.ts'

export const tablesFlags: readonly FlagSpec[] = [
  {
    name: 'collect.info_schema.tables.databases',
    type: 'string',
    default: '*',
    help: `The list of databases to collect table stats for, or '*' for all`,
  },
]

const sizes: readonly RowFamily[] = [
  oneColumn('mysql_info_schema_table_rows', 'Estimated rows of the table.', 'gauge', 'table_rows'),
  {
    name: 'mysql_info_schema_table_size',
    help: 'Size of the parts of the table in bytes.',
    type: 'gauge',
    columns: [
      { column: 'data_length', variant: 'data_length' },
      { column: 'index_length', variant: 'index_length' },
      { column: 'data_free', variant: 'data_free' },
    ],
  },
]
const version: RowFamily = oneColumn('mysql_info_schema_table_version', 'Version of the table, its kind as labels.', 'gauge', 'version')

export function createTablesCollector(flags: FlagReader): MysqlCollector {
  const databases = flags
    .string('collect.info_schema.tables.databases')
    .split(',')
    .map((name) => name.trim())

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    // Database by database: one statement over all would open every table of the server at once.
    for (const database of databases[0] === '*' ? await listDatabases(session) : databases) {
      const result = await session.query(`
        SELECT table_schema AS \`schema\`, table_name AS \`name\`, table_type AS \`type\`, IFNULL(engine, 'NONE') AS engine,
          IFNULL(version, 0) AS version, IFNULL(row_format, 'NONE') AS row_format, IFNULL(table_rows, 0) AS table_rows,
          IFNULL(data_length, 0) AS data_length, IFNULL(index_length, 0) AS index_length, IFNULL(data_free, 0) AS data_free,
          IFNULL(create_options, 'NONE') AS create_options
        FROM information_schema.tables WHERE table_schema = ${quoteText(database)}`)
      writeTables(writer, result)
    }
  }

  return { name: 'info_schema.tables', defaultOn: false, source: 'information_schema.tables', collect }
}

async function listDatabases(session: MysqlSession): Promise<string[]> {
  const { rows } = await session.query(`
    SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'performance_schema', 'information_schema')`)
  return rows.map((row) => readText(row[0]))
}

function writeTables(writer: MetricWriter, result: QueryResult): void {
  const [schema, name, type, engine, rowFormat, createOptions] = ['schema', 'name', 'type', 'engine', 'row_format', 'create_options'].map(
    (column) => result.index(column),
  ) as [number, number, number, number, number, number]
  const text = (row: Row, index: number): string => readText(row[index])
  writeRowFamilies(writer, result, sizes, (row, variant) => {
    const labels = ['schema', text(row, schema), 'table', text(row, name)]
    return variant === '' ? labels : ['component', variant, ...labels]
  })
  writeRowFamilies(writer, result, [version], (row) => [
    'create_options',
    text(row, createOptions),
    'engine',
    text(row, engine),
    'row_format',
    text(row, rowFormat),
    'schema',
    text(row, schema),
    'table',
    text(row, name),
    'type',
    text(row, type),
  ])
}
