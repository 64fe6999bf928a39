import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readNumber, readText } from './query-result.ts'

export const processlistFlags: readonly FlagSpec[] = [
  {
    name: 'collect.info_schema.processlist.min_time',
    type: 'number',
    default: 0,
    help: 'Minimum time a thread must be in each state to be counted',
  },
  {
    name: 'collect.info_schema.processlist.processes_by_user',
    type: 'boolean',
    default: true,
    help: 'Enable collecting the number of processes by user',
  },
  {
    name: 'collect.info_schema.processlist.processes_by_host',
    type: 'boolean',
    default: true,
    help: 'Enable collecting the number of processes by host',
  },
]

export function createProcesslistCollector(flags: FlagReader): MysqlCollector {
  const minSeconds = Math.trunc(flags.number('collect.info_schema.processlist.min_time'))
  const countsUsers = flags.boolean('collect.info_schema.processlist.processes_by_user')
  const countsHosts = flags.boolean('collect.info_schema.processlist.processes_by_host')

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const { rows } = await session.query(`
      SELECT user, SUBSTRING_INDEX(host, ':', 1) AS client, command, state, COUNT(*) AS processes, SUM(time) AS seconds
      FROM information_schema.processlist
      WHERE id <> CONNECTION_ID() AND time >= ${minSeconds}
      GROUP BY user, client, command, state`)
    const threads = new Map<string, number>()
    const seconds = new Map<string, number>()
    const users = new Map<string, number>()
    const hosts = new Map<string, number>()
    for (const row of rows) {
      const count = readNumber(row[4]) ?? 0
      const state = `${toStateLabel(readText(row[2]))}\0${toStateLabel(readText(row[3]))}`
      add(threads, state, count)
      add(seconds, state, readNumber(row[5]) ?? 0)
      add(users, readText(row[0]), count)
      add(hosts, readText(row[1]) || 'unknown', count)
    }
    const prefix = 'mysql_info_schema_processlist'
    writeCounts(writer, `${prefix}_threads`, 'Threads by command and state.', ['command', 'state'], threads)
    writeCounts(writer, `${prefix}_seconds`, 'Seconds that threads have been in their state.', ['command', 'state'], seconds)
    if (countsUsers) writeCounts(writer, `${prefix}_processes_by_user`, 'Processes by user.', ['mysql_user'], users)
    if (countsHosts) writeCounts(writer, `${prefix}_processes_by_host`, 'Processes by host.', ['client_host'], hosts)
  }

  return { name: 'info_schema.processlist', defaultOn: false, source: 'information_schema.processlist', collect }
}

/** `Waiting for table flush` is `waiting_for_table_flush`. */
function toStateLabel(text: string): string {
  if (text === '') return 'unknown'
  return text
    .toLowerCase()
    .replace(/[;,:.()]/g, '')
    .replace(/[ -]/g, '_')
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value)
}

function writeCounts(writer: MetricWriter, name: string, help: string, labels: readonly string[], sums: ReadonlyMap<string, number>): void {
  writer.family(name, help, 'gauge')
  for (const [key, value] of sums) {
    const values = key.split('\0')
    writer.sample(
      value,
      labels.flatMap((label, index) => [label, values[index]!]),
    )
  }
}
