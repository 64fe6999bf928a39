import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readNumber, readText } from './query-result.ts'

/** Statistics that have a family; the server has more, of times. */
const statistics = (
  'block_cache_hit_count block_read_byte block_read_count bloom_memtable_hit_count bloom_memtable_miss_count ' +
  'bloom_sst_hit_count bloom_sst_miss_count get_from_memtable_count get_read_bytes internal_delete_skipped_count ' +
  'internal_key_skipped_count internal_merge_count internal_recent_skipped_count io_bytes_read io_bytes_written ' +
  'iter_read_bytes key_lock_wait_count multiget_read_bytes next_on_memtable_count prev_on_memtable_count ' +
  'seek_child_seek_count seek_on_memtable_count user_key_comparison_count'
).split(' ')

export function createRocksdbPerfContextCollector(): MysqlCollector {
  return { name: 'info_schema.rocksdb_perf_context', defaultOn: false, source: 'information_schema.rocksdb_perf_context', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const { rows } = await session.query(`
    SELECT table_schema, table_name, partition_name, stat_type, value FROM information_schema.rocksdb_perf_context`)
  const types = rows.map((row) => readText(row[3]).toLowerCase())
  for (const statistic of statistics) {
    writer.family(`mysql_info_schema_rocksdb_perf_context_${statistic}`, `Statistic ${statistic} of the table.`, 'counter')
    for (const [index, row] of rows.entries()) {
      const value = types[index] === statistic ? readNumber(row[4]) : undefined
      // A table without partitions has NULL.
      const labels = ['part', readText(row[2]), 'schema', readText(row[0]), 'table', readText(row[1])]
      if (value !== undefined) writer.sample(value, labels)
    }
  }
}
