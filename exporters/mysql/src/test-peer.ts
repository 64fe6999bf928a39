import type { MetricFamily } from '@narthex/exporter-kit/family-parser'
import { createTestExporter, parseText, scrapeFamilies, type Families, type TestServer } from './test-server.ts'

/** Families that came after 0.14, or that it can have only with newer statements. */
const newerFamilies: readonly RegExp[] = [
  /^mysql_exporter_collector_success$/,
  /^mysql_slave_status_gtid_(io|slave)_pos$/,
  // Its column names are those of MySQL 5.7: the scraper fails on MariaDB 10.11.
  /^mysql_info_schema_innodb_tablespace_/,
  // sys.user_summary came with 0.15.
  /^mysql_sys_/,
  /^mysql_perf_schema_events_statements_lock_time_seconds_total$/,
]
/** Families that went after it. */
const olderFamilies = /^mysql_exporter_(last_scrape_error|scrapes_total|scrape_errors_total)$/
/** Labels that came after it. */
const newerLabels: readonly (readonly [RegExp, string])[] = [[/^mysqld_exporter_build_info$/, 'tags']]

/** Collectors that came after it. */
export const unknownToPeer = ['sys.user_summary', 'info_schema.rocksdb_perf_context']
/** Collectors that 0.14 starts on any server, and that fail on MariaDB; ours know that it has no such tables. */
const mysqlOnly =
  /"collect\.perf_schema\.replication_(applier_status_by_worker|group_member_stats|group_members)"|"collect\.engine_tokudb_status"/

/** Debian's mysqld_exporter 0.14 on the server that is compared, as test/kit gives it. */
export interface StartedPeer {
  readonly url: string
  stop(): Promise<void>
}

/**
 * What differs between ours with these flags and the peer, which is stopped in the end: families, types, labels, and values that do not
 * lie between two of its scrapes.
 */
export async function compareWithPeer(server: TestServer, flags: Readonly<Record<string, boolean>>, peer: StartedPeer): Promise<string[]> {
  const scrapePeer = async (): Promise<Families> => parseText(await (await fetch(`${peer.url}/metrics`)).text())
  const exporter = createTestExporter(server, flags)
  // One thread that both see.
  const bystander = await server.connect()
  try {
    await exporter.handleMetrics()
    const before = await scrapePeer()
    const ours = await scrapeFamilies(exporter)
    return findDifferences(ours, before, await scrapePeer())
  } finally {
    bystander.close()
    await exporter.close()
    await peer.stop()
  }
}

function findDifferences(ours: Families, before: Families, after: Families): string[] {
  const differences: string[] = []
  for (const [name, theirs] of before) {
    if (!isCompared(name) || olderFamilies.test(name)) continue
    const own = ours.get(name)
    if (own === undefined) differences.push(`${name}: missing`)
    else if (own.type !== theirs.type) differences.push(`${name}: want type ${theirs.type}, got ${own.type}`)
    else differences.push(...compareSamples(own, theirs, after.get(name)))
  }
  for (const name of ours.keys()) {
    if (isCompared(name) && !before.has(name) && !newerFamilies.some((pattern) => pattern.test(name))) {
      differences.push(`${name}: not in the original`)
    }
  }
  return differences
}

/** Our process is another one than the peer's, and it has no Go runtime. */
function isCompared(name: string): boolean {
  return !/^(go_|process_|promhttp_)/.test(name)
}

function compareSamples(own: MetricFamily, theirs: MetricFamily, later: MetricFamily | undefined): string[] {
  const differences: string[] = []
  const ownValues = valuesByKey(own)
  const theirValues = valuesByKey(theirs)
  const laterValues = later === undefined ? new Map<string, number>() : valuesByKey(later)
  for (const [key, low] of theirValues) {
    if (mysqlOnly.test(key)) continue
    const value = ownValues.get(key)
    // What one scrape does is seen by the next: a sample may be new, or gone.
    if (value === undefined) {
      if (laterValues.has(key) && !isTransient(own.name)) differences.push(`${key}: missing`)
    } else if (key === idleWaits ? !(value > 0) : !isBetween(own, value, low, laterValues.get(key))) {
      differences.push(`${key}: want ${low} to ${laterValues.get(key)}, got ${value}`)
    }
  }
  for (const key of ownValues.keys()) {
    if (unknownToPeer.some((name) => key.includes(`"collect.${name}"`))) continue
    if (!theirValues.has(key) && !laterValues.has(key) && !isTransient(own.name)) differences.push(`${key}: not in the original`)
  }
  return differences
}

/** Samples by thread states, or by the digests of our own statements, which are not the original's. */
function isTransient(name: string): boolean {
  return /^mysql_(info_schema_processlist|perf_schema_events_statements)_/.test(name)
}

function valuesByKey(family: MetricFamily): Map<string, number> {
  const dropped = newerLabels.filter(([pattern]) => pattern.test(family.name)).map(([, label]) => label)
  const isVolatile = family.name === 'mysqld_exporter_build_info'
  return new Map(
    family.samples.map(({ labels, suffix, value }) => {
      const pairs: string[] = []
      for (let i = 0; i < labels.length; i += 2) {
        if (!dropped.includes(labels[i]!)) pairs.push(isVolatile ? labels[i]! : `${labels[i]}="${labels[i + 1]}"`)
      }
      return [`${family.name}${suffix}{${pairs.join()}}`, value]
    }),
  )
}

/** Gauges and untyped values that go up and down. */
const moving =
  /^mysql_(exporter_collector_duration|global_status_|info_schema_(processlist|innodb_metrics|table_|innodb_tablespace)|perf_schema_memory|engine_innodb|heartbeat_now|sys_|info_schema_\w+_statistics_concurrent)/

function isBetween({ name, type }: MetricFamily, value: number, low: number, high = low): boolean {
  if (Number.isNaN(value) || Number.isNaN(low)) return Number.isNaN(value) && Number.isNaN(low)
  // The waits of connections that are open come in when they end.
  if (name === 'mysql_perf_schema_events_waits_seconds_total') return value >= low
  if (type !== 'counter' && moving.test(name)) return Number.isFinite(value)
  return value >= Math.min(low, high) && value <= Math.max(low, high)
}

/** Falls for a moment whenever the server moves the waits of a connection that ends to its totals. */
const idleWaits = 'mysql_perf_schema_events_waits_total{event_name="idle"}'
