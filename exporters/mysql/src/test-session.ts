import { FamilyWriter } from '@narthex/exposition/family-writer'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { mysqlExporterFlags } from './flags.ts'
import type { CreateMysqlCollector } from './mysql-collector.ts'
import { QueryResult } from './query-result.ts'
import { parseServerVersion } from './server-version.ts'

/** An answer as a server would give it: the first row names the columns. */
export type Recorded = readonly (readonly (string | null)[])[] | Error

/** What a collector writes for recorded answers; each is given to the first statement that contains its key. */
export async function collectRecorded(
  create: CreateMysqlCollector,
  version: string,
  answers: Readonly<Record<string, Recorded>>,
  flags: FlagValues = {},
): Promise<{ readonly text: string; readonly statements: readonly string[] }> {
  const writer = new FamilyWriter()
  const statements: string[] = []
  const query = (sql: string): Promise<QueryResult> => {
    const flat = sql.replace(/\s+/g, ' ').trim()
    statements.push(flat)
    const key = Object.keys(answers).find((part) => flat.includes(part))
    if (key === undefined) return Promise.reject(new Error(`no answer is recorded for ${flat}`))
    const answer = answers[key]!
    if (answer instanceof Error) return Promise.reject(answer)
    const [columns = [], ...rows] = answer
    const cells = rows.map((row) => row.map((cell) => (cell === null ? null : Buffer.from(cell))))
    return Promise.resolve(new QueryResult(columns.map(String), cells))
  }
  const collector = create(new FlagReader(mysqlExporterFlags, flags))
  const server = { section: 'client', address: 'db1:3306' }
  await collector.collect({ version: parseServerVersion(version), server, query, queryReadOnly: query }, writer)
  const lines = Buffer.from(writer.finish()).toString().split('\n')
  return { text: lines.filter((line) => !line.startsWith('# HELP')).join('\n'), statements }
}
