import { parseGoFloat } from '@narthex/model/number'
import { infoFields, otherField, systemFields, type FieldFamily } from './info-fields.ts'
import { InfoReport, readPairs } from './info-report.ts'
import { readReplicationField, type ReplicationRows } from './info-replication.ts'
import { readSentinelField, type SentinelRows } from './info-sentinel.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

export interface InfoOptions {
  /** Databases of the server; empty ones are shown if `includesEmptyDatabases`. */
  readonly databases: number
  readonly includesEmptyDatabases: boolean
  readonly includesSystem: boolean
  /** Wall clock, milliseconds. */
  readonly nowMs: number
}

/** What later steps want to know of INFO. */
export interface InfoSummary {
  /** `master`, `slave`; empty for a sentinel. */
  readonly role: string
  readonly isSentinel: boolean
  readonly isValkey: boolean
  /** Microseconds spent by command, for the sums of histograms. */
  readonly commandMicroseconds: ReadonlyMap<string, number>
}

const ioThreadPrefix = 'used_active_time_io_thread_'

interface CommandRow {
  readonly calls: number
  readonly microseconds: number
  readonly rejected: number | undefined
  readonly failed: number | undefined
}

/** Writes everything that the answer of INFO ALL tells. */
export function writeInfo(writer: TargetWriter, text: string, options: InfoOptions): InfoSummary {
  const report = new InfoReport(text)
  const values = new Map<string, string>()
  const commands = new Map<string, CommandRow>()
  const percentiles = new Map<string, ReadonlyMap<string, string>>()
  const errors: Row[] = []
  const ioThreads: Row[] = []
  const databases = new Map<string, ReadonlyMap<string, string>>()
  const replication: ReplicationRows = { slaveOffsets: [], slaveLags: [], ofMaster: new Map() }
  const sentinel: SentinelRows = { status: [], slaves: [], sentinels: [] }
  let isSentinel = false
  while (report.nextField()) {
    const { section, field, value } = report
    values.set(field, value)
    if (section === 'Commandstats') {
      const row = readCommand(field, value)
      if (row !== undefined) commands.set(field.slice('cmdstat_'.length), row)
      continue
    }
    if (section === 'Latencystats') {
      if (field.startsWith('latency_percentiles_usec_')) percentiles.set(field.slice('latency_percentiles_usec_'.length), readPairs(value))
      continue
    }
    if (section === 'Errorstats') {
      const count = parseGoFloat(value.slice(value.indexOf('=') + 1))
      if (field.startsWith('errorstat_') && count !== undefined)
        errors.push({ labels: ['err', field.slice('errorstat_'.length)], value: count })
      continue
    }
    if (section === 'Keyspace' && value.startsWith('keys=')) {
      databases.set(field, readPairs(value))
      continue
    }
    if (section === 'Replication' && readReplicationField(replication, field, value)) continue
    if (section === 'Sentinel') {
      isSentinel = true
      if (readSentinelField(writer, sentinel, field, value)) continue
    }
    if (field.startsWith(ioThreadPrefix)) {
      const seconds = parseGoFloat(value)
      if (seconds !== undefined) ioThreads.push({ labels: ['thread', field.slice(ioThreadPrefix.length)], value: seconds })
      continue
    }
    writeField(writer, infoFields.get(field) ?? (options.includesSystem ? systemFields.get(field) : undefined) ?? otherField(field), value)
  }
  writeStart(writer, values, options.nowMs)
  writeCommands(writer, commands)
  writePercentiles(writer, percentiles, commands)
  writeSorted(writer, 'errors_total', 'Error replies by their first word.', 'counter', errors)
  writeSorted(writer, 'active_time_io_thread_seconds_total', 'Seconds that an I/O thread was busy.', 'counter', ioThreads)
  writeDatabases(writer, databases, options)
  writeReplication(writer, replication, values)
  writeSentinel(writer, sentinel)
  writeInstance(writer, values)
  return {
    role: values.get('role') ?? '',
    isSentinel,
    isValkey: values.has('valkey_version'),
    commandMicroseconds: new Map([...commands].map(([name, { microseconds }]) => [name, microseconds])),
  }
}

/** Writes `value` as `family`; a text that is no number is left out. */
export function writeField(writer: TargetWriter, family: FieldFamily | undefined, value: string): void {
  if (family === undefined) return
  const number = readValue(value)
  if (number === undefined) return
  const scaled = family.name === 'latest_fork_seconds' ? number / 1e6 : number
  if (family.type === 'gauge') writer.gauge(family.name, family.help, scaled)
  else writer.counter(family.name, family.help, scaled)
}

function readValue(text: string): number | undefined {
  if (text === 'ok' || text === 'true') return 1
  if (text === 'err' || text === 'fail' || text === 'false') return 0
  return parseGoFloat(text)
}

function readCommand(field: string, value: string): CommandRow | undefined {
  if (!field.startsWith('cmdstat_')) return undefined
  const pairs = readPairs(value)
  const read = (name: string): number | undefined => parseGoFloat(pairs.get(name) ?? '')
  const calls = read('calls')
  const microseconds = read('usec')
  if (calls === undefined || microseconds === undefined) return undefined
  return { calls, microseconds, rejected: read('rejected_calls'), failed: read('failed_calls') }
}

function writeStart(writer: TargetWriter, values: ReadonlyMap<string, string>, nowMs: number): void {
  const uptime = parseGoFloat(values.get('uptime_in_seconds') ?? '')
  // Whole seconds, as both terms are no more exact.
  if (uptime !== undefined) writer.gauge('start_time_seconds', 'Start of the server in Unix time.', Math.floor(nowMs / 1000) - uptime)
}

