import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { describe, expect, test } from 'vitest'
import { createBinlogSizeCollector } from './collect-binlog-size.ts'
import { createEventsStatementsCollector } from './collect-events-statements.ts'
import { createEngineInnodbStatusCollector } from './collect-engine-innodb-status.ts'
import { createEngineTokudbStatusCollector } from './collect-engine-tokudb-status.ts'
import { createFileInstancesCollector } from './collect-file-instances.ts'
import { createGlobalStatusCollector } from './collect-global-status.ts'
import { createGlobalVariablesCollector } from './collect-global-variables.ts'
import { createHeartbeatCollector } from './collect-heartbeat.ts'
import { createInnodbCmpmemCollector } from './collect-innodb-cmpmem.ts'
import { createInnodbMetricsCollector } from './collect-innodb-metrics.ts'
import { createInnodbTablespacesCollector } from './collect-innodb-tablespaces.ts'
import { createProcesslistCollector } from './collect-processlist.ts'
import { createQueryResponseTimeCollector } from './collect-query-response-time.ts'
import { createReplicaHostCollector } from './collect-replica-host.ts'
import { createReplicationApplierStatusCollector } from './collect-replication-applier-status.ts'
import { createReplicationGroupMemberStatsCollector } from './collect-replication-group-member-stats.ts'
import { createReplicationGroupMembersCollector } from './collect-replication-group-members.ts'
import { createRocksdbPerfContextCollector } from './collect-rocksdb-perf-context.ts'
import { createSlaveHostsCollector } from './collect-slave-hosts.ts'
import { createSlaveStatusCollector } from './collect-slave-status.ts'
import { createTablesCollector } from './collect-tables.ts'
import { collectorFactories } from './collectors.ts'
import { mysqlExporterFlags } from './flags.ts'
import { collectRecorded } from './test-session.ts'

const pairs = (...rows: readonly (readonly [string, string])[]) => [['Variable_name', 'Value'], ...rows]

test('there are the 36 collectors of the original, six of them on by default', () => {
  const all = collectorFactories.map((create) => create(new FlagReader(mysqlExporterFlags, {})))
  expect(all).toHaveLength(36)
  expect(all.filter(({ defaultOn }) => defaultOn).map(({ name }) => name)).toEqual([
    'global_status',
    'global_variables',
    'slave_status',
    'info_schema.innodb_cmp',
    'info_schema.innodb_cmpmem',
    'info_schema.query_response_time',
  ])
})

test('flags are named once', () => {
  const names = mysqlExporterFlags.map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})

