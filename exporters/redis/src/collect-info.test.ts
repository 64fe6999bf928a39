import { readInventory } from '@narthex/exporter-kit/inventory'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { expect, test } from 'vitest'
import { writeInfo, type InfoOptions, type InfoSummary } from './collect-info.ts'
import { CommandTable } from './command-table.ts'
import { writeModules } from './collect-modules.ts'
import { infoFields, moduleFields } from './info-fields.ts'
import { FamilyNames, TargetWriter } from './target-writer.ts'

const commands = new CommandTable()
const defaults: InfoOptions = { databases: 3, includesEmptyDatabases: true, includesSystem: false, nowMs: 1_700_000_000_900, commands }

function write(text: string, options: Partial<InfoOptions> = {}): { samples: string[]; types: Map<string, string>; summary: InfoSummary } {
  const families = new FamilyWriter()
  const summary = writeInfo(new TargetWriter(families, new FamilyNames('redis')), Buffer.from(text.replaceAll('\n', '\r\n')), {
    ...defaults,
    ...options,
  })
  const lines = Buffer.from(families.finish()).toString().trimEnd().split('\n')
  const types = new Map(lines.flatMap((line) => (line.startsWith('# TYPE ') ? [line.slice(7).split(' ') as [string, string]] : [])))
  return { samples: lines.filter((line) => !line.startsWith('#')), types, summary }
}

function only(samples: readonly string[], pattern: RegExp): string[] {
  return samples.filter((line) => pattern.test(line))
}

test('plain fields get their names and types; words are numbers, other text is left out', () => {
  const { samples, types } = write(`# Server
uptime_in_seconds:100
process_id:1_0
hz:
# Clients
connected_clients:many
blocked_clients:+5
maxclients:10000
# Memory
used_memory:1024
allocator_frag_ratio:-nan
mem_fragmentation_ratio:1.5
total_system_memory:7
# Persistence
rdb_last_bgsave_status:ok
aof_last_write_status:err
loading:false
# Stats
latest_fork_usec:2500
expired_time_cap_reached_count:3
unheard_of:1
`)
  expect(only(samples, /^redis_(?!db_|instance)/)).toEqual([
    'redis_aof_last_write_status 0',
    'redis_blocked_clients 5',
    'redis_expired_time_cap_reached_total 3',
    'redis_latest_fork_seconds 0.0025',
    'redis_loading_dump_file 0',
    'redis_max_clients 10000',
    'redis_mem_fragmentation_ratio 1.5',
    'redis_memory_used_bytes 1024',
    'redis_process_id 10',
    'redis_rdb_last_bgsave_status 1',
    'redis_start_time_seconds 1.6999999e+09',
    'redis_uptime_in_seconds 100',
  ])
  expect(types.get('redis_expired_time_cap_reached_total')).toBe('counter')
  expect(types.get('redis_memory_used_bytes')).toBe('gauge')
})

test('fields without a name of their own are kept if they begin as the original wants it', () => {
  const { samples } = write('# Cluster\ncluster_enabled:1\ncluster_stats_messages_ping_sent:5\ncluster_stats_messages_sent:6\ndb.x:7\n')
  expect(only(samples, /cluster|db_x/)).toEqual([
    'redis_cluster_enabled 1',
    'redis_cluster_messages_sent_total 6',
    'redis_cluster_stats_messages_ping_sent 5',
    'redis_db_x 7',
  ])
})

test('commands get calls, time, refusals and quantiles in percent', () => {
  const { samples } = write(`# Commandstats
cmdstat_set:calls=3,usec=1500,usec_per_call=500,rejected_calls=1,failed_calls=2
cmdstat_config|get:calls=1,usec=2,usec_per_call=2
cmdstat_bad:calls=x,usec=2
# Latencystats
latency_percentiles_usec_set:p50=0.001,p99=1.003,p99.9=3.007
latency_percentiles_usec_gone:p50=1
# Errorstats
errorstat_ERR:count=4
errorstat_BAD:cnt=x
`)
  expect(only(samples, /cmd=|err=/)).toEqual([
    'redis_commands_duration_seconds_total{cmd="config|get"} 2e-06',
    'redis_commands_duration_seconds_total{cmd="set"} 0.0015',
    'redis_commands_failed_calls_total{cmd="set"} 2',
    'redis_commands_rejected_calls_total{cmd="set"} 1',
    'redis_commands_total{cmd="config|get"} 1',
    'redis_commands_total{cmd="set"} 3',
    'redis_errors_total{err="ERR"} 4',
    'redis_latency_percentiles_usec{cmd="set",quantile="50"} 0.001',
    'redis_latency_percentiles_usec{cmd="set",quantile="99"} 1.003',
    'redis_latency_percentiles_usec{cmd="set",quantile="99.9"} 3.007',
    'redis_latency_percentiles_usec_sum{cmd="set"} 1500',
    'redis_latency_percentiles_usec_count{cmd="set"} 3',
  ])
  expect(commands.microseconds(commands.rowOf('set')!)).toBe(1500)
})

