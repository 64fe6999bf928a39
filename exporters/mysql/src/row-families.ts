import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { readNumber, type QueryResult, type Row } from './query-result.ts'

/** A family whose samples are columns of an answer. */
export interface RowFamily {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'untyped'
  readonly columns: readonly FamilyColumn[]
  /** Values are divided by this. */
  readonly divisor?: number
}

export interface FamilyColumn {
  readonly column: string
  /** Handed to `labelsOf`: the value of the label that tells the columns apart. */
  readonly variant: string
}

/** performance_schema counts time in picoseconds. */
export const picosecondsPerSecond = 1e12

/**
 * Writes one sample per row and column. Columns that the answer lacks are left out, and so are NULLs. Goes family by family, because a
 * writer that jumps between families has to put them together again.
 */
export function writeRowFamilies(
  writer: MetricWriter,
  result: QueryResult,
  families: readonly RowFamily[],
  labelsOf: (row: Row, variant: string) => readonly string[] = () => [],
): void {
  for (const { columns, divisor = 1, help, name, type } of families) {
    writer.family(name, help, type)
    const indexes = columns.map(({ column }) => result.find(column))
    for (const row of result.rows) {
      for (const [position, { variant }] of columns.entries()) {
        const index = indexes[position]
        const value = index === undefined ? undefined : readNumber(row[index])
        if (value !== undefined) writer.sample(divisor === 1 ? value : value / divisor, labelsOf(row, variant))
      }
    }
  }
}

/** A family of one column. */
export function oneColumn(name: string, help: string, type: RowFamily['type'], column: string, divisor?: number): RowFamily {
  return { name, help, type, columns: [{ column, variant: '' }], ...(divisor === undefined ? {} : { divisor }) }
}
