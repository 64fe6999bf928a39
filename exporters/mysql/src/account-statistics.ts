import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'
import { toMetricName } from './status-value.ts'

// information_schema.user_statistics and client_statistics of MariaDB and Percona Server have the same columns.

/** Column → end of the metric's name. */
const counters: ReadonlyMap<string, string> = new Map([
  ['total_connections', 'total_connections'],
  ['connected_time', 'connected_time_seconds_total'],
  ['busy_time', 'busy_seconds_total'],
  ['cpu_time', 'cpu_time_seconds_total'],
  ...[
    'bytes_received',
    'bytes_sent',
    'binlog_bytes_written',
    'rows_read',
    'rows_sent',
    'rows_deleted',
    'rows_inserted',
    'rows_fetched',
    'rows_updated',
    'table_rows_read',
    'select_commands',
    'update_commands',
    'other_commands',
    'commit_transactions',
    'rollback_transactions',
    'denied_connections',
    'lost_connections',
    'access_denied',
    'empty_queries',
    'total_ssl_connections',
  ].map((column): [string, string] => [column, `${column}_total`]),
])

export interface AccountStatistics {
  readonly name: string
  readonly table: string
  /** Start of the metrics' names. */
  readonly prefix: string
  readonly label: string
  /** Counters that only this table is known to have. */
  readonly counters?: ReadonlyMap<string, string>
}

/** A collector of one of the two tables. Without `userstat` on, it is a success without families. */
export function createAccountStatisticsCollector(statistics: AccountStatistics): MysqlCollector {
  const { label, name, prefix, table } = statistics

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    if (!(await isUserstatOn(session))) return
    const result = await session.query(`SELECT * FROM information_schema.${table}`)
    const account = result.index(label)
    const families = result.columns.flatMap((column) => describeColumn(prefix, column, label, statistics.counters))
    writeRowFamilies(writer, result, families, (row) => [label, readText(row[account])])
  }

  return { name, defaultOn: false, source: `information_schema.${table}, if userstat is on`, collect }
}

/** Whether the server keeps these statistics; one that does not know the variable does not. */
export async function isUserstatOn(session: MysqlSession): Promise<boolean> {
  const { rows } = await session.query(`SHOW GLOBAL VARIABLES LIKE 'userstat'`)
  return /^(on|1)$/i.test(readText(rows[0]?.[1]))
}

function describeColumn(prefix: string, spelled: string, label: string, own: AccountStatistics['counters']): RowFamily[] {
  const column = toMetricName(spelled)
  if (column === label) return []
  if (column === 'concurrent_connections') return [oneColumn(`${prefix}_${column}`, 'Concurrent connections.', 'gauge', spelled)]
  const counter = counters.get(column) ?? own?.get(column)
  if (counter !== undefined) return [oneColumn(`${prefix}_${counter}`, `Column ${column.toUpperCase()}.`, 'counter', spelled)]
  return [oneColumn(`${prefix}_${column}`, `Column ${column.toUpperCase()}, which has no name of its own.`, 'untyped', spelled)]
}