function writeCommands(writer: TargetWriter, commands: ReadonlyMap<string, CommandRow>): void {
  const names = [...commands.keys()].sort()
  const write = (family: string, help: string, read: (row: CommandRow) => number | undefined): void => {
    writer.family(family, help, 'counter')
    for (const name of names) {
      const value = read(commands.get(name)!)
      if (value !== undefined) writer.sample(value, ['cmd', name])
    }
  }
  write('commands_duration_seconds_total', 'Seconds spent by command.', (row) => row.microseconds / 1e6)
  write('commands_failed_calls_total', 'Calls that failed while they ran, by command.', (row) => row.failed)
  write('commands_rejected_calls_total', 'Calls that were refused before they ran, by command.', (row) => row.rejected)
  write('commands_total', 'Calls by command.', (row) => row.calls)
}

function writePercentiles(
  writer: TargetWriter,
  percentiles: ReadonlyMap<string, ReadonlyMap<string, string>>,
  commands: ReadonlyMap<string, CommandRow>,
): void {
  writer.family('latency_percentiles_usec', 'Microseconds per call, quantiles in percent, by command.', 'summary')
  for (const command of [...percentiles.keys()].sort()) {
    const row = commands.get(command)
    if (row === undefined) continue
    for (const [name, text] of percentiles.get(command)!) {
      const value = parseGoFloat(text)
      const percent = name.startsWith('p') ? parseGoFloat(name.slice(1)) : undefined
      if (value !== undefined && percent !== undefined) writer.sample(value, ['cmd', command, 'quantile', String(percent)])
    }
    writer.sample(row.microseconds, ['cmd', command], '_sum')
    writer.sample(row.calls, ['cmd', command], '_count')
  }
}

/** Databases shown though they are empty; a server can be told to have millions. */
const emptyDatabasesMax = 10_000

function writeDatabases(writer: TargetWriter, found: ReadonlyMap<string, ReadonlyMap<string, string>>, options: InfoOptions): void {
  const rows = new Map(found)
  const empty = new Map([
    ['keys', '0'],
    ['expires', '0'],
  ])
  const shown = options.includesEmptyDatabases ? Math.min(options.databases, emptyDatabasesMax) : 0
  for (let index = 0; index < shown; index++) if (!rows.has(`db${index}`)) rows.set(`db${index}`, empty)
  const write = (family: string, help: string, key: string, divisor: number): void => {
    const samples: Row[] = []
    for (const [database, pairs] of rows) {
      const value = parseGoFloat(pairs.get(key) ?? '')
      if (value !== undefined) samples.push({ labels: ['db', database], value: value / divisor })
    }
    writeSorted(writer, family, help, 'gauge', samples)
  }
  write('db_avg_ttl_seconds', 'Mean time to live of the keys that have one, by database.', 'avg_ttl', 1000)
  write('db_keys', 'Keys by database.', 'keys', 1)
  write('db_keys_cached', 'Cached keys by database (KeyDB).', 'cached_keys', 1)
  write('db_keys_expiring', 'Keys with a time to live, by database.', 'expires', 1)
}

function writeReplication(writer: TargetWriter, rows: ReplicationRows, values: ReadonlyMap<string, string>): void {
  writeSorted(writer, 'connected_slave_lag_seconds', 'Seconds since the last word of a replica.', 'gauge', rows.slaveLags)
  writeSorted(writer, 'connected_slave_offset_bytes', 'Replication offset of a replica.', 'gauge', rows.slaveOffsets)
  const master = ['master_host', values.get('master_host') ?? '', 'master_port', values.get('master_port') ?? '']
  for (const [name, value] of rows.ofMaster) writer.gauge(name, `Field ${name} about this replica's master.`, value, master)
  if (values.get('role') !== 'slave') return
  writer.gauge('slave_info', 'What this replica follows.', 1, [...master, 'read_only', values.get('slave_read_only') ?? ''])
}

function writeSentinel(writer: TargetWriter, rows: SentinelRows): void {
  writeSorted(writer, 'sentinel_master_sentinels', 'Sentinels that watch a master.', 'gauge', rows.sentinels)
  writeSorted(writer, 'sentinel_master_slaves', 'Replicas of a master.', 'gauge', rows.slaves)
  writeSorted(writer, 'sentinel_master_status', 'Whether a master is ok (1).', 'gauge', rows.status)
}

const instanceFields: readonly (readonly [label: string, field: string])[] = [
  ['master_replid', 'master_replid'],
  ['maxmemory_policy', 'maxmemory_policy'],
  ['os', 'os'],
  ['process_id', 'process_id'],
  ['redis_build_id', 'redis_build_id'],
  ['redis_mode', 'redis_mode'],
  ['redis_version', 'redis_version'],
  ['role', 'role'],
  ['run_id', 'run_id'],
  ['tcp_port', 'tcp_port'],
]

const valkeyFields: readonly (readonly [label: string, field: string])[] = [
  ['valkey_release_stage', 'valkey_release_stage'],
  ['valkey_version', 'valkey_version'],
]

function writeInstance(writer: TargetWriter, values: ReadonlyMap<string, string>): void {
  const fields = values.has('valkey_version') ? [...instanceFields, ...valkeyFields] : instanceFields
  const labels = fields.flatMap(([label, field]) => [label, values.get(field) ?? ''])
  writer.gauge('instance_info', 'What this server is, as labels.', 1, labels)
}