test('status variables are folded into families with labels, and Galera texts become info', async () => {
  const { text } = await collectRecorded(createGlobalStatusCollector, '8.0.36', {
    'SHOW GLOBAL STATUS': pairs(
      ['Com_select', '7'],
      ['Handler_read_key', '1'],
      ['Connection_errors_accept', '2'],
      ['Innodb_rows_read', '3'],
      ['Performance_schema_users_lost', '4'],
      ['Innodb_buffer_pool_pages_data', '5'],
      ['Innodb_buffer_pool_pages_dirty', '6'],
      ['Innodb_buffer_pool_pages_total', '99'],
      ['Innodb_buffer_pool_pages_flushed', '8'],
      ['Uptime', '9'],
      ['Ssl_version', ''],
      ['wsrep_local_state_uuid', 'u1'],
      ['wsrep_cluster_state_uuid', 'u2'],
      ['wsrep_provider_version', '26.4.16(r1)'],
      ['wsrep_evs_repl_latency', '0.1/0.2/0.3/0.4/5'],
      ['wsrep_cluster_status', 'Primary'],
    ),
  })
  expect(text).toBe(`# TYPE mysql_galera_evs_repl_latency_avg_seconds gauge
mysql_galera_evs_repl_latency_avg_seconds 0.2
# TYPE mysql_galera_evs_repl_latency_max_seconds gauge
mysql_galera_evs_repl_latency_max_seconds 0.3
# TYPE mysql_galera_evs_repl_latency_min_seconds gauge
mysql_galera_evs_repl_latency_min_seconds 0.1
# TYPE mysql_galera_evs_repl_latency_sample_size gauge
mysql_galera_evs_repl_latency_sample_size 5
# TYPE mysql_galera_evs_repl_latency_stdev gauge
mysql_galera_evs_repl_latency_stdev 0.4
# TYPE mysql_galera_status_info gauge
mysql_galera_status_info{wsrep_cluster_state_uuid="u2",wsrep_local_state_uuid="u1",wsrep_provider_version="26.4.16(r1)"} 1
# TYPE mysql_global_status_buffer_pool_dirty_pages gauge
mysql_global_status_buffer_pool_dirty_pages 6
# TYPE mysql_global_status_buffer_pool_page_changes_total counter
mysql_global_status_buffer_pool_page_changes_total{operation="flushed"} 8
# TYPE mysql_global_status_buffer_pool_pages gauge
mysql_global_status_buffer_pool_pages{state="data"} 5
# TYPE mysql_global_status_commands_total counter
mysql_global_status_commands_total{command="select"} 7
# TYPE mysql_global_status_connection_errors_total counter
mysql_global_status_connection_errors_total{error="accept"} 2
# TYPE mysql_global_status_handlers_total counter
mysql_global_status_handlers_total{handler="read_key"} 1
# TYPE mysql_global_status_innodb_row_ops_total counter
mysql_global_status_innodb_row_ops_total{operation="read"} 3
# TYPE mysql_global_status_performance_schema_lost_total counter
mysql_global_status_performance_schema_lost_total{instrumentation="users_lost"} 4
# TYPE mysql_global_status_uptime untyped
mysql_global_status_uptime 9
# TYPE mysql_global_status_wsrep_cluster_status untyped
mysql_global_status_wsrep_cluster_status 1
`)
})

test('system variables are gauges, and some texts are labels', async () => {
  const { text } = await collectRecorded(createGlobalVariablesCollector, '8.4.0', {
    'SHOW GLOBAL VARIABLES': pairs(
      ['max_connections', '151'],
      ['read_only', 'OFF'],
      ['datadir', '/var/lib/mysql'],
      ['innodb_version', '8.4.0'],
      ['version', '8.4.0'],
      ['version_comment', 'MySQL "Community"'],
      ['transaction_isolation', 'READ-COMMITTED'],
      ['wsrep_cluster_name', 'c'],
      ['wsrep_provider_options', 'a = 1; gcache.size = 128M; b = 2;'],
    ),
  })
  expect(text).toBe(`# TYPE mysql_galera_gcache_size_bytes gauge
mysql_galera_gcache_size_bytes 1.34217728e+08
# TYPE mysql_galera_variables_info gauge
mysql_galera_variables_info{wsrep_cluster_name="c"} 1
# TYPE mysql_global_variables_max_connections gauge
mysql_global_variables_max_connections 151
# TYPE mysql_global_variables_read_only gauge
mysql_global_variables_read_only 0
# TYPE mysql_transaction_isolation gauge
mysql_transaction_isolation{level="READ-COMMITTED"} 1
# TYPE mysql_version_info gauge
mysql_version_info{innodb_version="8.4.0",version="8.4.0",version_comment="MySQL \\"Community\\""} 1
`)
})

