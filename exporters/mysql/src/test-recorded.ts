import { readFileSync } from 'node:fs'
import type { Answer } from './test-fake-server.ts'

// What a server of some version answered, and which columns its tables have: testdata/<product>-<version>/.

export interface RecordedServer {
  readonly version: string
  /** Answers by statement, blanks made one. */
  readonly answers: ReadonlyMap<string, Answer>
  /** Columns by table, both in lower case. */
  readonly columns: ReadonlyMap<string, ReadonlySet<string>>
}

/**
 * Reads `answers.txt`: a statement behind `=== `, then a line of column names and one for each row, tab-separated, `\N` for NULL, or
 * `!1109 message` for an error. And `columns.txt`: `schema.table: column column …`.
 */
export function readRecordedServer(directory: URL): RecordedServer {
  const [head = '', ...sections] = readFileSync(new URL('answers.txt', directory), 'utf8').split(/^=== /m)
  const columns = readFileSync(new URL('columns.txt', directory), 'utf8').trimEnd().split('\n')
  return {
    version: /^version (.*)$/m.exec(head)![1]!,
    answers: new Map(sections.map(readSection)),
    columns: new Map(columns.map((line) => [line.slice(0, line.indexOf(':')), new Set(line.split(' ').slice(1))])),
  }
}

/** A statement as it stands in `answers.txt`. */
export function flatten(sql: string): string {
  return sql.replace(/\s+/g, ' ').trim()
}

/**
 * The answer to a statement; an error for one that was not recorded, and for one that asks for tables or columns that this server does not
 * have, as it would say so itself.
 */
export function answerRecorded({ answers, columns }: RecordedServer, sql: string): Answer {
  const flat = flatten(sql)
  const answer = answers.get(flat)
  if (answer === undefined) return { errno: 1064, message: `no answer is recorded for ${flat}` }
  if ('errno' in (answer as object)) return answer
  const unknown = findUnknownName(flat.toLowerCase(), columns)
  return unknown === undefined ? answer : { errno: 1054, message: `Unknown column or table '${unknown}'` }
}

/** The first name in a SELECT that is neither SQL nor one of its tables, their columns or an alias. */
export function findUnknownName(sql: string, columns: RecordedServer['columns']): string | undefined {
  if (!sql.startsWith('select ')) return undefined
  const plain = sql.replace(/'[^']*'|@@\w+|x'[0-9a-f]*'/g, ' ').replaceAll('`', '')
  const tables = [...plain.matchAll(/\b(?:information_schema|performance_schema|sys|mysql|heartbeat)\.[\w$]+/g)].map(([name]) => name)
  const missing = tables.find((table) => !columns.has(table))
  if (missing !== undefined) return missing
  const known = new Set(tables.flatMap((table) => [...columns.get(table)!]))
  const aliases = new Set([...plain.matchAll(/\bas (\w+)/g)].map((match) => match[1]!))
  const withoutTables = plain
    .replace(/\b(?:information_schema|performance_schema|sys|mysql|heartbeat)\.[\w$]+( [a-z]\b)?/g, ' ')
    .replace(/\b[a-z]\./g, ' ')
  const names = withoutTables.match(/[a-z_][\w$]*/g) ?? []
  return names.find((name) => !sqlWords.has(name) && !known.has(name) && !aliases.has(name))
}

const sqlWords: ReadonlySet<string> = new Set(
  (
    'select from where and or not in is null as on join by group order desc limit like distinct binary using utf8 regexp interval second case ' +
    'when then end count sum ifnull if left pow convert now utc_timestamp unix_timestamp date_sub connection_id substring_index'
  ).split(' '),
)

function readSection(section: string): [string, Answer] {
  const [statement = '', ...lines] = section.replace(/\n+$/, '').split('\n')
  const error = /^!(\d+) (.*)$/.exec(lines[0] ?? '')
  if (error !== null) return [statement, { errno: Number(error[1]), message: error[2]! }]
  const [columns = [], ...rows] = lines.map((line) => line.split('\t').map(readCell))
  const odd = rows.find((row) => row.length !== columns.length)
  if (odd !== undefined) throw new Error(`cannot read answer to ${statement}: want ${columns.length} values in a row, got ${odd.length}`)
  return [statement, { columns: columns.map(String), rows }]
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', '\\': '\\' }

function readCell(text: string): string | null {
  return text === '\\N' ? null : text.replace(/\\([tn\\])/g, (_whole, letter: string) => escapes[letter]!)
}
