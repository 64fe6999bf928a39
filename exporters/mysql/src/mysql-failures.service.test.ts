import { findViolations } from '@narthex/exporter-kit/conformance'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { createLogger, type Logger } from '@narthex/service/logger'
import { waitFor } from '@narthex/test/kit/process'
import { startMariadb } from '@narthex/test/kit/services'
import { Secret } from '@narthex/config/secret'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import { createEmbeddedMysql } from './embedded-mysql.ts'
import { mysqlExporterFlags } from './flags.ts'
import type { MysqlExporter } from './mysql-exporter.ts'
import { createTestExporter, exporterPassword, scrapeFamilies, prepareTestServer, valueOf, type TestServer } from './test-server.ts'

let server: TestServer
const exporters: MysqlExporter[] = []
beforeAll(async () => {
  server = await prepareTestServer(await startMariadb())
})
afterEach(async () => {
  for (const exporter of exporters.splice(0)) await exporter.close()
})
afterAll(() => server.stop())

function use(...args: Parameters<typeof createTestExporter> extends [unknown, ...infer Rest] ? Rest : never): MysqlExporter {
  const exporter = createTestExporter(server, ...args)
  exporters.push(exporter)
  return exporter
}

function recordLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return { log: createLogger({ write: (line) => lines.push(line), source: 'x' }), lines }
}

const success = (name: string): [string, ...string[]] => ['mysql_exporter_collector_success', 'collector', `collect.${name}`]

