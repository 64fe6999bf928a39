import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { isMysqlAtLeast } from './server-version.ts'
import { parsePreciseSqlTime } from './status-value.ts'

const times = [
  'last_applied_transaction_original_commit',
  'last_applied_transaction_immediate_commit',
  'last_applied_transaction_start_apply',
  'last_applied_transaction_end_apply',
  'applying_transaction_original_commit',
  'applying_transaction_immediate_commit',
  'applying_transaction_start_apply',
]

export function createReplicationApplierStatusCollector(): MysqlCollector {
  return {
    name: 'perf_schema.replication_applier_status_by_worker',
    defaultOn: false,
    source: 'performance_schema.replication_applier_status_by_worker',
    isFor: (version) => isMysqlAtLeast(version, 8, 0),
    collect,
  }
}

// The times are read as UTC; one that never was (0000-00-00 …) is 0.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const columns = times.map((name) => `${name}_timestamp`).join(', ')
  const { rows } = await session.query(
    `SELECT channel_name, worker_id, ${columns} FROM performance_schema.replication_applier_status_by_worker`,
  )
  for (const [index, name] of times.entries()) {
    writer.family(`mysql_perf_schema_${name}_timestamp_seconds`, `Unix time of ${name.replaceAll('_', ' ')}.`, 'gauge')
    for (const row of rows) {
      writer.sample(parsePreciseSqlTime(readText(row[index + 2])) ?? 0, ['channel_name', readText(row[0]), 'member_id', readText(row[1])])
    }
  }
}
