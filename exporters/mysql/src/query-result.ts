import { parseGoFloat } from '@narthex/model/number'

/** One value as the server sent it; null is SQL's NULL. */
export type Cell = Uint8Array | null
export type Row = readonly Cell[]

/** The answer to one statement: columns by name, values as text. */
export class QueryResult {
  /** As the server spells them. */
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  readonly #indexes = new Map<string, number>()

  constructor(columns: readonly string[], rows: readonly Row[]) {
    this.columns = columns
    this.rows = rows
    for (const [index, column] of columns.entries()) this.#indexes.set(column.toLowerCase(), index)
  }

  /** Position of a column, in whatever case: servers differ in that. Undefined if it is not there. */
  find(column: string): number | undefined {
    return this.#indexes.get(column.toLowerCase())
  }

  /** As `find`, but throws for a column that is not there. */
  index(column: string): number {
    const index = this.find(column)
    if (index === undefined) throw new Error(`cannot read answer: want column ${column}, got ${this.columns.join(', ')}`)
    return index
  }
}

const utf8 = new TextDecoder()

/** NULL is the empty text; bytes that are not UTF-8 become U+FFFD. */
export function readText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return ''
  return cell instanceof Buffer ? cell.toString('utf8') : utf8.decode(cell)
}

/** A number as Go's ParseFloat reads it; undefined for NULL and for what is no number. */
export function readNumber(cell: Cell | undefined): number | undefined {
  return cell === null || cell === undefined ? undefined : parseGoFloat(readText(cell))
}

/** Whether the server refused a statement because it has no such table. */
export function isUnknownTable(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && (error.errno === 1109 || error.errno === 1146)
}