describe('replication', () => {
  test('MySQL before 8.4 is asked in the old words', async () => {
    const { text } = await collectRecorded(createSlaveStatusCollector, '8.0.36', {
      'SHOW SLAVE STATUS': [
        ['Slave_IO_State', 'Master_Host', 'Slave_IO_Running', 'Seconds_Behind_Master', 'Master_UUID', 'Channel_Name', 'Relay_Log_File'],
        ['Waiting', 'db1', 'Connecting', null, 'u', 'east', 'relay-bin.000002'],
        ['Waiting', 'db2', 'Yes', '3', 'v', '', 'relay-bin.000003'],
      ],
    })
    expect(text).toBe(`# TYPE mysql_slave_status_seconds_behind_master untyped
mysql_slave_status_seconds_behind_master{channel_name="",connection_name="",master_host="db2",master_uuid="v"} 3
# TYPE mysql_slave_status_slave_io_running untyped
mysql_slave_status_slave_io_running{channel_name="east",connection_name="",master_host="db1",master_uuid="u"} 0
mysql_slave_status_slave_io_running{channel_name="",connection_name="",master_host="db2",master_uuid="v"} 1
`)
  })

  test('MySQL 8.4 is asked in the new words, which give the new names', async () => {
    const { statements, text } = await collectRecorded(createSlaveStatusCollector, '8.4.0', {
      'SHOW REPLICA STATUS': [
        ['Source_Host', 'Replica_IO_Running', 'Seconds_Behind_Source', 'Source_UUID', 'Channel_Name'],
        ['db1', 'Yes', '0', 'u', ''],
      ],
    })
    expect(statements).toEqual(['SHOW REPLICA STATUS'])
    expect(text).toContain(
      'mysql_slave_status_replica_io_running{channel_name="",connection_name="",master_host="db1",master_uuid="u"} 1\n',
    )
    expect(text).toContain('mysql_slave_status_seconds_behind_source{')
  })

  test('positions of MariaDB are split by domain', async () => {
    const { text } = await collectRecorded(createSlaveStatusCollector, '10.11.6-MariaDB', {
      'SHOW ALL SLAVES STATUS': [
        ['Connection_name', 'Master_Host', 'Gtid_IO_Pos', 'Gtid_Slave_Pos'],
        ['west', 'db1', '', '0-1-100,3-2-7'],
      ],
    })
    const labels = 'channel_name="",connection_name="west",domain_id="0",master_host="db1",master_uuid="",server_id="1"'
    expect(text).toContain(`# TYPE mysql_slave_status_gtid_slave_pos gauge\nmysql_slave_status_gtid_slave_pos{${labels}} 100\n`)
    expect(text).toContain('domain_id="3",master_host="db1",master_uuid="",server_id="2"} 7\n')
    expect(text).not.toContain('gtid_io_pos')
  })

  test.each([
    ['5.7.44', 'SHOW SLAVE HOSTS', ['Server_id', 'Host', 'Port', 'Master_id', 'Slave_UUID']],
    ['8.4.0', 'SHOW REPLICAS', ['Server_Id', 'Host', 'Port', 'Source_Id', 'Replica_UUID']],
  ])('registered replicas of %s come by %s', async (version, statement, columns) => {
    const { text } = await collectRecorded(createSlaveHostsCollector, version, { [statement]: [columns, ['2', 'r1', '3306', '1', 'u']] })
    expect(text).toContain(
      'mysql_heartbeat_mysql_slave_hosts_info{master_id="1",port="3306",server_id="2",slave_host="r1",slave_uuid="u"} 1\n',
    )
  })

  test('members of a group have the labels that the server has columns for', async () => {
    const { text } = await collectRecorded(createReplicationGroupMembersCollector, '5.7.44', {
      replication_group_members: [
        ['CHANNEL_NAME', 'MEMBER_ID', 'MEMBER_HOST', 'MEMBER_PORT', 'MEMBER_STATE'],
        ['g', 'i', 'h', '1', 'ONLINE'],
      ],
    })
    expect(text).toContain('member_info{channel_name="g",member_host="h",member_id="i",member_port="1",member_state="ONLINE"} 1\n')
  })

  test('statistics of a group member: counters end in total', async () => {
    const { text } = await collectRecorded(createReplicationGroupMemberStatsCollector, '8.0.36', {
      replication_group_member_stats: [
        ['MEMBER_ID', 'COUNT_TRANSACTIONS_IN_QUEUE', 'COUNT_TRANSACTIONS_CHECKED'],
        ['i', '3', '4'],
      ],
    })
    expect(text).toBe(`# TYPE mysql_perf_schema_transactions_checked_total counter
mysql_perf_schema_transactions_checked_total 4
# TYPE mysql_perf_schema_transactions_in_queue gauge
mysql_perf_schema_transactions_in_queue 3
`)
  })

  test('times of workers are Unix seconds, and 0 where there was none', async () => {
    const { text } = await collectRecorded(createReplicationApplierStatusCollector, '8.0.36', {
      replication_applier_status_by_worker: [
        ['channel', 'worker', 'a', 'b', 'c', 'd', 'e', 'f', 'g'],
        ['c', '1', '2026-08-01 12:00:00.123456', ...Array.from({ length: 6 }, () => '0000-00-00 00:00:00.000000')],
      ],
    })
    const labels = '{channel_name="c",member_id="1"}'
    expect(text).toContain(`last_applied_transaction_original_commit_timestamp_seconds${labels} 1.785585600123456e+09\n`)
    expect(text).toContain(`applying_transaction_start_apply_timestamp_seconds${labels} 0\n`)
  })
})

