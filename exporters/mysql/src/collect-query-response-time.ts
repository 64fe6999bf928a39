import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { formatFloatG, parseGoFloat } from '@narthex/model/number'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { isUnknownTable, readNumber, readText } from './query-result.ts'

interface Distribution {
  readonly table: string
  readonly family: string
  readonly help: string
}

const all: Distribution = {
  table: 'QUERY_RESPONSE_TIME',
  family: 'mysql_info_schema_query_response_time_seconds',
  help: 'All queries by the time that they took.',
}
// Percona Server 5.6 and 5.7, MariaDB from 11.5 on.
const parts: readonly Distribution[] = [
  {
    table: 'QUERY_RESPONSE_TIME_READ',
    family: 'mysql_info_schema_read_query_response_time_seconds',
    help: 'Reads by the time that they took.',
  },
  {
    table: 'QUERY_RESPONSE_TIME_WRITE',
    family: 'mysql_info_schema_write_query_response_time_seconds',
    help: 'Writes by the time that they took.',
  },
]

export function createQueryResponseTimeCollector(): MysqlCollector {
  return {
    name: 'info_schema.query_response_time',
    defaultOn: true,
    source: 'information_schema.query_response_time, if query_response_time_stats is on',
    collect,
  }
}

// Most servers do not have the plug-in: that is a success without families, as in the original.
async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
  const variable = await session.query("SHOW GLOBAL VARIABLES LIKE 'query_response_time_stats'")
  if (!/^(on|1)$/i.test(readText(variable.rows[0]?.[1]))) return
  await writeDistribution(session, writer, all)
  for (const part of parts) {
    try {
      await writeDistribution(session, writer, part)
    } catch (error) {
      if (!isUnknownTable(error)) throw error
    }
  }
}

async function writeDistribution(session: MysqlSession, writer: MetricWriter, { family, help, table }: Distribution): Promise<void> {
  const { rows } = await session.query(`SELECT TIME, COUNT, TOTAL FROM INFORMATION_SCHEMA.${table}`)
  writer.family(family, help, 'histogram')
  let count = 0
  let sumSeconds = 0
  for (const row of rows) {
    count += readNumber(row[1]) ?? 0
    sumSeconds += parseGoFloat(readText(row[2]).trim()) ?? 0
    // The last row, TOO LONG, counts what is beyond the last bound.
    const bound = parseGoFloat(readText(row[0]).trim()) ?? 0
    if (bound !== 0) writer.sample(count, ['le', formatFloatG(bound)], '_bucket')
  }
  writer.sample(count, ['le', '+Inf'], '_bucket')
  writer.sample(sumSeconds, [], '_sum')
  writer.sample(count, [], '_count')
}
