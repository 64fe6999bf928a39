import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText, type QueryResult, type Row } from './query-result.ts'
import { isMysqlAtLeast, type ServerVersion } from './server-version.ts'
import { parseStatusValue, toMetricName } from './status-value.ts'

const gtidColumns = ['gtid_io_pos', 'gtid_slave_pos']

export function createSlaveStatusCollector(): MysqlCollector {
  return { name: 'slave_status', defaultOn: true, source: 'SHOW SLAVE STATUS, SHOW ALL SLAVES STATUS or SHOW REPLICA STATUS', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(chooseStatement(session.version))
  const labels = result.rows.map((row) => readLabels(result, row))
  for (const [index, column] of result.columns.entries()) {
    // A family of its own, with more labels.
    if (gtidColumns.includes(column.toLowerCase())) continue
    writer.family(`mysql_slave_status_${toMetricName(column)}`, 'Generic metric from SHOW SLAVE STATUS.', 'untyped')
    for (const [position, row] of result.rows.entries()) {
      const value = parseStatusValue(readText(row[index]))
      if (value !== undefined) writer.sample(value, labels[position])
    }
  }
  for (const column of gtidColumns) writeGtidPositions(writer, result, column, labels)
}

// MySQL had both statements from 8.0.22 to 8.3; the old one gives the names that dashboards ask for.
function chooseStatement(version: ServerVersion): string {
  if (version.isMariadb) return 'SHOW ALL SLAVES STATUS'
  return isMysqlAtLeast(version, 8, 4) ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS'
}

/** Sorted by name. Channels are MySQL's, connection names MariaDB's. */
function readLabels(result: QueryResult, row: Row): string[] {
  const text = (...columns: readonly string[]): string => {
    const index = columns.map((column) => result.find(column)).find((found) => found !== undefined)
    return index === undefined ? '' : readText(row[index])
  }
  return [
    'channel_name',
    text('Channel_Name'),
    'connection_name',
    text('Connection_name'),
    'master_host',
    text('Master_Host', 'Source_Host'),
    'master_uuid',
    text('Master_UUID', 'Source_UUID'),
  ]
}

/** MariaDB's positions: `0-1-100,1-2-7` is domain, server and number of the last transaction of each domain. */
function writeGtidPositions(writer: MetricWriter, result: QueryResult, column: string, labels: readonly string[][]): void {
  const index = result.find(column)
  if (index === undefined) return
  writer.family(`mysql_slave_status_${column}`, 'Number of the last transaction by replication domain.', 'gauge')
  for (const [position, row] of result.rows.entries()) {
    for (const part of readText(row[index]).split(',')) {
      const match = /^\s*(\d+)-(\d+)-(\d+)\s*$/.exec(part)
      if (match === null) continue
      const [channel, channelName, connection, connectionName, ...master] = labels[position]!
      const gtid = ['domain_id', match[1]!, ...master, 'server_id', match[2]!]
      writer.sample(Number(match[3]), [channel!, channelName!, connection!, connectionName!, ...gtid])
    }
  }
}
