import { readText, type Row } from './query-result.ts'
import { picosecondsPerSecond, type RowFamily } from './row-families.ts'

/** A kind of wait: what its columns are called behind `count_` and `sum_timer_`, and its label. */
export interface WaitColumn {
  readonly column: string
  readonly operation: string
}

export const ioWaits: readonly WaitColumn[] = ['fetch', 'insert', 'update', 'delete'].map((name) => ({ column: name, operation: name }))

/** Number and seconds of waits in two families: `mysql_perf_schema_<name>_total` and `…_seconds_total`. */
export function waitFamilies(name: string, help: readonly [count: string, seconds: string], waits: readonly WaitColumn[]): RowFamily[] {
  return [
    {
      name: `mysql_perf_schema_${name}_total`,
      help: help[0],
      type: 'counter',
      columns: waits.map(({ column, operation }) => ({ column: `count_${column}`, variant: operation })),
    },
    {
      name: `mysql_perf_schema_${name}_seconds_total`,
      help: help[1],
      type: 'counter',
      columns: waits.map(({ column, operation }) => ({ column: `sum_timer_${column}`, variant: operation })),
      divisor: picosecondsPerSecond,
    },
  ]
}

/** Labels of a row that begins with the schema and the name of a table. */
export function tableLabels(row: Row, operation: string): readonly string[] {
  return ['name', readText(row[1]), 'operation', operation, 'schema', readText(row[0])]
}
