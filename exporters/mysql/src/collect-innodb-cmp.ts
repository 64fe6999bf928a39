import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

const families: readonly RowFamily[] = [
  family('compress_ops_total', 'Pages of this size that were compressed.', 'compress_ops'),
  family('compress_ops_ok_total', 'Pages of this size that were compressed and fitted.', 'compress_ops_ok'),
  family('compress_time_seconds_total', 'Seconds spent on compressing pages of this size.', 'compress_time'),
  family('uncompress_ops_total', 'Pages of this size that were uncompressed.', 'uncompress_ops'),
  family('uncompress_time_seconds_total', 'Seconds spent on uncompressing pages of this size.', 'uncompress_time'),
]

export function createInnodbCmpCollector(): MysqlCollector {
  return { name: 'info_schema.innodb_cmp', defaultOn: true, source: 'information_schema.innodb_cmp', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query(
    'SELECT page_size, compress_ops, compress_ops_ok, compress_time, uncompress_ops, uncompress_time FROM information_schema.innodb_cmp',
  )
  writeRowFamilies(writer, result, families, (row) => ['page_size', readText(row[0])])
}

function family(name: string, help: string, column: string): RowFamily {
  return oneColumn(`mysql_info_schema_innodb_cmp_${name}`, help, 'counter', column)
}
