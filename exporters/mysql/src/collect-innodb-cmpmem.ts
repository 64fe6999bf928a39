import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

const microsecondsPerSecond = 1e6

const families: readonly RowFamily[] = [
  family('pages_used_total', 'Blocks of this size that are in use.', 'pages_used'),
  family('pages_free_total', 'Blocks of this size that are free.', 'pages_free'),
  family('relocation_ops_total', 'Blocks of this size that were moved.', 'relocation_ops'),
  family('relocation_time_seconds_total', 'Seconds spent on moving blocks of this size.', 'relocation_time', microsecondsPerSecond),
]

export function createInnodbCmpmemCollector(): MysqlCollector {
  return { name: 'info_schema.innodb_cmpmem', defaultOn: true, source: 'information_schema.innodb_cmpmem', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(
    'SELECT page_size, buffer_pool_instance, pages_used, pages_free, relocation_ops, relocation_time FROM information_schema.innodb_cmpmem',
  )
  writeRowFamilies(writer, result, families, (row) => ['buffer_pool', readText(row[1]), 'page_size', readText(row[0])])
}

function family(name: string, help: string, column: string, divisor?: number): RowFamily {
  return oneColumn(`mysql_info_schema_innodb_cmpmem_${name}`, help, 'counter', column, divisor)
}