describe('query response time', () => {
  const variable = (value: string) => ({ query_response_time_stats: pairs(['query_response_time_stats', value]) })
  const rows = [
    ['TIME', 'COUNT', 'TOTAL'],
    ['      0.000001', '2', '      0.25'],
    ['      0.000010', '3', '      1.5'],
    ['TOO LONG', '1', 'TOO LONG'],
  ]

  const missing = Object.assign(new Error('Unknown table'), { errno: 1109 })

  test('counts become a cumulative histogram', async () => {
    const { text } = await collectRecorded(createQueryResponseTimeCollector, '10.11.6-MariaDB', {
      ...variable('ON'),
      QUERY_RESPONSE_TIME_: missing,
      QUERY_RESPONSE_TIME: rows,
    })
    expect(text).toBe(`# TYPE mysql_info_schema_query_response_time_seconds histogram
mysql_info_schema_query_response_time_seconds_bucket{le="1e-06"} 2
mysql_info_schema_query_response_time_seconds_bucket{le="1e-05"} 5
mysql_info_schema_query_response_time_seconds_bucket{le="+Inf"} 6
mysql_info_schema_query_response_time_seconds_sum 1.75
mysql_info_schema_query_response_time_seconds_count 6
`)
  })

  test('reads and writes are left out where their tables are missing', async () => {
    const { text } = await collectRecorded(createQueryResponseTimeCollector, '5.7.44', {
      ...variable('ON'),
      QUERY_RESPONSE_TIME_READ: rows,
      QUERY_RESPONSE_TIME_WRITE: missing,
      QUERY_RESPONSE_TIME: rows,
    })
    expect(text).toContain('mysql_info_schema_read_query_response_time_seconds_count 6\n')
    expect(text).not.toContain('write_query')
  })

  test.each([{ answer: pairs(['query_response_time_stats', 'OFF']) }, { answer: pairs() }])(
    'off or unknown is a success: $answer',
    async ({ answer }) => {
      const { text } = await collectRecorded(createQueryResponseTimeCollector, '8.0.36', { query_response_time_stats: answer })
      expect(text).toBe('')
    },
  )
})

describe('binary logs', () => {
  test('are summed up', async () => {
    const { text } = await collectRecorded(createBinlogSizeCollector, '8.0.36', {
      '@@log_bin': [['@@log_bin'], ['1']],
      'SHOW BINARY LOGS': [
        ['Log_name', 'File_size', 'Encrypted'],
        ['bin.000007', '100', 'No'],
        ['bin.000008', '23', 'No'],
      ],
    })
    expect(text).toContain('mysql_binlog_file_number 8\n')
    expect(text).toContain('mysql_binlog_files 2\n')
    expect(text).toContain('mysql_binlog_size_bytes 123\n')
  })

  test('are not asked for where there are none', async () => {
    const { statements } = await collectRecorded(createBinlogSizeCollector, '8.0.36', { '@@log_bin': [['@@log_bin'], ['0']] })
    expect(statements).toHaveLength(1)
  })
})

