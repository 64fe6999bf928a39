import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readNumber, readText } from './query-result.ts'
import { isMariadbAtLeast } from './server-version.ts'

const prefix = 'mysql_info_schema_innodb_metrics'

export function createInnodbMetricsCollector(): MysqlCollector {
  return { name: 'info_schema.innodb_metrics', defaultOn: false, source: 'information_schema.innodb_metrics', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const isEnabled = isMariadbAtLeast(session.version, 10, 5) ? 'enabled = 1' : `status = 'enabled'`
  const { rows } = await session.query(
    `SELECT name, subsystem, type, comment, \`count\` FROM information_schema.innodb_metrics WHERE ${isEnabled}`,
  )
  for (const row of rows) {
    const value = readNumber(row[4])
    if (value !== undefined) writeMetric(writer, readText(row[0]), readText(row[1]), readText(row[2]), readText(row[3]), value)
  }
}

function writeMetric(writer: MetricWriter, name: string, subsystem: string, type: string, comment: string, value: number): void {
  if (subsystem === 'buffer_page_io') return writePageIo(writer, name, value)
  const pages = subsystem === 'buffer' ? /^buffer_pool_pages_(.*)$/.exec(name)?.[1] : undefined
  if (pages !== undefined) return writePages(writer, pages, value)
  const metric = `${prefix}_${subsystem}_${name}`.replace(/[^a-zA-Z0-9_]/g, '_')
  // Some counters come out negative by a bug of the server; those are gauges.
  const isCounter = (type === 'counter' || type === 'status_counter') && value >= 0
  writer.family(isCounter ? `${metric}_total` : metric, comment, isCounter ? 'counter' : 'gauge')
  writer.sample(value)
}

function writePageIo(writer: MetricWriter, name: string, value: number): void {
  const match = /^buffer_page_(read|written)_(.*)$/.exec(name)
  if (match === null) return
  writer.family(`${prefix}_buffer_page_${match[1]!}_total`, `Buffer pages ${match[1]!} by type.`, 'counter')
  writer.sample(value, ['type', match[2]!])
}

// The total is the sum of the others.
function writePages(writer: MetricWriter, state: string, value: number): void {
  if (state === 'total') return
  if (state === 'dirty') {
    writer.family(`${prefix}_buffer_pool_dirty_pages`, 'Dirty pages in the buffer pool.', 'gauge')
    writer.sample(value)
    return
  }
  writer.family(`${prefix}_buffer_pool_pages`, 'Pages in the buffer pool by state.', 'gauge')
  writer.sample(value, ['state', state])
}
