import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { startMariadb } from '@narthex/test/kit/services'
import { Secret } from '@narthex/config/secret'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import type { MysqlConnection } from './connection.ts'
import { mysqlExporterFlags } from './flags.ts'
import { createTestExporter, prepareTestServer, scrapeFamilies, valueOf, type Families, type TestServer } from './test-server.ts'

// The table of grants in README.md, on MariaDB 10.5 and newer.

const threads = ['PROCESS ON *.*']
const performanceSchema = ['SELECT ON performance_schema.*']
// On all tables, because it is compared with what root sees.
const tables = ['SELECT ON *.*']

const grants: Readonly<Record<string, readonly string[]>> = {
  global_status: [],
  global_variables: [],
  slave_status: ['SLAVE MONITOR ON *.*'],
  'info_schema.innodb_cmp': threads,
  'info_schema.innodb_cmpmem': threads,
  'info_schema.innodb_metrics': threads,
  'info_schema.innodb_tablespaces': threads,
  'info_schema.processlist': threads,
  engine_innodb_status: threads,
  'info_schema.query_response_time': [],
  'info_schema.userstats': threads,
  'info_schema.clientstats': threads,
  'info_schema.tablestats': tables,
  'info_schema.schemastats': tables,
  'info_schema.tables': tables,
  'auto_increment.columns': tables,
  binlog_size: ['BINLOG MONITOR ON *.*'],
  slave_hosts: ['REPLICATION MASTER ADMIN ON *.*'],
  'perf_schema.eventsstatements': performanceSchema,
  'perf_schema.eventsstatementssum': performanceSchema,
  'perf_schema.eventswaits': performanceSchema,
  'perf_schema.file_events': performanceSchema,
  'perf_schema.file_instances': performanceSchema,
  'perf_schema.indexiowaits': performanceSchema,
  'perf_schema.memory_events': performanceSchema,
  'perf_schema.tableiowaits': performanceSchema,
  'perf_schema.tablelocks': performanceSchema,
  'sys.user_summary': ['SELECT ON performance_schema.*', 'SELECT ON sys.*', 'EXECUTE ON sys.*'],
  'mysql.user': ['SELECT ON mysql.user'],
  heartbeat: ['SELECT ON heartbeat.heartbeat'],
}

/** Collectors that the server of the test has nothing for. */
const elsewhere = [
  'engine_tokudb_status',
  'info_schema.replica_host',
  'info_schema.rocksdb_perf_context',
  'perf_schema.replication_applier_status_by_worker',
  'perf_schema.replication_group_member_stats',
  'perf_schema.replication_group_members',
]

let server: TestServer
/** A thread of another account. */
let bystander: MysqlConnection
beforeAll(async () => {
  server = await prepareTestServer(await startMariadb(['--log-bin=bin', '--server-id=1']))
  await server.run(
    `INSTALL SONAME 'query_response_time'`,
    'SET GLOBAL query_response_time_stats = 1',
    'SELECT COUNT(*) FROM shop.orders',
    `CREATE USER bare@localhost IDENTIFIED BY 'b'`,
    `CREATE USER granted@localhost IDENTIFIED BY 'g'`,
  )
  bystander = await server.connect()
})
afterAll(() => {
  bystander.close()
  return server.stop()
})

test('every collector has its line', () => {
  const names = collectorFactories.map((create) => create(new FlagReader(mysqlExporterFlags, {})).name)
  expect([...Object.keys(grants), ...elsewhere].sort()).toEqual(names.sort())
})

async function scrape(collector: string, user: string, password: string): Promise<Families> {
  const flags = { [`collect.${collector}`]: true }
  const exporter = createTestExporter(server, flags, { settings: { user, password: new Secret(password) } })
  try {
    return await scrapeFamilies(exporter, 10, `collect[]=${collector}`)
  } finally {
    await exporter.close()
  }
}

/** Number of samples by family, of what the collector itself gives. */
function countSamples(families: Families): Record<string, number> {
  const own = [...families].filter(([name]) => name.startsWith('mysql_') && !/^mysql_(up|exporter_)/.test(name))
  return Object.fromEntries(own.map(([name, { samples }]) => [name, samples.length]))
}

function hasSucceeded(families: Families, collector: string): boolean {
  return valueOf(families, 'mysql_exporter_collector_success', 'collector', `collect.${collector}`) === 1
}

/** Families with a sample for each table, statement, user or thread that the account may see: more or fewer with time. */
const isCountedLoosely =
  /^mysql_(perf_schema_(events_statements|file|memory|table|index|sql_lock|external)|info_schema_processlist|info_schema_table)/

describe.each(Object.entries(grants))('%s', (collector, needed) => {
  test(`sees with ${needed.length === 0 ? 'no grant' : needed.join(', ')} what root sees`, async () => {
    for (const grant of needed) await server.run(`GRANT ${grant} TO granted@localhost`)
    try {
      const families = await scrape(collector, 'granted', 'g')
      expect(hasSucceeded(families, collector)).toBe(true)
      const [own, all] = [countSamples(families), countSamples(await scrape(collector, 'root', ''))]
      expect(Object.keys(own)).toEqual(Object.keys(all))
      for (const [name, count] of Object.entries(own))
        if (!isCountedLoosely.test(name)) expect({ name, count }).toEqual({ name, count: all[name] })
    } finally {
      for (const grant of needed) await server.run(`REVOKE ${grant} FROM granted@localhost`)
    }
  })
})

describe.each(Object.keys(grants).filter((name) => grants[name]!.length > 0))('%s', (collector) => {
  test('fails without its grants, or sees less', async () => {
    const families = await scrape(collector, 'bare', 'b')
    const count = (counted: Record<string, number>): number => Object.values(counted).reduce((sum, each) => sum + each, 0)
    if (hasSucceeded(families, collector)) {
      expect(count(countSamples(families))).toBeLessThan(count(countSamples(await scrape(collector, 'root', ''))))
    }
    expect(valueOf(families, 'mysql_up')).toBe(1)
  })
})
