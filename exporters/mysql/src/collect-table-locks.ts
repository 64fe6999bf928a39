import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { picosecondsPerSecond, writeRowFamilies, type RowFamily } from './row-families.ts'

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

const families: readonly RowFamily[] = [
  ...lockFamilies('sql_lock_waits', 'waits for SQL locks', sqlLocks),
  ...lockFamilies('external_lock_waits', 'waits for external locks', externalLocks),
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
  writeRowFamilies(writer, result, families, (row, operation) => [
    'name',
    readText(row[1]),
    'operation',
    operation,
    'schema',
    readText(row[0]),
  ])
}

function lockFamilies(name: string, what: string, locks: typeof sqlLocks): RowFamily[] {
  return [
    {
      name: `mysql_perf_schema_${name}_total`,
      help: `Number of ${what} by table and operation.`,
      type: 'counter',
      columns: locks.map(({ column, operation }) => ({ column: `count_${column}`, variant: operation })),
    },
    {
      name: `mysql_perf_schema_${name}_seconds_total`,
      help: `Seconds of ${what} by table and operation.`,
      type: 'counter',
      columns: locks.map(({ column, operation }) => ({ column: `sum_timer_${column}`, variant: operation })),
      divisor: picosecondsPerSecond,
    },
  ]
}