test('statements by digest: columns by version, quantiles as the original names them', async () => {
  const recorded = (columns: readonly string[], values: readonly string[]) => ({ by_digest: [columns, values] })
  const base = ['schema', 'digest', 'digest_text', 'count_star', 'sum_timer_wait']
  const flags = { 'collect.perf_schema.eventsstatements.exclude_schemas': 'a,b' }
  const { statements, text } = await collectRecorded(
    createEventsStatementsCollector,
    '8.0.28',
    recorded(
      [...base, 'quantile_95', 'quantile_99', 'quantile_999'],
      ['s', 'd', 'SELECT ?', '4', '2000000000000', '1', '1000000000000', '3'],
    ),
    flags,
  )
  const labels = 'digest="d",digest_text="SELECT ?",schema="s"'
  expect(text).toContain(`mysql_perf_schema_events_statements_seconds_total{${labels}} 2\n`)
  expect(text).toContain(`mysql_perf_schema_events_statements_latency{${labels},quantile="99"} 1\n`)
  expect(text).toContain(`mysql_perf_schema_events_statements_latency_sum{${labels}} 2\n`)
  expect(text).toContain(`mysql_perf_schema_events_statements_latency_count{${labels}} 4\n`)
  expect(statements[0]).toContain('sum_cpu_time')
  expect(statements[0]).toContain(`NOT IN (CONVERT(X'61' USING utf8), CONVERT(X'62' USING utf8))`)
  expect(statements[0]).toMatch(/INTERVAL 86400 SECOND.*LIMIT 250$/)
  const older = await collectRecorded(createEventsStatementsCollector, '8.0.27', recorded(base, ['s', 'd', 't', '1', '1']))
  expect(older.statements[0]).not.toContain('sum_cpu_time')
  expect(older.statements[0]).toContain('quantile_95')
  const mariadb = await collectRecorded(createEventsStatementsCollector, '11.4.2-MariaDB', recorded(base, ['s', 'd', 't', '1', '1']))
  expect(mariadb.statements[0]).not.toMatch(/sum_cpu_time|quantile/)
})

test('a bad number in a flag is refused when the collector is made', () => {
  const flags = { 'collect.perf_schema.eventsstatements.limit': 1.5 }
  expect(() => createEventsStatementsCollector(new FlagReader(mysqlExporterFlags, flags))).toThrow('want a whole number from 0, got 1.5')
})

test('texts of flags cannot leave their literal', async () => {
  const filter = `' OR 1=1 -- \\`
  const { statements } = await collectRecorded(
    createFileInstancesCollector,
    '8.0.36',
    { file_summary_by_instance: [['file_name', 'event_name', 'count_read', 'count_write', 'r', 'w']] },
    { 'collect.perf_schema.file_instances.filter': filter },
  )
  expect(statements[0]).toContain(`REGEXP CONVERT(X'${Buffer.from(filter).toString('hex')}' USING utf8)`)
})

test('named databases are asked for one by one', async () => {
  const { statements } = await collectRecorded(
    createTablesCollector,
    '8.0.36',
    { 'information_schema.tables': [['schema', 'name', 'type', 'engine', 'row_format', 'create_options']] },
    { 'collect.info_schema.tables.databases': 'a, b' },
  )
  expect(statements.map((sql) => /X'(\w+)'/.exec(sql)?.[1])).toEqual(['61', '62'])
})

test('states of threads become labels, and empty ones unknown', async () => {
  const { text } = await collectRecorded(createProcesslistCollector, '8.0.36', {
    processlist: [
      ['user', 'client', 'command', 'state', 'processes', 'seconds'],
      ['root', 'h1', 'Query', 'Waiting for table flush', '2', '7'],
      ['app', '', 'Sleep', '', '1', '5'],
      ['app', 'h1', 'Sleep', '', '3', '1'],
    ],
  })
  expect(text).toBe(`# TYPE mysql_info_schema_processlist_processes_by_host gauge
mysql_info_schema_processlist_processes_by_host{client_host="h1"} 5
mysql_info_schema_processlist_processes_by_host{client_host="unknown"} 1
# TYPE mysql_info_schema_processlist_processes_by_user gauge
mysql_info_schema_processlist_processes_by_user{mysql_user="root"} 2
mysql_info_schema_processlist_processes_by_user{mysql_user="app"} 4
# TYPE mysql_info_schema_processlist_seconds gauge
mysql_info_schema_processlist_seconds{command="query",state="waiting_for_table_flush"} 7
mysql_info_schema_processlist_seconds{command="sleep",state="unknown"} 6
# TYPE mysql_info_schema_processlist_threads gauge
mysql_info_schema_processlist_threads{command="query",state="waiting_for_table_flush"} 2
mysql_info_schema_processlist_threads{command="sleep",state="unknown"} 4
`)
})

