import { waitFor } from '@narthex/test/kit/process'
import { startMariadb, startMysqldExporter } from '@narthex/test/kit/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareWithPeer } from './test-peer.ts'
import { createTestExporter, prepareTestServer, scrapeFamilies, valueOf, type Families, type TestServer } from './test-server.ts'

// A source and a replica of it.

let source: TestServer
let replica: TestServer
beforeAll(async () => {
  source = await prepareTestServer(await startMariadb(['--server-id=1', '--log-bin=bin']))
  replica = await prepareTestServer(await startMariadb(['--server-id=2', '--report-host=replica.test']))
  await source.run(`CREATE USER follower@'127.0.0.1' IDENTIFIED BY 'f'`, `GRANT REPLICATION SLAVE ON *.* TO follower@'127.0.0.1'`)
  // What both were filled with is not replicated once more.
  const root = await source.connect()
  const position = Buffer.from((await root.query('SELECT @@gtid_binlog_pos')).rows[0]![0]!).toString()
  root.close()
  const address = `master_host = '127.0.0.1', master_port = ${source.service.port}`
  await replica.run(
    `SET GLOBAL gtid_slave_pos = '${position}'`,
    `CHANGE MASTER TO ${address}, master_user = 'follower', master_password = 'f', master_use_gtid = slave_pos`,
    'START SLAVE',
  )
  await waitFor('the replica to follow', async () => (await read(replica, 'slave_io_running')) === 1)
})
afterAll(async () => {
  await replica.stop()
  await source.stop()
})

const labels = ['channel_name', '', 'connection_name', '', 'master_host', '127.0.0.1', 'master_uuid', '']

async function scrape(server: TestServer, flags: Readonly<Record<string, boolean>> = {}): Promise<Families> {
  const exporter = createTestExporter(server, flags)
  try {
    return await scrapeFamilies(exporter)
  } finally {
    await exporter.close()
  }
}

async function read(server: TestServer, column: string): Promise<number | undefined> {
  return valueOf(await scrape(server), `mysql_slave_status_${column}`, ...labels)
}

test('the status of the replica is that of mysqld_exporter 0.14', async () => {
  expect(await compareWithPeer(replica, {}, await startMysqldExporter(replica.service))).toEqual([])
})

test('a replica that follows is on time, and its position moves with the source', async () => {
  const gtid = async (): Promise<number> => {
    const position = [
      'channel_name',
      '',
      'connection_name',
      '',
      'domain_id',
      '0',
      'master_host',
      '127.0.0.1',
      'master_uuid',
      '',
      'server_id',
      '1',
    ]
    return valueOf(await scrape(replica), 'mysql_slave_status_gtid_io_pos', ...position)!
  }
  expect(await read(replica, 'slave_sql_running')).toBe(1)
  expect(await read(replica, 'seconds_behind_master')).toBe(0)
  expect(await read(replica, 'master_server_id')).toBe(1)
  const before = await gtid()
  await source.run(`INSERT INTO shop.orders (name) VALUES ('later')`)
  await waitFor('the replica to have the row', async () => (await gtid()) === before + 1)
})

test('a replica whose thread has stopped says so, and has no delay', async () => {
  await replica.run('STOP SLAVE SQL_THREAD')
  const families = await scrape(replica)
  expect(valueOf(families, 'mysql_slave_status_slave_sql_running', ...labels)).toBe(0)
  expect(valueOf(families, 'mysql_slave_status_slave_io_running', ...labels)).toBe(1)
  expect(valueOf(families, 'mysql_slave_status_seconds_behind_master', ...labels)).toBeUndefined()
  await replica.run('START SLAVE SQL_THREAD')
})

test('the source knows its replicas and the size of its log', async () => {
  const families = await scrape(source, { 'collect.slave_hosts': true, 'collect.binlog_size': true })
  const host = ['master_id', '1', 'port', '3306', 'server_id', '2', 'slave_host', 'replica.test', 'slave_uuid', '']
  expect(families.get('mysql_heartbeat_mysql_slave_hosts_info')!.samples.map(({ labels: found }) => found)).toEqual([
    host.with(3, String(replica.service.port)),
  ])
  expect(valueOf(families, 'mysql_binlog_files')).toBe(1)
  expect(valueOf(families, 'mysql_binlog_file_number')).toBe(1)
  expect(valueOf(families, 'mysql_binlog_size_bytes')).toBeGreaterThan(1_000)
  const peer = await startMysqldExporter(source.service, ['--collect.slave_hosts', '--collect.binlog_size'])
  expect(await compareWithPeer(source, { 'collect.slave_hosts': true, 'collect.binlog_size': true }, peer)).toEqual([])
})
