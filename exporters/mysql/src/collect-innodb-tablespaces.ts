import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText, type QueryResult, type Row } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'
import { isMysqlAtLeast } from './server-version.ts'

const info: RowFamily = family('space_info', 'Number of the tablespace, its kind as labels.', 'space')
const sizes: readonly RowFamily[] = [
  family('file_size_bytes', 'Apparent size of the file.', 'file_size'),
  family('allocated_size_bytes', 'Size of the file on disk.', 'allocated_size'),
]

export function createInnodbTablespacesCollector(): MysqlCollector {
  return { name: 'info_schema.innodb_tablespaces', defaultOn: false, source: 'information_schema.innodb_sys_tablespaces', collect }
}

// Which columns there are differs between all versions of both products, so all are asked for.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const table = isMysqlAtLeast(session.version, 8, 0) ? 'INNODB_TABLESPACES' : 'INNODB_SYS_TABLESPACES'
  const result = await session.query(`SELECT * FROM information_schema.${table}`)
  const name = result.index('name')
  writeRowFamilies(writer, result, [info], (row) => [
    'file_format',
    textOrNone(result, row, 'file_format'),
    'row_format',
    textOrNone(result, row, 'row_format'),
    'space_type',
    textOrNone(result, row, 'space_type'),
    'tablespace_name',
    readText(row[name]),
  ])
  writeRowFamilies(writer, result, sizes, (row) => ['tablespace_name', readText(row[name])])
}

function textOrNone(result: QueryResult, row: Row, column: string): string {
  const index = result.find(column)
  const cell = index === undefined ? null : row[index]
  return cell === null || cell === undefined ? 'NONE' : readText(cell)
}

function family(name: string, help: string, column: string): RowFamily {
  return oneColumn(`mysql_info_schema_innodb_tablespace_${name}`, help, 'gauge', column)
}
