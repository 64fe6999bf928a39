import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'
import { isMariadbAtLeast, isMysqlAtLeast } from './server-version.ts'

const families: readonly RowFamily[] = [
  family('statements_total', 'Statements of the user.', 'counter', 'statements'),
  family('statement_latency', 'Seconds of statements of the user.', 'counter', 'statement_latency', picosecondsPerSecond),
  family('table_scans_total', 'Table scans of the user.', 'counter', 'table_scans'),
  family('file_ios_total', 'File operations of the user.', 'counter', 'file_ios'),
  family('file_io_seconds_total', 'Seconds of file operations of the user.', 'counter', 'file_io_latency', picosecondsPerSecond),
  family('current_connections', 'Open connections of the user.', 'gauge', 'current_connections'),
  family('connections_total', 'Connections of the user.', 'counter', 'total_connections'),
  family('unique_hosts_total', 'Hosts from which the user has connected.', 'counter', 'unique_hosts'),
  family('current_memory_bytes', 'Memory in use for the user.', 'gauge', 'current_memory'),
  family('memory_allocated_bytes_total', 'Memory allocated for the user.', 'counter', 'total_memory_allocated'),
]

export function createUserSummaryCollector(): MysqlCollector {
  return {
    name: 'sys.user_summary',
    defaultOn: false,
    source: 'sys.x$user_summary',
    isFor: (version) => isMysqlAtLeast(version, 5, 7) || isMariadbAtLeast(version, 10, 6),
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const columns = families.flatMap((each) => each.columns.map(({ column }) => column))
  const result = await session.query(`SELECT user, ${columns.join(', ')} FROM sys.\`x$user_summary\``)
  writeRowFamilies(writer, result, families, (row) => ['user', readText(row[0])])
}

function family(name: string, help: string, type: RowFamily['type'], column: string, divisor?: number): RowFamily {
  return oneColumn(`mysql_sys_${name}`, help, type, column, divisor)
}
