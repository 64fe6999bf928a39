import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { createAutoIncrementCollector } from './collect-auto-increment.ts'
import { createBinlogSizeCollector } from './collect-binlog-size.ts'
import { createClientStatisticsCollector } from './collect-client-statistics.ts'
import { createEngineInnodbStatusCollector } from './collect-engine-innodb-status.ts'
import { createEngineTokudbStatusCollector } from './collect-engine-tokudb-status.ts'
import { createEventsStatementsSumCollector } from './collect-events-statements-sum.ts'
import { createEventsStatementsCollector, eventsStatementsFlags } from './collect-events-statements.ts'
import { createEventsWaitsCollector } from './collect-events-waits.ts'
import { createFileEventsCollector } from './collect-file-events.ts'
import { createFileInstancesCollector, fileInstancesFlags } from './collect-file-instances.ts'
import { createGlobalStatusCollector } from './collect-global-status.ts'
import { createGlobalVariablesCollector } from './collect-global-variables.ts'
import { createHeartbeatCollector, heartbeatFlags } from './collect-heartbeat.ts'
import { createIndexIoWaitsCollector } from './collect-index-io-waits.ts'
import { createInnodbCmpCollector } from './collect-innodb-cmp.ts'
import { createInnodbCmpmemCollector } from './collect-innodb-cmpmem.ts'
import { createInnodbMetricsCollector } from './collect-innodb-metrics.ts'
import { createInnodbTablespacesCollector } from './collect-innodb-tablespaces.ts'
import { createMemoryEventsCollector, memoryEventsFlags } from './collect-memory-events.ts'
import { createMysqlUserCollector, mysqlUserFlags } from './collect-mysql-user.ts'
import { createProcesslistCollector, processlistFlags } from './collect-processlist.ts'
import { createQueryResponseTimeCollector } from './collect-query-response-time.ts'
import { createReplicaHostCollector } from './collect-replica-host.ts'
import { createReplicationApplierStatusCollector } from './collect-replication-applier-status.ts'
import { createReplicationGroupMemberStatsCollector } from './collect-replication-group-member-stats.ts'
import { createReplicationGroupMembersCollector } from './collect-replication-group-members.ts'
import { createRocksdbPerfContextCollector } from './collect-rocksdb-perf-context.ts'
import { createSchemaStatisticsCollector } from './collect-schema-statistics.ts'
import { createSlaveHostsCollector } from './collect-slave-hosts.ts'
import { createSlaveStatusCollector } from './collect-slave-status.ts'
import { createTableIoWaitsCollector } from './collect-table-io-waits.ts'
import { createTableLocksCollector } from './collect-table-locks.ts'
import { createTableStatisticsCollector } from './collect-table-statistics.ts'
import { createTablesCollector, tablesFlags } from './collect-tables.ts'
import { createUserStatisticsCollector } from './collect-user-statistics.ts'
import { createUserSummaryCollector } from './collect-user-summary.ts'
import type { CreateMysqlCollector } from './mysql-collector.ts'

/**
 * All collectors in the order in which they ask for a connection: the cheap ones that are on by default first, last those that wait for
 * locks of tables or read many rows.
 */
export const collectorFactories: readonly CreateMysqlCollector[] = [
  createGlobalStatusCollector,
  createGlobalVariablesCollector,
  createSlaveStatusCollector,
  createInnodbCmpCollector,
  createInnodbCmpmemCollector,
  createQueryResponseTimeCollector,
  createProcesslistCollector,
  createBinlogSizeCollector,
  createSlaveHostsCollector,
  createEngineInnodbStatusCollector,
  createEngineTokudbStatusCollector,
  createReplicaHostCollector,
  createRocksdbPerfContextCollector,
  createInnodbMetricsCollector,
  createEventsStatementsSumCollector,
  createEventsStatementsCollector,
  createEventsWaitsCollector,
  createFileEventsCollector,
  createFileInstancesCollector,
  createMemoryEventsCollector,
  createTableIoWaitsCollector,
  createIndexIoWaitsCollector,
  createTableLocksCollector,
  createReplicationGroupMembersCollector,
  createReplicationGroupMemberStatsCollector,
  createReplicationApplierStatusCollector,
  createUserStatisticsCollector,
  createClientStatisticsCollector,
  createTableStatisticsCollector,
  createSchemaStatisticsCollector,
  createUserSummaryCollector,
  createMysqlUserCollector,
  createHeartbeatCollector,
  createInnodbTablespacesCollector,
  createAutoIncrementCollector,
  createTablesCollector,
]

/** The flags that single collectors read, besides their switches. */
export const collectorFlags: readonly FlagSpec[] = [
  ...heartbeatFlags,
  ...processlistFlags,
  ...tablesFlags,
  ...mysqlUserFlags,
  ...eventsStatementsFlags,
  ...fileInstancesFlags,
  ...memoryEventsFlags,
]
