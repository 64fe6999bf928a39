import { parseGoFloat } from '@narthex/model/number'
import type { Buffer } from 'node:buffer'
import type { CommandTable } from './command-table.ts'
import { infoFields, otherField, systemFields, type FieldFamily } from './info-fields.ts'
import { InfoReport, PairScanner } from './info-report.ts'
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
  /** Filled anew. */
  readonly commands: CommandTable
}

/** What later steps want to know of INFO. */
export interface InfoSummary {
  /** `master`, `slave`; empty for a sentinel. */
  readonly role: string
  readonly isSentinel: boolean
  readonly isValkey: boolean
  /** `redis_version`; empty if it is not told. */
  readonly version: string
}

const ioThreadPrefix = 'used_active_time_io_thread_'
const commandPrefix = 'cmdstat_'
const percentilesPrefix = 'latency_percentiles_usec_'
const errorPrefix = 'errorstat_'

/** Where the quantiles of a command stand. */
interface Percentiles {
  readonly command: string
  readonly start: number
  readonly end: number
}

const pairs = new PairScanner()

/** Writes everything that the answer of INFO ALL tells. */
export function writeInfo(writer: TargetWriter, text: Buffer, options: InfoOptions): InfoSummary {
  const { commands } = options
  const report = new InfoReport(text)
  const kept = new Map<string, string>()
  const percentiles: Percentiles[] = []
  const errors: Row[] = []
  const ioThreads: Row[] = []
  const databases = new Map<string, Database>()
  const replication: ReplicationRows = { slaveOffsets: [], slaveLags: [], ofMaster: new Map() }
  const sentinel: SentinelRows = { status: [], slaves: [], sentinels: [] }
  let isSentinel = false
  commands.clear()
  while (report.nextField()) {
    const { section, field, valueStart, valueEnd } = report
    if (section === 'Commandstats') {
      if (field.startsWith(commandPrefix)) commands.add(field.slice(commandPrefix.length), text, valueStart, valueEnd)
      continue
    }
    if (section === 'Latencystats') {
      if (field.startsWith(percentilesPrefix)) {
        percentiles.push({ command: field.slice(percentilesPrefix.length), start: valueStart, end: valueEnd })
      }
      continue
    }
    if (section === 'Errorstats') {
      const count = readCount(text, valueStart, valueEnd)
      if (field.startsWith(errorPrefix) && count !== undefined)
        errors.push({ labels: ['err', field.slice(errorPrefix.length)], value: count })
      continue
    }
    if (keptFields.has(field)) kept.set(field, report.value)
    if (section === 'Keyspace' && text.toString('latin1', valueStart, valueStart + 5) === 'keys=') {
      databases.set(field, readDatabase(text, valueStart, valueEnd))
      continue
    }
    if (section === 'Replication' && readReplicationField(replication, report)) continue
    if (section === 'Sentinel') {
      isSentinel = true
      if (readSentinelField(writer, sentinel, field, report.value)) continue
    }
    if (field.startsWith(ioThreadPrefix)) {
      const seconds = report.number
      if (seconds !== undefined) ioThreads.push({ labels: ['thread', field.slice(ioThreadPrefix.length)], value: seconds })
      continue
    }
    const family = infoFields.get(field) ?? (options.includesSystem ? systemFields.get(field) : undefined) ?? otherField(field)
    if (family !== undefined) writeField(writer, family, readFieldNumber(report))
  }
  commands.finish()
  writeStart(writer, kept, options.nowMs)
  writeCommands(writer, commands)
  writePercentiles(writer, text, percentiles, commands)
  writeSorted(writer, 'errors_total', 'Error replies by their first word.', 'counter', errors)
  writeSorted(writer, 'active_time_io_thread_seconds_total', 'Seconds that an I/O thread was busy.', 'counter', ioThreads)
  writeDatabases(writer, databases, options)
  writeReplication(writer, replication, kept)
  writeSentinel(writer, sentinel)
  writeInstance(writer, kept)
  return {
    role: kept.get('role') ?? '',
    isSentinel,
    isValkey: kept.has('valkey_version'),
    version: kept.get('redis_version') ?? '',
  }
}

