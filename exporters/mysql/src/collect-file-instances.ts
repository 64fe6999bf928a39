import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { writeRowFamilies, type RowFamily } from './row-families.ts'
import { quoteText } from './sql-text.ts'

export const fileInstancesFlags: readonly FlagSpec[] = [
  {
    name: 'collect.perf_schema.file_instances.filter',
    type: 'string',
    default: '.*',
    help: 'RegEx file_name filter for performance_schema.file_summary_by_instance',
  },
  {
    name: 'collect.perf_schema.file_instances.remove_prefix',
    type: 'string',
    default: '/var/lib/mysql/',
    help: 'Remove path prefix in performance_schema.file_summary_by_instance',
  },
]

const modes = ['read', 'write']

const families: readonly RowFamily[] = [
  {
    name: 'mysql_perf_schema_file_instances_bytes',
    help: 'Bytes read from and written to a file.',
    type: 'counter',
    columns: modes.map((mode) => ({ column: `sum_number_of_bytes_${mode}`, variant: mode })),
  },
  {
    name: 'mysql_perf_schema_file_instances_total',
    help: 'Reads and writes of a file.',
    type: 'counter',
    columns: modes.map((mode) => ({ column: `count_${mode}`, variant: mode })),
  },
]

export function createFileInstancesCollector(flags: FlagReader): MysqlCollector {
  // The server does the matching, in its own dialect.
  const filter = quoteText(flags.string('collect.perf_schema.file_instances.filter'))
  const prefix = flags.string('collect.perf_schema.file_instances.remove_prefix')

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const result = await session.query(`
      SELECT file_name, event_name, count_read, count_write, sum_number_of_bytes_read, sum_number_of_bytes_write
      FROM performance_schema.file_summary_by_instance WHERE file_name REGEXP ${filter}`)
    writeRowFamilies(writer, result, families, (row, mode) => {
      const name = readText(row[0])
      return ['event_name', readText(row[1]), 'file_name', name.startsWith(prefix) ? name.slice(prefix.length) : name, 'mode', mode]
    })
  }

  return { name: 'perf_schema.file_instances', defaultOn: false, source: 'performance_schema.file_summary_by_instance', collect }
}
