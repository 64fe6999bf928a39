import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { isAtLeast } from './server-version.ts'
import { parseStatusValue } from './status-value.ts'

const replacements: Readonly<Record<string, string>> = { ' ': '_', '-': '_', '+': 'and', '/': 'and' }

export function createEngineTokudbStatusCollector(): MysqlCollector {
  return {
    name: 'engine_tokudb_status',
    defaultOn: false,
    source: 'SHOW ENGINE TOKUDB STATUS',
    // The engine went with MariaDB 10.6 and Percona Server 8.0.28.
    isFor: (version) => (version.isMariadb ? !isAtLeast(version, 10, 6) : !isAtLeast(version, 8, 0, 28)),
    collect,
  }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const { rows } = await session.query('SHOW ENGINE TOKUDB STATUS')
  // Type, name, status: one row for each fact.
  for (const row of rows) {
    const value = parseStatusValue(readText(row[2]))
    if (value === undefined) continue
    writer.family(`mysql_engine_tokudb_${toFactName(readText(row[1]))}`, 'Generic metric from SHOW ENGINE TOKUDB STATUS.', 'untyped')
    writer.sample(value)
  }
}

/** `indexer: number of calls to indexer->build()` is `indexer_number_of_calls_to_indexer_build`. */
function toFactName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[>,:()]/g, '')
    .replace(/[ +/-]/g, (character) => replacements[character]!)
    .replace(/[^a-z0-9_]/g, '_')
}
