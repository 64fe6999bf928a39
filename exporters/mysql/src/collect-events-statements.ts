import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readNumber, readText, type QueryResult, type Row } from './query-result.ts'
import { oneColumn, picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'
import { isMysqlAtLeast } from './server-version.ts'
import { quoteText, readCount } from './sql-text.ts'

const flagPrefix = 'collect.perf_schema.eventsstatements'

export const eventsStatementsFlags: readonly FlagSpec[] = [
  {
    name: `${flagPrefix}.limit`,
    type: 'number',
    default: 250,
    help: 'Limit the number of events statements digests by response time',
  },
  {
    name: `${flagPrefix}.timelimit`,
    type: 'number',
    default: 86_400,
    help: `Limit how old the 'last_seen' events statements can be, in seconds`,
  },
  {
    name: `${flagPrefix}.digest_text_limit`,
    type: 'number',
    default: 120,
    help: 'Maximum length of the normalized statement text',
  },
  {
    name: `${flagPrefix}.exclude_schemas`,
    type: 'string',
    default: 'mysql,performance_schema,information_schema',
    help: 'Comma separated list of schemas whose statements are left out',
  },
]

const families: readonly RowFamily[] = [
  family('total', 'Statements by digest.', 'count_star'),
  family('seconds_total', 'Seconds of statements by digest.', 'sum_timer_wait', picosecondsPerSecond),
  family('lock_time_seconds_total', 'Seconds that statements waited for locks.', 'sum_lock_time', picosecondsPerSecond),
  family('cpu_time_seconds_total', 'CPU seconds of statements.', 'sum_cpu_time', picosecondsPerSecond),
  family('errors_total', 'Errors of statements.', 'sum_errors'),
  family('warnings_total', 'Warnings of statements.', 'sum_warnings'),
  family('rows_affected_total', 'Rows affected.', 'sum_rows_affected'),
  family('rows_sent_total', 'Rows sent.', 'sum_rows_sent'),
  family('rows_examined_total', 'Rows examined.', 'sum_rows_examined'),
  family('tmp_tables_total', 'Temporary tables made.', 'sum_created_tmp_tables'),
  family('tmp_disk_tables_total', 'Temporary tables made on disk.', 'sum_created_tmp_disk_tables'),
  family('sort_merge_passes_total', 'Merge passes of sorts.', 'sum_sort_merge_passes'),
  family('sort_rows_total', 'Rows sorted.', 'sum_sort_rows'),
  family('no_index_used_total', 'Statements that used full table scans.', 'sum_no_index_used'),
]

/** The names that the original gives these quantiles. */
const quantiles = [
  { column: 'quantile_95', label: '95' },
  { column: 'quantile_99', label: '99' },
  { column: 'quantile_999', label: '999' },
]

export function createEventsStatementsCollector(flags: FlagReader): MysqlCollector {
  const count = (name: string): number => readCount(`${flagPrefix}.${name}`, flags.number(`${flagPrefix}.${name}`))
  const limit = count('limit')
  const ageSeconds = count('timelimit')
  const textLength = count('digest_text_limit')
  const excluded = flags
    .string(`${flagPrefix}.exclude_schemas`)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const isWanted = excluded.length === 0 ? '' : `AND schema_name NOT IN (${excluded.map(quoteText).join(', ')})`

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const columns = [...families.flatMap((each) => each.columns.map(({ column }) => column)), ...quantiles.map(({ column }) => column)]
    const known = columns.filter((column) => {
      if (column === 'sum_cpu_time') return isMysqlAtLeast(session.version, 8, 0, 28)
      return !column.startsWith('quantile_') || isMysqlAtLeast(session.version, 8, 0, 3)
    })
    const result = await session.query(`
      SELECT IFNULL(schema_name, 'NONE') AS \`schema\`, IFNULL(digest, 'NONE') AS digest,
        LEFT(IFNULL(digest_text, 'NONE'), ${textLength}) AS digest_text, ${known.join(', ')}
      FROM performance_schema.events_statements_summary_by_digest
      WHERE last_seen > DATE_SUB(NOW(), INTERVAL ${ageSeconds} SECOND) ${isWanted}
      ORDER BY sum_timer_wait DESC LIMIT ${limit}`)
    const labelsOf = (row: Row): string[] => ['digest', readText(row[1]), 'digest_text', readText(row[2]), 'schema', readText(row[0])]
    writeRowFamilies(writer, result, families, labelsOf)
    if (result.find('quantile_95') !== undefined) writeLatencies(writer, result, labelsOf)
  }

  return {
    name: 'perf_schema.eventsstatements',
    defaultOn: false,
    source: 'performance_schema.events_statements_summary_by_digest',
    collect,
  }
}

function writeLatencies(writer: MetricWriter, result: QueryResult, labelsOf: (row: Row) => string[]): void {
  writer.family('mysql_perf_schema_events_statements_latency', 'Latency of statements by digest.', 'summary')
  const [count, sum] = [result.index('count_star'), result.index('sum_timer_wait')]
  const indexes = quantiles.map(({ column }) => result.index(column))
  for (const row of result.rows) {
    const labels = labelsOf(row)
    for (const [position, { label }] of quantiles.entries()) {
      writer.sample((readNumber(row[indexes[position]!]) ?? 0) / picosecondsPerSecond, [...labels, 'quantile', label])
    }
    writer.sample((readNumber(row[sum]) ?? 0) / picosecondsPerSecond, labels, '_sum')
    writer.sample(readNumber(row[count]) ?? 0, labels, '_count')
  }
}

function family(name: string, help: string, column: string, divisor?: number): RowFamily {
  return oneColumn(`mysql_perf_schema_events_statements_${name}`, help, 'counter', column, divisor)
}