test('InnoDB metrics: counters that are negative are gauges, pages are folded', async () => {
  const { text } = await collectRecorded(createInnodbMetricsCollector, '8.0.36', {
    [`status = 'enabled'`]: [
      ['name', 'subsystem', 'type', 'comment', 'count'],
      ['trx_rseg_history_len', 'transaction', 'value', 'c', '5'],
      ['lock_timeouts', 'lock', 'counter', 'c', '6'],
      ['odd', 'lock', 'status_counter', 'c', '-1'],
      ['buffer_pool_pages_total', 'buffer', 'value', 'c', '9'],
      ['buffer_pool_pages_data', 'buffer', 'value', 'c', '7'],
      ['buffer_pool_pages_dirty', 'buffer', 'value', 'c', '2'],
      ['buffer_page_read_index_leaf', 'buffer_page_io', 'counter', 'c', '8'],
    ],
  })
  const prefix = 'mysql_info_schema_innodb_metrics'
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    `${prefix}_buffer_page_read_total{type="index_leaf"} 8`,
    `${prefix}_buffer_pool_dirty_pages 2`,
    `${prefix}_buffer_pool_pages{state="data"} 7`,
    `${prefix}_lock_lock_timeouts_total 6`,
    `${prefix}_lock_odd -1`,
    `${prefix}_transaction_trx_rseg_history_len 5`,
  ])
})

test.each([
  ['5.7.44', 'INNODB_SYS_TABLESPACES'],
  ['8.0.36', 'INNODB_TABLESPACES'],
  ['10.11.6-MariaDB', 'INNODB_SYS_TABLESPACES'],
])('tablespaces of %s are read from %s, with what it has', async (version, table) => {
  const { text } = await collectRecorded(createInnodbTablespacesCollector, version, {
    [`information_schema.${table}`]: [
      ['SPACE', 'NAME', 'ROW_FORMAT', 'FILE_SIZE', 'ALLOCATED_SIZE'],
      ['4', 'a/b', 'Dynamic', '98304', '65536'],
    ],
  })
  expect(text).toContain('space_info{file_format="NONE",row_format="Dynamic",space_type="NONE",tablespace_name="a/b"} 4\n')
  expect(text).toContain('mysql_info_schema_innodb_tablespace_file_size_bytes{tablespace_name="a/b"} 98304\n')
})

test('an answer without the column that names its rows is an error', async () => {
  const answers = { INNODB_TABLESPACES: [['SPACE'], ['1']] }
  await expect(collectRecorded(createInnodbTablespacesCollector, '8.0.36', answers)).rejects.toThrow(
    'cannot read answer: want column name, got SPACE',
  )
})

test('the time of relocations is microseconds', async () => {
  const { text } = await collectRecorded(createInnodbCmpmemCollector, '8.0.36', {
    innodb_cmpmem: [
      ['page_size', 'buffer_pool_instance', 'pages_used', 'pages_free', 'relocation_ops', 'relocation_time'],
      ['1024', '0', '1', '2', '3', '6000'],
    ],
  })
  expect(text).toContain('relocation_time_seconds_total{buffer_pool="0",page_size="1024"} 0.006\n')
})

test('facts are read from the text of InnoDB', async () => {
  const status = 'x\n0 queries inside InnoDB, 2 queries in queue\n3 read views open inside InnoDB\n'
  const { text } = await collectRecorded(createEngineInnodbStatusCollector, '8.0.36', {
    'SHOW ENGINE': [
      ['Type', 'Name', 'Status'],
      ['InnoDB', '', status],
    ],
  })
  expect(text).toContain('mysql_engine_innodb_queries_inside_innodb 0\n')
  expect(text).toContain('mysql_engine_innodb_queries_in_queue 2\n')
  expect(text).toContain('mysql_engine_innodb_read_views_open_inside_innodb 3\n')
})

