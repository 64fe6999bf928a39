import { prepareTestServer, type TestServer } from '@narthex/exporter-mysql/test-server'
import { waitFor } from '../kit/process.ts'
import { startMariadb } from '../kit/services.ts'
import type { Scene } from './assess.ts'
import { playScene } from './scene.ts'

/** Scrapers of mysqld_exporter 0.14. Left out: those for other servers than MariaDB (tokudb, replication groups, Aurora). */
const scrapers = (
  'auto_increment.columns binlog_size engine_innodb_status heartbeat info_schema.clientstats info_schema.innodb_cmp info_schema.innodb_cmpmem ' +
  'info_schema.innodb_metrics info_schema.innodb_tablespaces info_schema.processlist info_schema.query_response_time info_schema.schemastats ' +
  'info_schema.tables info_schema.tablestats info_schema.userstats mysql.user perf_schema.eventsstatements perf_schema.eventsstatementssum ' +
  'perf_schema.eventswaits perf_schema.file_events perf_schema.file_instances perf_schema.indexiowaits perf_schema.memory_events ' +
  'perf_schema.tableiowaits perf_schema.tablelocks slave_hosts slave_status'
).split(' ')

const options = ['mysql.user.privileges', 'info_schema.processlist.processes_by_user', 'info_schema.processlist.processes_by_host']

/** A source with default flags and with all of them, and its replica. */
export async function playMysqlScenes(): Promise<Scene[]> {
  const source = await prepareTestServer(await startMariadb(['--log-bin=bin', '--server-id=1']))
  try {
    const replica = await prepareTestServer(await startMariadb(['--server-id=2', '--report-host=replica', '--report-port=1']))
    try {
      await connectReplica(source, replica)
      await source.run(
        `INSTALL SONAME 'query_response_time'`,
        'SET GLOBAL query_response_time_stats = 1',
        `SET GLOBAL innodb_monitor_enable = 'module_buffer_page'`,
        'USE shop',
        'SELECT COUNT(*) FROM orders',
      )
      const scene = (name: string, server: TestServer, flags: readonly string[] = [], isDefault = true) =>
        playScene({
          name,
          isDefault,
          exporter: 'mysql',
          original: 'prometheus-mysqld-exporter',
          flags: flags.map((flag) => `--collect.${flag}`),
          environment: { DATA_SOURCE_NAME: `root:@unix(${server.socketPath})/` },
        })
      return [
        await scene('source', source),
        await scene('replica', replica),
        await scene('all flags', source, [...scrapers, ...options], false),
      ]
    } finally {
      await replica.stop()
    }
  } finally {
    await source.stop()
  }
}

async function connectReplica(source: TestServer, replica: TestServer): Promise<void> {
  await source.run(`CREATE USER replica@'127.0.0.1' IDENTIFIED BY 'replica'`, `GRANT REPLICATION SLAVE ON *.* TO replica@'127.0.0.1'`)
  const address = `master_host = '127.0.0.1', master_port = ${source.service.port}, master_user = 'replica', master_password = 'replica'`
  await replica.run(`CHANGE MASTER TO ${address}`, 'START SLAVE')
  await waitFor('the replica to be connected', async () => {
    const connection = await source.connect()
    try {
      return (await connection.query('SHOW SLAVE HOSTS')).rows.length > 0
    } finally {
      connection.close()
    }
  })
}
