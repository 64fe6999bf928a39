import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'
import { quoteName } from './sql-text.ts'

export const heartbeatFlags: readonly FlagSpec[] = [
  {
    name: 'collect.heartbeat.database',
    type: 'string',
    default: 'heartbeat',
    help: 'Database from where to collect heartbeat data',
  },
  { name: 'collect.heartbeat.table', type: 'string', default: 'heartbeat', help: 'Table from where to collect heartbeat data' },
  {
    name: 'collect.heartbeat.utc',
    type: 'boolean',
    default: false,
    help: 'Use UTC for timestamps of the current server (`pt-heartbeat` is called with `--utc`)',
  },
]

const families: readonly RowFamily[] = [
  oneColumn('mysql_heartbeat_stored_timestamp_seconds', 'Time stored in the heartbeat table.', 'gauge', 'stored_time'),
  oneColumn('mysql_heartbeat_now_timestamp_seconds', 'Time of the current server.', 'gauge', 'present_time'),
]

export function createHeartbeatCollector(flags: FlagReader): MysqlCollector {
  const table = `${quoteName(flags.string('collect.heartbeat.database'))}.${quoteName(flags.string('collect.heartbeat.table'))}`
  const now = flags.boolean('collect.heartbeat.utc') ? 'UTC_TIMESTAMP(6)' : 'NOW(6)'

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const result = await session.query(
      `SELECT UNIX_TIMESTAMP(ts) AS stored_time, UNIX_TIMESTAMP(${now}) AS present_time, server_id FROM ${table}`,
    )
    writeRowFamilies(writer, result, families, (row) => ['server_id', readText(row[2])])
  }

  return { name: 'heartbeat', defaultOn: false, source: 'the table of pt-heartbeat', collect }
}
