import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText, type Row } from './query-result.ts'
import { oneColumn, writeRowFamilies, type RowFamily } from './row-families.ts'

export const mysqlUserFlags: readonly FlagSpec[] = [
  {
    name: 'collect.mysql.user.privileges',
    type: 'boolean',
    default: false,
    help: 'Enable collecting user privileges from mysql.user',
  },
]

const privileges = (
  'select insert update delete create drop reload shutdown process file grant references index alter show_db super create_tmp_table ' +
  'lock_tables execute repl_slave repl_client create_view show_view create_routine alter_routine create_user event trigger ' +
  'create_tablespace'
)
  .split(' ')
  .map((name) => `${name}_priv`)

const limits: readonly RowFamily[] = [
  limit('max_questions', 'max_questions'),
  limit('max_updates', 'max_updates'),
  limit('max_connections', 'max_connections'),
  limit('max_user_connections', 'max_user_connections'),
]

export function createMysqlUserCollector(flags: FlagReader): MysqlCollector {
  const shown = flags.boolean('collect.mysql.user.privileges') ? privileges : []

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const columns = [...shown, 'max_questions', 'max_updates', 'max_connections', 'max_user_connections']
    const result = await session.query(`SELECT user, host, ${columns.join(', ')} FROM mysql.user`)
    const labelsOf = (row: Row): string[] => ['hostmask', readText(row[1]), 'mysql_user', readText(row[0])]
    writeRowFamilies(writer, result, limits, labelsOf)
    // Compared here: the server may refuse to compare the columns of its own view with a literal of another collation.
    for (const name of shown) {
      writer.family(`mysql_mysql_${name}`, `Whether the user has ${name}.`, 'gauge')
      const index = result.index(name)
      for (const row of result.rows) writer.sample(readText(row[index]) === 'Y' ? 1 : 0, labelsOf(row))
    }
  }

  return { name: 'mysql.user', defaultOn: false, source: 'mysql.user', collect }
}

function limit(name: string, column: string): RowFamily {
  return oneColumn(`mysql_mysql_${name}`, `Limit ${name} of the user.`, 'gauge', column)
}