test('databases are shown also when they are empty, unless that is switched off', () => {
  const text = '# Keyspace\ndb0:keys=2,expires=1,avg_ttl=3000,subexpiry=0\ndb12:keys=1,expires=0,cached_keys=7\n'
  expect(only(write(text).samples, /_db/)).toEqual([
    'redis_db_avg_ttl_seconds{db="db0"} 3',
    'redis_db_keys{db="db0"} 2',
    'redis_db_keys{db="db1"} 0',
    'redis_db_keys{db="db12"} 1',
    'redis_db_keys{db="db2"} 0',
    'redis_db_keys_cached{db="db12"} 7',
    'redis_db_keys_expiring{db="db0"} 1',
    'redis_db_keys_expiring{db="db1"} 0',
    'redis_db_keys_expiring{db="db12"} 0',
    'redis_db_keys_expiring{db="db2"} 0',
  ])
  expect(only(write(text, { includesEmptyDatabases: false }).samples, /_db_keys\{/)).toHaveLength(2)
})

test('a server told to have a billion databases shows ten thousand', () => {
  expect(only(write('# Keyspace\n', { databases: 1e9 }).samples, /_db_keys\{/)).toHaveLength(10_000)
})

test('a master shows its replicas, a replica its master', () => {
  const master = write(`# Replication
role:master
slave0:ip=10.0.0.1,port=6379,state=online,offset=123,lag=0
slave1:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0
slave2:10.0.0.3,6379,online
`)
  expect(only(master.samples, /connected_slave_/)).toEqual([
    'redis_connected_slave_lag_seconds{slave_ip="10.0.0.1",slave_port="6379",slave_state="online"} 0',
    'redis_connected_slave_offset_bytes{slave_ip="10.0.0.1",slave_port="6379",slave_state="online"} 123',
    'redis_connected_slave_offset_bytes{slave_ip="10.0.0.2",slave_port="6379",slave_state="wait_bgsave"} 0',
  ])
  const replica = write(`# Replication
role:slave
master_host:10.0.0.9
master_port:6380
master_link_status:down
master_last_io_seconds_ago:-1
master_sync_in_progress:0
slave_repl_offset:42
slave_read_only:1
`)
  expect(replica.summary.role).toBe('slave')
  expect(only(replica.samples, /master_host/)).toEqual([
    'redis_master_last_io_seconds_ago{master_host="10.0.0.9",master_port="6380"} -1',
    'redis_master_link_up{master_host="10.0.0.9",master_port="6380"} 0',
    'redis_master_sync_in_progress{master_host="10.0.0.9",master_port="6380"} 0',
    'redis_slave_info{master_host="10.0.0.9",master_port="6380",read_only="1"} 1',
    'redis_slave_repl_offset{master_host="10.0.0.9",master_port="6380"} 42',
  ])
})

test('a sentinel shows its masters', () => {
  const { samples, summary } = write(`# Sentinel
sentinel_masters:1
sentinel_tilt:0
master0:name=mymaster,status=odown,address=127.0.0.1:6379,slaves=2,sentinels=3
`)
  expect(summary.isSentinel).toBe(true)
  expect(only(samples, /sentinel/)).toEqual([
    'redis_sentinel_master_sentinels{master_address="127.0.0.1:6379",master_name="mymaster"} 3',
    'redis_sentinel_master_slaves{master_address="127.0.0.1:6379",master_name="mymaster"} 2',
    'redis_sentinel_master_status{master_address="127.0.0.1:6379",master_name="mymaster",master_status="odown"} 0',
    'redis_sentinel_masters 1',
    'redis_sentinel_tilt 0',
  ])
})

test('Valkey has two labels more and I/O threads one by one', () => {
  const { samples, types, summary } = write(`# Server
redis_version:7.2.4
server_name:valkey
valkey_version:8.1.1
valkey_release_stage:ga
# CPU
used_active_time_main_thread:12.5
used_active_time_io_thread_1:0.25
used_active_time_io_thread_2:0.5
`)
  expect(summary.isValkey).toBe(true)
  expect(only(samples, /instance_info/)[0]).toContain('tcp_port="",valkey_release_stage="ga",valkey_version="8.1.1"} 1')
  expect(only(samples, /active_time/)).toEqual([
    'redis_active_time_io_thread_seconds_total{thread="1"} 0.25',
    'redis_active_time_io_thread_seconds_total{thread="2"} 0.5',
    'redis_active_time_main_thread_seconds_total 12.5',
  ])
  expect(types.get('redis_active_time_io_thread_seconds_total')).toBe('counter')
})

test('modules are labels, their fields families', () => {
  const families = new FamilyWriter()
  writeModules(
    new TargetWriter(families, new FamilyNames('redis')),
    Buffer.from(
      '# Modules\r\nmodule:name=ReJSON,ver=20000,api=1,filters=0,usedby=[search|ts],using=[],options=[handle-io-errors]\r\n' +
        '# search_runtime\r\nsearch_number_of_indexes:2\r\nsearch_total_cycles:3\r\n',
    ),
  )
  const text = Buffer.from(families.finish()).toString()
  expect(text).toContain('redis_module_info{api="1",filters="0",name="ReJSON",usedby="[search|ts]",using="[]",ver="20000"} 1\n')
  expect(text).toContain('redis_search_number_of_indexes 2\n')
  expect(text).toContain('# TYPE redis_search_cycles_total counter\n')
})

test('every family of the inventory that a plain field gives has a field, with its type', () => {
  const rows = readInventory('redis')
  expect(rows, 'want parity/redis.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const known = new Map([...infoFields.values(), ...moduleFields.values()].map(({ name, type }) => [`redis_${name}`, type]))
  const plain = rows!.filter(
    (row) => ['info', 'modules', 'tile38'].includes(row.collector) && row.labels.length === 0 && row.metric !== 'redis_start_time_seconds',
  )
  // Behind a flag, and with a table of its own.
  const missing = plain.filter((row) => known.get(row.metric) !== row.type).map(({ metric }) => metric)
  expect(missing).toEqual(['redis_total_system_memory_bytes'])
  const invented = [...known.keys()].filter((name) => !rows!.some((row) => row.metric === name))
  expect(invented).toEqual([])
})
