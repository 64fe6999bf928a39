import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { isMysqlAtLeast } from './server-version.ts'

const columns = ['channel_name', 'member_host', 'member_id', 'member_port', 'member_role', 'member_state', 'member_version']

export function createReplicationGroupMembersCollector(): MysqlCollector {
  return {
    name: 'perf_schema.replication_group_members',
    defaultOn: false,
    source: 'performance_schema.replication_group_members',
    isFor: (version) => isMysqlAtLeast(version, 5, 7),
    collect,
  }
}

// 5.7 has no role and version: all columns are asked for, and those that are there become labels.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query('SELECT * FROM performance_schema.replication_group_members')
  const present = columns.filter((column) => result.find(column) !== undefined)
  writer.family('mysql_perf_schema_replication_group_member_info', 'Members of the replication group.', 'gauge')
  for (const row of result.rows)
    writer.sample(
      1,
      present.flatMap((column) => [column, readText(row[result.index(column)])]),
    )
}
