import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText, type QueryResult, type Row } from './query-result.ts'
import { isMysqlAtLeast } from './server-version.ts'

export function createSlaveHostsCollector(): MysqlCollector {
  return { name: 'slave_hosts', defaultOn: false, source: 'SHOW SLAVE HOSTS or SHOW REPLICAS', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(isMysqlAtLeast(session.version, 8, 0, 22) ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS')
  // The name is the original's.
  writer.family('mysql_heartbeat_mysql_slave_hosts_info', 'Replicas that are registered.', 'gauge')
  for (const row of result.rows) {
    writer.sample(1, [
      'master_id',
      text(result, row, 'Master_id', 'Source_id'),
      'port',
      text(result, row, 'Port'),
      'server_id',
      text(result, row, 'Server_id'),
      'slave_host',
      text(result, row, 'Host'),
      'slave_uuid',
      text(result, row, 'Slave_UUID', 'Replica_UUID'),
    ])
  }
}

function text(result: QueryResult, row: Row, ...columns: readonly string[]): string {
  const index = columns.map((column) => result.find(column)).find((found) => found !== undefined)
  return index === undefined ? '' : readText(row[index])
}
