import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'

const facts = [
  { name: 'queries_inside_innodb', help: 'Queries inside InnoDB.', pattern: /(\d+) queries inside InnoDB/ },
  { name: 'queries_in_queue', help: 'Queries in the queue of InnoDB.', pattern: /(\d+) queries in queue/ },
  { name: 'read_views_open_inside_innodb', help: 'Read views open inside InnoDB.', pattern: /(\d+) read views open inside InnoDB/ },
]

export function createEngineInnodbStatusCollector(): MysqlCollector {
  return { name: 'engine_innodb_status', defaultOn: false, source: 'SHOW ENGINE INNODB STATUS', collect }
}

async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const result = await session.query('SHOW ENGINE INNODB STATUS')
  const text = readText(result.rows[0]?.[result.index('Status')])
  for (const { help, name, pattern } of facts) {
    const match = pattern.exec(text)
    if (match === null) continue
    writer.family(`mysql_engine_innodb_${name}`, help, 'gauge')
    writer.sample(Number(match[1]))
  }
}
