import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'
import { isMysqlAtLeast } from './server-version.ts'

const families: readonly RowFamily[] = [
  family('transactions_in_queue', 'Transactions that wait for conflict detection.', 'gauge'),
  family('transactions_checked', 'Transactions that were checked for conflicts.', 'counter'),
  family('conflicts_detected', 'Transactions that did not pass the check for conflicts.', 'counter'),
  family('transactions_rows_validating', 'Rows in the certification database.', 'counter'),
  family('transactions_remote_in_applier_queue', 'Transactions from the group that wait to be applied.', 'gauge'),
  family('transactions_remote_applied', 'Transactions from the group that were applied.', 'counter'),
  family('transactions_local_proposed', 'Transactions sent to the group.', 'counter'),
  family('transactions_local_rollback', 'Transactions rolled back after they were sent to the group.', 'counter'),
]

export function createReplicationGroupMemberStatsCollector(): MysqlCollector {
  return {
    name: 'perf_schema.replication_group_member_stats',
    defaultOn: false,
    source: 'performance_schema.replication_group_member_stats',
    isFor: (version) => isMysqlAtLeast(version, 5, 7),
    collect,
  }
}

// 5.7 lacks the counts of remote and local transactions.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query('SELECT * FROM performance_schema.replication_group_member_stats WHERE member_id = @@server_uuid')
  writeRowFamilies(writer, result, families)
}

function family(name: string, help: string, type: 'counter' | 'gauge'): RowFamily {
  return oneColumn(`mysql_perf_schema_${name}${type === 'counter' ? '_total' : ''}`, help, type, `count_${name}`)
}
