import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { startMariadb, startMysqldExporter } from '@narthex/test/kit/services'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import { mysqlExporterFlags } from './flags.ts'
import { compareWithPeer, unknownToPeer } from './test-peer.ts'
import { prepareTestServer, type TestServer } from './test-server.ts'

// Debian's mysqld_exporter 0.14 beside ours, on one MariaDB.

let server: TestServer
beforeAll(async () => {
  server = await prepareTestServer(await startMariadb())
})
afterAll(() => server.stop())

test('default families, types and labels are those of mysqld_exporter 0.14, and values lie between two of its scrapes', async () => {
  expect(await compareWithPeer(server, {}, await startMysqldExporter(server.service))).toEqual([])
})

const names = collectorFactories.map((create) => create(new FlagReader(mysqlExporterFlags, {})).name)
test('so are those of all collectors that are off by default', async () => {
  await server.run(`INSTALL SONAME 'query_response_time'`, 'SET GLOBAL query_response_time_stats = 1', 'SELECT COUNT(*) FROM shop.orders')
  const flags = Object.fromEntries(names.map((name) => [`collect.${name}`, true]))
  const shared = names.filter((name) => !unknownToPeer.includes(name)).map((name) => `--collect.${name}`)
  const privileges = 'collect.mysql.user.privileges'
  const byAccount = ['collect.info_schema.processlist.processes_by_user', 'collect.info_schema.processlist.processes_by_host']
  const peerFlags = [...shared, `--${privileges}`, ...byAccount.map((name) => `--${name}`)]
  expect(await compareWithPeer(server, { ...flags, [privileges]: true }, await startMysqldExporter(server.service, peerFlags))).toEqual([])
})
