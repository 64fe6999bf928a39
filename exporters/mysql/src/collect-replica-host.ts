import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { isUnknownTable, readText, type QueryResult } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

const families: readonly RowFamily[] = [
  family('cpu_percent', 'Processor use in percent.', 'cpu'),
  family('replica_latency_seconds', 'Seconds by which the replica is behind the writer.', 'master_slave_latency_in_microseconds', 1e6),
  family('lag_seconds', 'Seconds by which the replica lags.', 'replica_lag_in_milliseconds', 1e3),
  family('log_stream_speed', 'Speed of the log stream in KiB per second.', 'log_stream_speed_in_kib_per_second'),
  family('replay_latency_seconds', 'Seconds that replaying takes now.', 'current_replay_latency_in_microseconds', 1e6),
]

export function createReplicaHostCollector(): MysqlCollector {
  return {
    name: 'info_schema.replica_host',
    defaultOn: false,
    source: 'information_schema.replica_host_status, which Aurora has',
    collect,
  }
}

// A server without the table is a success without families, as in the original.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await askIfThere(session)
  if (result === undefined) return
  const [server, role] = [result.index('server_id'), result.index('role')]
  writeRowFamilies(writer, result, families, (row) => ['role', readText(row[role]), 'server_id', readText(row[server])])
}

async function askIfThere(session: MysqlSession): Promise<QueryResult | undefined> {
  const columns = families.flatMap((each) => each.columns.map(({ column }) => column))
  try {
    return await session.query(`
      SELECT server_id, IF(session_id = 'MASTER_SESSION_ID', 'writer', 'reader') AS role, ${columns.join(', ')}
      FROM information_schema.replica_host_status`)
  } catch (error) {
    if (isUnknownTable(error)) return undefined
    throw error
  }
}

function family(name: string, help: string, column: string, divisor?: number): RowFamily {
  return oneColumn(`mysql_info_schema_replica_host_${name}`, help, 'gauge', column, divisor)
}