test('facts of TokuDB are named after their texts; those without a number are left out', async () => {
  const { text } = await collectRecorded(createEngineTokudbStatusCollector, '5.7.44', {
    'SHOW ENGINE TOKUDB STATUS': [
      ['Type', 'Name', 'Status'],
      ['TokuDB', 'indexer: number of calls to indexer->build() succeeded', '1'],
      ['TokuDB', 'locktree: time spent ending the STO early (seconds)', '9115.904484'],
      ['TokuDB', 'cachetable: I/O + misses', '2'],
      ['TokuDB', 'filesystem: most recent disk full', 'Thu Jan  1 00:00:00 1970'],
    ],
  })
  expect(text).toBe(`# TYPE mysql_engine_tokudb_cachetable_iando_and_misses untyped
mysql_engine_tokudb_cachetable_iando_and_misses 2
# TYPE mysql_engine_tokudb_indexer_number_of_calls_to_indexer_build_succeeded untyped
mysql_engine_tokudb_indexer_number_of_calls_to_indexer_build_succeeded 1
# TYPE mysql_engine_tokudb_locktree_time_spent_ending_the_sto_early_seconds untyped
mysql_engine_tokudb_locktree_time_spent_ending_the_sto_early_seconds 9115.904484
`)
})

describe('hosts of Aurora', () => {
  test('have their times in seconds', async () => {
    const { text } = await collectRecorded(createReplicaHostCollector, '8.0.32', {
      replica_host_status: [
        [
          'server_id',
          'role',
          'CPU',
          'MASTER_SLAVE_LATENCY_IN_MICROSECONDS',
          'REPLICA_LAG_IN_MILLISECONDS',
          'LOG_STREAM_SPEED_IN_KiB_PER_SECOND',
          'CURRENT_REPLAY_LATENCY_IN_MICROSECONDS',
        ],
        ['db-0', 'writer', '6.25', '0', '0', '1.5', '0'],
        ['db-1', 'reader', '2', '20000', '13.5', '0', '500'],
      ],
    })
    const prefix = 'mysql_info_schema_replica_host'
    expect(text).toContain(`${prefix}_cpu_percent{role="writer",server_id="db-0"} 6.25\n`)
    expect(text).toContain(`${prefix}_replica_latency_seconds{role="reader",server_id="db-1"} 0.02\n`)
    expect(text).toContain(`${prefix}_lag_seconds{role="reader",server_id="db-1"} 0.0135\n`)
    expect(text).toContain(`${prefix}_log_stream_speed{role="writer",server_id="db-0"} 1.5\n`)
    expect(text).toContain(`${prefix}_replay_latency_seconds{role="reader",server_id="db-1"} 0.0005\n`)
  })

  test('are a success without families elsewhere; another error is one', async () => {
    const refuse = (errno: number) =>
      collectRecorded(createReplicaHostCollector, '8.0.32', { replica_host_status: Object.assign(new Error('no'), { errno }) })
    expect((await refuse(1109)).text).toBe('')
    await expect(refuse(1045)).rejects.toThrow('no')
  })
})

test('statistics of RocksDB that have a family are counters by table', async () => {
  const { text } = await collectRecorded(createRocksdbPerfContextCollector, '10.11.6-MariaDB', {
    rocksdb_perf_context: [
      ['TABLE_SCHEMA', 'TABLE_NAME', 'PARTITION_NAME', 'STAT_TYPE', 'VALUE'],
      ['shop', 'orders', null, 'BLOCK_READ_BYTE', '7'],
      ['shop', 'orders', null, 'BLOCK_READ_TIME', '8'],
      ['shop', 'orders', 'p1', 'GET_READ_BYTES', '9'],
    ],
  })
  const prefix = 'mysql_info_schema_rocksdb_perf_context'
  expect(text).toBe(`# TYPE ${prefix}_block_read_byte counter
${prefix}_block_read_byte{part="",schema="shop",table="orders"} 7
# TYPE ${prefix}_get_read_bytes counter
${prefix}_get_read_bytes{part="p1",schema="shop",table="orders"} 9
`)
})

test('the heartbeat is asked for without words that MySQL reserves', async () => {
  const { statements } = await collectRecorded(
    createHeartbeatCollector,
    '8.0.36',
    { '`pt`.`beat`': [['stored_time', 'present_time', 'server_id']] },
    { 'collect.heartbeat.database': 'pt', 'collect.heartbeat.table': 'beat', 'collect.heartbeat.utc': true },
  )
  expect(statements).toEqual([
    'SELECT UNIX_TIMESTAMP(ts) AS stored_time, UNIX_TIMESTAMP(UTC_TIMESTAMP(6)) AS present_time, server_id FROM `pt`.`beat`',
  ])
})