test('the exporter conforms and has only families, types and labels of the original', async () => {
  const inventory = readInventory('mysql')
  expect(inventory, 'want parity/mysql.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const flags = { 'collect.info_schema.tables': true, 'collect.heartbeat': true, 'collect.info_schema.processlist': true }
  const violations = await findViolations(use(flags), {
    collector: 'global_status',
    inventory: inventory!,
    // Names made from variables and columns of the server; one that every handler of ours has.
    isDynamicName: (name) => /^mysql_(global_(status|variables)|slave_status)_|^promhttp_metric_handler_errors_total$/.test(name),
  })
  expect(violations).toEqual([])
})

test('a wrong password gives mysql_up 0 and one log line without a secret, however often it is scraped', async () => {
  const { lines, log } = recordLog()
  const settings = { user: 'exporter', password: new Secret('not-the-password') }
  const exporter = use({}, { settings, log })
  for (let i = 0; i < 3; i++) {
    const families = await scrapeFamilies(exporter)
    expect(valueOf(families, 'mysql_up')).toBe(0)
    expect([...families.keys()].filter((name) => name.startsWith('mysql_'))).toEqual(['mysql_up'])
    expect(families.has('mysqld_exporter_build_info')).toBe(true)
  }
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain(`msg="Error pinging mysqld" target=unix://`)
  expect(lines[0]).toContain(`Access denied for user 'exporter'@'localhost' (using password: YES)`)
  expect(lines[0]).not.toContain('not-the-password')
})

test('the account of the README is enough for the default collectors, over TCP', async () => {
  const settings = {
    address: { kind: 'tcp', host: 'localhost', port: server.service.port } as const,
    user: 'exporter',
    password: new Secret(exporterPassword),
  }
  const { lines, log } = recordLog()
  const families = await scrapeFamilies(use({}, { settings, log }))
  expect(lines).toEqual([])
  expect(families.get('mysql_exporter_collector_success')!.samples.map(({ value }) => value)).toEqual([1, 1, 1, 1, 1, 1])
})

test('without grants what is refused fails alone, and its reason is logged once however often it is scraped', async () => {
  await server.run(`CREATE USER IF NOT EXISTS bare@localhost IDENTIFIED BY 'b'`)
  const { lines, log } = recordLog()
  const exporter = use({ 'collect.heartbeat': true }, { settings: { user: 'bare', password: new Secret('b') }, log })
  for (let i = 0; i < 3; i++) {
    const families = await scrapeFamilies(exporter)
    expect(valueOf(families, 'mysql_up')).toBe(1)
    expect(valueOf(families, ...success('global_status'))).toBe(1)
    expect(valueOf(families, ...success('info_schema.innodb_cmp'))).toBe(0)
    expect(valueOf(families, ...success('heartbeat'))).toBe(0)
  }
  expect(lines.map((line) => /name=collect\.(\S+)/.exec(line)?.[1]).sort()).toEqual([
    'heartbeat',
    'info_schema.innodb_cmp',
    'info_schema.innodb_cmpmem',
    'slave_status',
  ])
  expect(lines.join('')).toContain(`SELECT command denied to user 'bare'@'localhost'`)
})

test('with the further grants of the README every collector succeeds', async () => {
  await server.run(
    `CREATE USER IF NOT EXISTS everything@localhost IDENTIFIED BY 'e'`,
    'GRANT PROCESS, SLAVE MONITOR, BINLOG MONITOR, REPLICATION MASTER ADMIN ON *.* TO everything@localhost',
    ...['performance_schema.*', 'sys.*', 'mysql.user', 'heartbeat.heartbeat'].map(
      (what) => `GRANT SELECT ON ${what} TO everything@localhost`,
    ),
    // For the functions that the views of sys call.
    'GRANT EXECUTE ON sys.* TO everything@localhost',
  )
  // The server of the test has no RocksDB, and only Aurora has replica hosts.
  const names = collectorFactories
    .map((create) => create(new FlagReader(mysqlExporterFlags, {})).name)
    .filter((name) => name !== 'info_schema.rocksdb_perf_context')
  const flags = Object.fromEntries([...names, 'mysql.user.privileges'].map((name) => [`collect.${name}`, true]))
  const { lines, log } = recordLog()
  const families = await scrapeFamilies(use(flags, { settings: { user: 'everything', password: new Secret('e') }, log }))
  expect(lines).toEqual([])
  // Three are for MySQL only, one for servers with TokuDB.
  expect(families.get('mysql_exporter_collector_success')!.samples.map(({ value }) => value)).toEqual(Array.from(names.slice(4), () => 1))
})

test('an account with the plug-in ed25519 logs in with its password and no other', async () => {
  await server.run(
    `INSTALL SONAME 'auth_ed25519'`,
    `CREATE USER signer@localhost IDENTIFIED VIA ed25519 USING PASSWORD('pässword')`,
    'GRANT PROCESS, SLAVE MONITOR ON *.* TO signer@localhost',
  )
  const up = async (password: string): Promise<number | undefined> =>
    valueOf(await scrapeFamilies(use({}, { settings: { user: 'signer', password: new Secret(password) } })), 'mysql_up')
  expect(await up('pässword')).toBe(1)
  expect(await up('password')).toBe(0)
})

test('nobody listens: mysql_up is 0 at once, and the reason is in the log', async () => {
  const { lines, log } = recordLog()
  const exporter = use({}, { settings: { address: { kind: 'tcp', host: 'localhost', port: 1 } }, log })
  expect(valueOf(await scrapeFamilies(exporter), 'mysql_up')).toBe(0)
  expect(lines[0]).toContain('target=localhost:1 err="connect ECONNREFUSED')
})

test('a statement that hangs costs its own collector only, is ended in the server, and works again afterwards', async () => {
  const exporter = use({ 'collect.heartbeat': true, 'exporter.lock_wait_timeout': 60 })
  await scrapeFamilies(exporter)
  const blocker = await server.connect()
  await blocker.query('LOCK TABLES heartbeat.heartbeat WRITE')
  for (let i = 0; i < 2; i++) {
    const startMs = performance.now()
    const families = await scrapeFamilies(exporter, 2)
    // The lock is waited for 60 s.
    expect(performance.now() - startMs).toBeLessThan(10_000)
    expect(valueOf(families, 'mysql_up')).toBe(1)
    expect(valueOf(families, ...success('heartbeat'))).toBe(0)
    expect(valueOf(families, ...success('global_status'))).toBe(1)
    expect(valueOf(families, ...success('global_variables'))).toBe(1)
    expect(families.has('mysql_global_status_uptime')).toBe(true)
  }
  await waitFor('the statement to be ended', async () => {
    const { rows } = await blocker.query(`SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT UNIX_TIMESTAMP(ts)%'`)
    return rows.length === 0
  })
  await blocker.query('UNLOCK TABLES')
  blocker.close()
  expect(valueOf(await scrapeFamilies(exporter), ...success('heartbeat'))).toBe(1)
})

test('a frozen server is down after the time of the scrape, and up again when it thaws', async () => {
  const exporter = use()
  expect(valueOf(await scrapeFamilies(exporter), 'mysql_up')).toBe(1)
  const { pid } = server.service.process
  process.kill(pid, 'SIGSTOP')
  try {
    // A thread of the server may still answer for a moment.
    await waitFor('every thread to stop', () =>
      readdirSync(`/proc/${pid}/task`).every((thread) => / T \d/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'))),
    )
    const startMs = performance.now()
    const families = await scrapeFamilies(exporter, 0.75)
    // It stays frozen until the end of the test.
    expect(performance.now() - startMs).toBeLessThan(10_000)
    expect(valueOf(families, 'mysql_up')).toBe(0)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  expect(valueOf(await scrapeFamilies(exporter), 'mysql_up')).toBe(1)
})

test('a connection that the server closed is replaced within the same scrape, and one connection is kept', async () => {
  const { lines, log } = recordLog()
  const exporter = use({}, { log })
  await scrapeFamilies(exporter)
  const root = await server.connect()
  const others = async (): Promise<string[]> => {
    const { rows } = await root.query('SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = "root"')
    return rows.map((row) => Buffer.from(row[0]!).toString())
  }
  await waitFor('only the kept connection to be there', async () => (await others()).length === 1)
  const [first] = await others()
  await root.query(`KILL CONNECTION ${first}`)
  expect(valueOf(await scrapeFamilies(exporter), 'mysql_up')).toBe(1)
  expect(valueOf(await scrapeFamilies(exporter), 'mysql_up')).toBe(1)
  const second = await others()
  expect(second).toHaveLength(1)
  expect(second[0]).not.toBe(first)
  expect(lines).toEqual([])
  root.close()
})

test('scrapes do not count as aborted clients, nor their end', async () => {
  const aborted = async (): Promise<number> => {
    const exporter = createTestExporter(server)
    const families = await scrapeFamilies(exporter)
    await exporter.close()
    return valueOf(families, 'mysql_global_status_aborted_clients')!
  }
  const before = await aborted()
  await aborted()
  expect(await aborted()).toBe(before)
})

test('a connection that dies in the middle of an answer fails the scrape clearly, and the next one works', async () => {
  const proxy = await startProxy(server.service.port)
  const settings = { address: { kind: 'tcp', host: '127.0.0.1', port: proxy.port } as const }
  const { lines, log } = recordLog()
  const exporter = use({}, { settings: { ...settings, user: 'exporter', password: new Secret(exporterPassword) }, log })
  await scrapeFamilies(exporter)
  proxy.cutAfter(3_000)
  const families = await scrapeFamilies(exporter)
  expect(valueOf(families, 'mysql_up')).toBe(1)
  expect(valueOf(families, ...success('global_status'))).toBe(0)
  expect(lines.join('')).toContain('name=collect.global_status')
  proxy.cutAfter(Infinity)
  expect(valueOf(await scrapeFamilies(exporter), ...success('global_status'))).toBe(1)
  proxy.close()
})

test('probe asks the server in target with the credentials of its section, and has no families of the exporter itself', async () => {
  const exporter = use()
  const ask = async (query: string): Promise<{ status: number; text: string }> => {
    const { body, status } = await exporter.handleProbe({ query: new URLSearchParams(query) })
    return { status, text: Buffer.from(body).toString() }
  }
  const target = encodeURIComponent(`unix://${server.socketPath}`)
  const { status, text } = await ask(`target=${target}&collect[]=info_schema.innodb_cmp`)
  expect(status).toBe(200)
  expect(text).toContain('mysql_up 1\n')
  expect(text).toContain('mysql_info_schema_innodb_cmp_compress_ops_total{page_size="1024"}')
  expect(text).not.toMatch(/mysql_global_status|process_|promhttp_|build_info/)
  expect(await ask('')).toEqual({ status: 400, text: 'target is required\n' })
  expect(await ask(`target=${target}&auth_module=client.x`)).toEqual({
    status: 400,
    text: 'Could not find section [client.x] from config file\n',
  })
  expect(await ask('target=db1')).toEqual({ status: 400, text: 'failed to parse target: address db1: missing port in address\n' })
})

test('the embedded exporter scrapes a found server over its socket', async () => {
  const { lines, log } = recordLog()
  const embedded = createEmbeddedMysql({
    service: { socketPath: server.socketPath, username: 'exporter', password: exporterPassword },
    flags: { 'collect.heartbeat': true, 'collect.slave_status': false },
    log,
  })
  const answer = await embedded.scrape({ query: new URLSearchParams(), timeoutMs: 5_000 })
  const text = Buffer.from(answer.body).toString()
  expect(answer.status).toBe(200)
  expect(answer.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain('mysql_up 1\n')
  expect(text).toContain(`mysql_exporter_collector_success{collector="collect.heartbeat"} 0\n`)
  expect(text).not.toMatch(/process_|collect\.slave_status/)
  expect(lines.join('')).toMatch(/SELECT command denied to user/)
  await embedded.close()
})

/** A way to the server that can be cut after so many bytes of its answers. */
async function startProxy(port: number): Promise<{ readonly port: number; cutAfter(bytes: number): void; close(): void }> {
  let remaining = Infinity
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.pipe(upstream)
    upstream.on('data', (chunk: Uint8Array) => {
      remaining -= chunk.length
      if (remaining >= 0) return client.write(chunk)
      client.destroy()
      upstream.destroy()
      return false
    })
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('cannot start a proxy: want a port, got none')
  return {
    port: address.port,
    cutAfter: (bytes) => (remaining = bytes),
    close: () => {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    },
  }
}