/** Writes `value` as `family`; undefined, for a text that is no number, is left out. */
export function writeField(writer: TargetWriter, family: FieldFamily | undefined, value: number | undefined): void {
  if (family === undefined || value === undefined) return
  const scaled = family.name === 'latest_fork_seconds' ? value / 1e6 : value
  if (family.type === 'gauge') writer.gauge(family.name, family.help, scaled)
  else writer.counter(family.name, family.help, scaled)
}

const words: ReadonlyMap<string, number> = new Map([
  ['ok', 1],
  ['true', 1],
  ['err', 0],
  ['fail', 0],
  ['false', 0],
])

/** The number of a field, or the one that its word stands for. */
export function readFieldNumber(report: InfoReport): number | undefined {
  return report.number ?? words.get(report.value)
}

/** As `readFieldNumber`, of a text. */
export function readTextNumber(text: string): number | undefined {
  return parseGoFloat(text) ?? words.get(text)
}

// count=4
function readCount(text: Buffer, start: number, end: number): number | undefined {
  pairs.load(text, start, end)
  return pairs.nextPair() ? pairs.number : undefined
}

function writeStart(writer: TargetWriter, kept: ReadonlyMap<string, string>, nowMs: number): void {
  const uptime = parseGoFloat(kept.get('uptime_in_seconds') ?? '')
  // Whole seconds, as both terms are no more exact.
  if (uptime !== undefined) writer.gauge('start_time_seconds', 'Start of the server in Unix time.', Math.floor(nowMs / 1000) - uptime)
}

function writeCommands(writer: TargetWriter, commands: CommandTable): void {
  const { order } = commands
  writer.family('commands_duration_seconds_total', 'Seconds spent by command.', 'counter')
  for (const row of order) writer.sample(commands.microseconds(row) / 1e6, commands.labelsOf(row))
  writer.family('commands_failed_calls_total', 'Calls that failed while they ran, by command.', 'counter')
  for (const row of order) if (!Number.isNaN(commands.failed(row))) writer.sample(commands.failed(row), commands.labelsOf(row))
  writer.family('commands_rejected_calls_total', 'Calls that were refused before they ran, by command.', 'counter')
  for (const row of order) if (!Number.isNaN(commands.rejected(row))) writer.sample(commands.rejected(row), commands.labelsOf(row))
  writer.family('commands_total', 'Calls by command.', 'counter')
  for (const row of order) writer.sample(commands.calls(row), commands.labelsOf(row))
}

function writePercentiles(writer: TargetWriter, text: Buffer, found: readonly Percentiles[], commands: CommandTable): void {
  if (found.length === 0) return
  writer.family('latency_percentiles_usec', 'Microseconds per call, quantiles in percent, by command.', 'summary')
  for (const { command, start, end } of found.toSorted((a, b) => (a.command < b.command ? -1 : 1))) {
    const row = commands.rowOf(command)
    if (row === undefined) continue
    pairs.load(text, start, end)
    while (pairs.nextPair()) {
      const value = pairs.number
      const percent = pairs.name.startsWith('p') ? parseGoFloat(pairs.name.slice(1)) : undefined
      if (value !== undefined && percent !== undefined) writer.sample(value, ['cmd', command, 'quantile', String(percent)])
    }
    writer.sample(commands.microseconds(row), commands.labelsOf(row), '_sum')
    writer.sample(commands.calls(row), commands.labelsOf(row), '_count')
  }
}

/** Databases shown though they are empty; a server can be told to have millions. */
const emptyDatabasesMax = 10_000

/** Numbers of one database; undefined where the server does not tell them. */
interface Database {
  keys: number | undefined
  expiring: number | undefined
  averageTtlMs: number | undefined
  cached: number | undefined
}

const emptyDatabase: Database = { keys: 0, expiring: 0, averageTtlMs: undefined, cached: undefined }

// keys=2,expires=1,avg_ttl=3000,subexpiry=0
function readDatabase(text: Buffer, start: number, end: number): Database {
  const database: Database = { keys: undefined, expiring: undefined, averageTtlMs: undefined, cached: undefined }
  pairs.load(text, start, end)
  while (pairs.nextPair()) {
    if (pairs.name === 'keys') database.keys = pairs.number
    else if (pairs.name === 'expires') database.expiring = pairs.number
    else if (pairs.name === 'avg_ttl') database.averageTtlMs = pairs.number
    else if (pairs.name === 'cached_keys') database.cached = pairs.number
  }
  return database
}

