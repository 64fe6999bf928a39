import { findPeerDifferences, isBetween, type ComparedValue, type PeerExceptions } from '@narthex/exporter-kit/peer-differences'
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
    return findPeerDifferences(ours, before, await scrapePeer(), exceptions)
  } finally {
    bystander.close()
    await exporter.close()
    await peer.stop()
  }
}

/** Gauges and untyped values that go up and down. */
const moving =
  /^mysql_(exporter_collector_duration|global_status_|info_schema_(processlist|innodb_metrics|table_|innodb_tablespace)|perf_schema_memory|engine_innodb|heartbeat_now|sys_|info_schema_\w+_statistics_concurrent)/

function isRight(compared: ComparedValue): boolean {
  const { family, key, value, before } = compared
  if (key === idleWaits) return value > 0
  // The waits of connections that are open come in when they end.
  if (family.name === 'mysql_perf_schema_events_waits_seconds_total') return value >= before
  if (family.type !== 'counter' && moving.test(family.name)) return Number.isFinite(value)
  return isBetween(compared)
}

/** Falls for a moment whenever the server moves the waits of a connection that ends to its totals. */
const idleWaits = 'mysql_perf_schema_events_waits_total{event_name="idle"}'

const exceptions: PeerExceptions = {
  newerFamilies: new RegExp(newerFamilies.map(({ source }) => source).join('|')),
  olderFamilies,
  newerLabels,
  otherLabelValues: /^mysqld_exporter_build_info$/,
  otherSamples: [mysqlOnly, new RegExp(unknownToPeer.map((name) => `"collect\\.${name.replace('.', '\\.')}"`).join('|'))],
  // Samples by thread states, or by the digests of our own statements, which are not the original's.
  passingSamples: /^mysql_(info_schema_processlist|perf_schema_events_statements)_/,
  isRight,
}
