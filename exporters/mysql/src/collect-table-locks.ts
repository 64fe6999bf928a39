import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { writeRowFamilies } from './row-families.ts'
import { tableLabels, waitFamilies } from './table-waits.ts'

const sqlLocks = [
  'read_normal',
  'read_with_shared_locks',
  'read_high_priority',
  'read_no_insert',
  'write_normal',
  'write_allow_write',
  'write_concurrent_insert',
  'write_low_priority',
].map((operation) => ({ column: operation, operation }))

const externalLocks = [
  { column: 'read_external', operation: 'read' },
  { column: 'write_external', operation: 'write' },
]

const families = [
  ...waitFamilies(
    'sql_lock_waits',
    ['Number of waits for SQL locks by table and operation.', 'Seconds of waits for SQL locks by table and operation.'],
    sqlLocks,
  ),
  ...waitFamilies(
    'external_lock_waits',
    ['Number of waits for external locks by table and operation.', 'Seconds of waits for external locks by table and operation.'],
    externalLocks,
  ),
]

export function createTableLocksCollector(): MysqlCollector {
  return {
    name: 'perf_schema.tablelocks',
    defaultOn: false,
    source: 'performance_schema.table_lock_waits_summary_by_table',
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const kinds = [...sqlLocks, ...externalLocks].map(({ column }) => column)
  const result = await session.query(`
    SELECT object_schema, object_name, ${kinds.map((kind) => `count_${kind}, sum_timer_${kind}`).join(', ')}
    FROM performance_schema.table_lock_waits_summary_by_table
    WHERE object_schema NOT IN ('mysql', 'performance_schema', 'information_schema')`)
  writeRowFamilies(writer, result, families, tableLabels)
}