/** `['db', 'db0']`, … of so many databases, sorted as text; nearly every scrape asks for the same number of them. */
let databaseLabels: readonly (readonly string[])[] = []

function labelsOfDatabases(found: ReadonlyMap<string, Database>, shown: number): readonly (readonly string[])[] {
  if (databaseLabels.length !== shown) {
    const names = Array.from({ length: shown }, (_, index) => `db${index}`).sort()
    databaseLabels = names.map((name) => ['db', name])
  }
  const isShown = (name: string): boolean => /^db[0-9]+$/.test(name) && Number(name.slice(2)) < shown
  const others = [...found.keys()].filter((name) => !isShown(name))
  if (others.length === 0) return databaseLabels
  const all = [...databaseLabels, ...others.map((name) => ['db', name])]
  return all.sort(([, a], [, b]) => (a! < b! ? -1 : 1))
}

function writeDatabases(writer: TargetWriter, found: ReadonlyMap<string, Database>, options: InfoOptions): void {
  const shown = options.includesEmptyDatabases ? Math.min(options.databases, emptyDatabasesMax) : 0
  const rows = labelsOfDatabases(found, shown)
  const write = (family: string, help: string, read: (database: Database) => number | undefined): void => {
    writer.family(family, help, 'gauge')
    for (const labels of rows) {
      const value = read(found.get(labels[1]!) ?? emptyDatabase)
      if (value !== undefined) writer.sample(value, labels)
    }
  }
  write('db_avg_ttl_seconds', 'Mean time to live of the keys that have one, by database.', ({ averageTtlMs }) =>
    averageTtlMs === undefined ? undefined : averageTtlMs / 1000,
  )
  write('db_keys', 'Keys by database.', ({ keys }) => keys)
  write('db_keys_cached', 'Cached keys by database (KeyDB).', ({ cached }) => cached)
  write('db_keys_expiring', 'Keys with a time to live, by database.', ({ expiring }) => expiring)
}

function writeReplication(writer: TargetWriter, rows: ReplicationRows, kept: ReadonlyMap<string, string>): void {
  writeSorted(writer, 'connected_slave_lag_seconds', 'Seconds since the last word of a replica.', 'gauge', rows.slaveLags)
  writeSorted(writer, 'connected_slave_offset_bytes', 'Replication offset of a replica.', 'gauge', rows.slaveOffsets)
  const master = ['master_host', kept.get('master_host') ?? '', 'master_port', kept.get('master_port') ?? '']
  for (const [name, value] of rows.ofMaster) writer.gauge(name, `Field ${name} about this replica's master.`, value, master)
  if (kept.get('role') !== 'slave') return
  writer.gauge('slave_info', 'What this replica follows.', 1, [...master, 'read_only', kept.get('slave_read_only') ?? ''])
}

function writeSentinel(writer: TargetWriter, rows: SentinelRows): void {
  writeSorted(writer, 'sentinel_master_sentinels', 'Sentinels that watch a master.', 'gauge', rows.sentinels)
  writeSorted(writer, 'sentinel_master_slaves', 'Replicas of a master.', 'gauge', rows.slaves)
  writeSorted(writer, 'sentinel_master_status', 'Whether a master is ok (1).', 'gauge', rows.status)
}

/** Fields that are labels of `instance_info`, sorted. */
const instanceFields: readonly string[] =
  'master_replid maxmemory_policy os process_id redis_build_id redis_mode redis_version role run_id tcp_port'.split(' ')

const valkeyFields: readonly string[] = ['valkey_release_stage', 'valkey_version']

/** Fields that are looked at again once all are read. */
const keptFields: ReadonlySet<string> = new Set([
  ...instanceFields,
  ...valkeyFields,
  'master_host',
  'master_port',
  'slave_read_only',
  'uptime_in_seconds',
])

function writeInstance(writer: TargetWriter, kept: ReadonlyMap<string, string>): void {
  const labels = instanceFields.flatMap((field) => [field, kept.get(field) ?? ''])
  for (const field of valkeyFields) if (kept.has(field)) labels.push(field, kept.get(field)!)
  writer.gauge('instance_info', 'What this server is, as labels.', 1, labels)
}
