import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'
import { isMariadbAtLeast, isMysqlAtLeast } from './server-version.ts'

export const memoryEventsFlags: readonly FlagSpec[] = [
  {
    name: 'collect.perf_schema.memory_events.remove_prefix',
    type: 'string',
    default: 'memory/',
    help: 'Remove instrument prefix in performance_schema.memory_summary_global_by_event_name',
  },
]

const families: readonly RowFamily[] = [
  family('alloc_bytes_total', 'Bytes allocated by event.', 'counter', 'sum_number_of_bytes_alloc'),
  family('free_bytes_total', 'Bytes freed by event.', 'counter', 'sum_number_of_bytes_free'),
  family('used_bytes', 'Bytes in use by event.', 'gauge', 'current_number_of_bytes_used'),
]

export function createMemoryEventsCollector(flags: FlagReader): MysqlCollector {
  const prefix = flags.string('collect.perf_schema.memory_events.remove_prefix')

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const result = await session.query(`
      SELECT event_name, sum_number_of_bytes_alloc, sum_number_of_bytes_free, current_number_of_bytes_used
      FROM performance_schema.memory_summary_global_by_event_name WHERE count_alloc > 0`)
    writeRowFamilies(writer, result, families, (row) => {
      const name = readText(row[0])
      return ['event_name', name.startsWith(prefix) ? name.slice(prefix.length) : name]
    })
  }

  return {
    name: 'perf_schema.memory_events',
    defaultOn: false,
    source: 'performance_schema.memory_summary_global_by_event_name',
    isFor: (version) => isMysqlAtLeast(version, 5, 7) || isMariadbAtLeast(version, 10, 5),
    collect,
  }
}

function family(name: string, help: string, type: RowFamily['type'], column: string): RowFamily {
  return oneColumn(`mysql_perf_schema_memory_events_${name}`, help, type, column)
}
