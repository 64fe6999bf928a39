import { Secret } from '@narthex/config/secret'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ConnectionSettings } from './connection-settings.ts'
import { answerCellsMax } from './connection.ts'
import { createEmbeddedMysql } from './embedded-mysql.ts'
import { createMysqlExporter, requestsMax, type MysqlExporter, type MysqlExporterOptions } from './mysql-exporter.ts'
import { TargetDirectory, targetIdleMs, targetsMax } from './target-directory.ts'
import { startFakeServer, type FakeServer, type FakeServerOptions } from './test-fake-server.ts'

let directory: string
const servers: FakeServer[] = []
const exporters: MysqlExporter[] = []
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-mysql-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(async () => {
  for (const exporter of exporters.splice(0)) await exporter.close()
  for (const server of servers.splice(0)) server.close()
})

const buildInfo = { version: '1', revision: 'r', branch: 'b' }

async function serve(options: FakeServerOptions = {}): Promise<FakeServer> {
  const server = await startFakeServer(options)
  servers.push(server)
  return server
}

function build(options: Partial<MysqlExporterOptions>): MysqlExporter {
  const exporter = createMysqlExporter({ log: silentLogger, buildInfo, env: {}, ...options })
  exporters.push(exporter)
  return exporter
}

function settingsOf(server: FakeServer): ConnectionSettings {
  return { address: { kind: 'tcp', host: '127.0.0.1', port: server.port }, user: 'u', password: new Secret(''), cleartextAllowed: false }
}

function buildFor(server: FakeServer, flags: MysqlExporterOptions['flags'] = {}): MysqlExporter {
  return build({ flags, loadSettings: () => new Map([['client', settingsOf(server)]]) })
}

async function ask(exporter: MysqlExporter, query = '', headers = {}): Promise<{ status: number; text: string }> {
  const { body, status } = await exporter.handleMetrics({ query: new URLSearchParams(query), headers })
  return { status, text: Buffer.from(body).toString() }
}

const ran = (text: string): string[] => [...text.matchAll(/collector_success\{collector="collect\.([\w.]+)"\}/g)].map((match) => match[1]!)

test('collect[] chooses among what is on; names that are off or unknown choose nothing, and nothing left is said', async () => {
  const exporter = buildFor(await serve(), { 'collect.heartbeat': true })
  expect(ran((await ask(exporter, 'collect[]=heartbeat&collect[]=slave_status')).text)).toEqual(['slave_status', 'heartbeat'])
  expect(ran((await ask(exporter, 'collect[]=heartbeat&collect[]=info_schema.tables&collect[]=nonsense')).text)).toEqual(['heartbeat'])
  expect(ran((await ask(exporter, 'exclude[]=heartbeat')).text)).toHaveLength(6)
  expect(await ask(exporter, 'collect[]=info_schema.tables')).toEqual({
    status: 400,
    text: `Couldn't create filtered metrics handler: disabled collector: info_schema.tables`,
  })
  expect((await ask(exporter, 'collect[]=nonsense')).text).toContain('missing collector: nonsense')
  expect((await ask(exporter, 'collect[]=heartbeat&exclude[]=heartbeat')).status).toBe(400)
})

test('collectors of the wrong product are not asked, and nothing is said about them', async () => {
  const server = await serve({ version: '10.11.6-MariaDB' })
  const name = 'perf_schema.replication_group_members'
  expect(ran((await ask(buildFor(server, { [`collect.${name}`]: true }))).text)).not.toContain(name)
  const mysql = await serve({ version: '8.0.36' })
  expect(ran((await ask(buildFor(mysql, { [`collect.${name}`]: true }))).text)).toContain(name)
})

test.each([
  ['8.0.36', {}, ['SET SESSION lock_wait_timeout = 2', 'SET SESSION max_execution_time = 60000']],
  ['5.7.7', {}, ['SET SESSION lock_wait_timeout = 2']],
  ['10.11.6-MariaDB', {}, ['SET SESSION lock_wait_timeout = 2', 'SET SESSION max_statement_time = 60']],
  [
    '10.11.6-MariaDB',
    { 'exporter.log_slow_filter': true, 'exporter.lock_wait_timeout': 5, 'exporter.query_timeout': '0' },
    ['SET SESSION lock_wait_timeout = 5', `SET SESSION log_slow_filter = 'tmp_table_on_disk,filesort_on_disk'`],
  ],
  ['8.0.36', { 'exporter.enable_lock_wait_timeout': false, 'exporter.query_timeout': '1500ms' }, ['SET SESSION max_execution_time = 1500']],
])('a session of %s with %j is set up', async (version, flags, expected) => {
  const server = await serve({ version })
  await ask(buildFor(server, flags))
  expect(server.statements.filter((sql) => sql.startsWith('SET '))).toEqual(expected)
})

test.each([
  [{ 'exporter.lock_wait_timeout': 0.5 }, '--exporter.lock_wait_timeout: want whole seconds from 1, got 0.5'],
  [{ 'exporter.query_timeout': 'soon' }, '--exporter.query_timeout: want a duration, got "soon"'],
  [{ 'exporter.max_open_connections': 0 }, '--exporter.max_open_connections: want 1 to 16, got 0'],
  [{ 'exporter.max_open_connections': 17 }, '--exporter.max_open_connections: want 1 to 16, got 17'],
  [{ 'mysqld.address': 'db1' }, 'address db1: missing port in address'],
])('%j stops the start', (flags, reason) => {
  expect(() => build({ flags: { 'mysqld.username': 'u', ...flags } })).toThrow(reason)
})

test('without a user nothing starts, and the message says where one is wanted', () => {
  const cnf = join(directory, 'empty.cnf')
  writeFileSync(cnf, '')
  expect(() => build({ flags: { 'config.my-cnf': cnf } })).toThrow(
    `Error parsing host config, file ${cnf}: no configuration found: [client]: no user specified in section or parent`,
  )
})

test('an option file that is named and not there is told of, and flags count without it', async () => {
  const server = await serve({ password: 'p' })
  const lines: string[] = []
  const log = createLogger({ write: (line) => lines.push(line), source: 'test' })
  const flags = { 'config.my-cnf': '/nowhere/my.cnf', 'mysqld.username': 'u', 'mysqld.address': `127.0.0.1:${server.port}` }
  const exporter = build({ flags, env: { MYSQLD_EXPORTER_PASSWORD: 'p' }, log })
  expect((await ask(exporter)).text).toContain('mysql_up 1\n')
  expect(lines).toEqual([expect.stringContaining('msg="there is no such option file" file=/nowhere/my.cnf')])
  expect(() => build({ flags: { 'config.my-cnf': '/nowhere/my.cnf' } })).toThrow('file /nowhere/my.cnf: no configuration found')
})

test('DATA_SOURCE_NAME stands in for section client, as old unit files have it', async () => {
  const server = await serve({ password: 'p' })
  const env = { DATA_SOURCE_NAME: `u:p@(127.0.0.1:${server.port})/` }
  expect((await ask(build({ env }))).text).toContain('mysql_up 1\n')
})

test('the password comes from the environment, and a reload takes new credentials', async () => {
  const server = await serve({ password: 'new' })
  const cnf = join(directory, 'reload.cnf')
  const write = (password: string): void => writeFileSync(cnf, `[client]\nuser=u\nport=${server.port}\nhost=127.0.0.1\n${password}\n`)
  write('')
  const env = { MYSQLD_EXPORTER_PASSWORD: 'old' }
  const exporter = build({ flags: { 'config.my-cnf': cnf }, env })
  expect((await ask(exporter)).text).toContain('mysql_up 0\n')
  write('password=new')
  exporter.reload()
  expect((await ask(exporter)).text).toContain('mysql_up 1\n')
  writeFileSync(cnf, '[client\n')
  expect(() => exporter.reload()).toThrow(`failed to load config from ${cnf}: line 1: want [section]`)
  expect((await ask(exporter)).text).toContain('mysql_up 1\n')
})

test('ten thousand tables are shown, and more values than a scrape may hold are refused', async () => {
  const columns = [
    'schema',
    'name',
    'type',
    'engine',
    'version',
    'row_format',
    'table_rows',
    'data_length',
    'index_length',
    'data_free',
    'create_options',
  ]
  const table = (index: number): string[] => ['shop', `t${index}`, 'BASE TABLE', 'InnoDB', '10', 'Dynamic', '3', '16384', '0', '0', '']
  const scrape = async (count: number): Promise<string> => {
    const rows = Array.from({ length: count }, (_none, index) => table(index))
    const server = await serve({
      answerTo: (sql) => {
        if (sql.includes('schemata')) return { columns: ['schema_name'], rows: [['shop']] }
        return sql.includes('information_schema.tables') ? { columns, rows } : undefined
      },
    })
    const flags = { 'collect.info_schema.tables': true }
    return (await ask(buildFor(server, flags), 'collect[]=info_schema.tables', { 'x-prometheus-scrape-timeout-seconds': '60' })).text
  }
  const text = await scrape(10_000)
  expect(text.match(/^mysql_info_schema_table_rows\{/gm)).toHaveLength(10_000)
  expect(text).toContain('mysql_info_schema_table_size{component="data_length",schema="shop",table="t9999"} 16384\n')
  const refused = await scrape(Math.floor(answerCellsMax / columns.length) + 1)
  expect(refused).toContain('mysql_up 1\n')
  expect(refused).toContain('mysql_exporter_collector_success{collector="collect.info_schema.tables"} 0\n')
}, 60_000)

test('custom queries are read when the exporter is made, and again at a reload', async () => {
  const path = join(directory, 'queries.yml')
  const write = (name: string): void =>
    writeFileSync(path, `metrics: [{ metric_name: ${name}, type: gauge, values: [n], query: SELECT 5 AS n }]`)
  write('shop_n')
  const server = await serve({ answers: { 'SELECT 5 AS n': { columns: ['n'], rows: [['5']] } } })
  const exporter = buildFor(server, { 'config.custom-queries': [path] })
  expect(exporter.collectorNames).toContain('custom_query.shop_n')
  expect((await ask(exporter, 'collect[]=custom_query')).text).toContain('shop_n 5\n')
  const readOnly = server.statements.indexOf('SET SESSION TRANSACTION READ ONLY')
  expect(server.statements.slice(readOnly)).toEqual(['SET SESSION TRANSACTION READ ONLY', 'SELECT 5 AS n'])
  expect((await ask(exporter, 'collect[]=custom_query.shop_m')).status).toBe(400)
  write('shop_m')
  exporter.reload()
  expect((await ask(exporter, 'collect[]=custom_query.shop_m')).text).toContain('shop_m 5\n')
  write('mysql_up')
  expect(() => exporter.reload()).toThrow(`${path}:1:13: metric_name: want a name that is not the exporter's own`)
  expect(() => buildFor(server, { 'config.custom-queries': [path] })).toThrow(path)
})

test('the 41st scrape at a time is refused with 503', async () => {
  const server = await serve({ answers: { 'SHOW SLAVE STATUS': 'silence' } })
  const exporter = buildFor(server)
  const headers = { 'x-prometheus-scrape-timeout-seconds': '0.4' }
  const running = Array.from({ length: requestsMax }, () => ask(exporter, 'collect[]=slave_status', headers))
  expect(await ask(exporter)).toEqual({ status: 503, text: `Limit of concurrent requests reached (${requestsMax}), try again later.\n` })
  for (const { status } of await Promise.all(running)) expect(status).toBe(200)
  expect((await ask(exporter, 'collect[]=info_schema.innodb_cmp', headers)).text).toContain(
    'promhttp_metric_handler_requests_total{code="503"} 1\n',
  )
})

test('targets are kept up to a number and a time, the one asked longest ago goes first', () => {
  let nowMs = 0
  const sections = new Map([
    ['client', { address: { kind: 'unix', path: '/nowhere' } as const, user: 'u', password: new Secret(''), cleartextAllowed: false }],
  ])
  const targets = new TargetDirectory({
    sections,
    collectors: [],
    statementsFor: () => [],
    connectionsMax: 1,
    log: silentLogger,
    nowMs: () => nowMs,
  })
  const find = (index: number) => targets.findProbed(new URLSearchParams({ target: `db${index}:3306` }))
  const first = find(0)
  const second = find(1)
  for (let index = 2; index < targetsMax; index++) find(index)
  expect(find(0)).toBe(first)
  expect(targets.size).toBe(targetsMax)
  find(targetsMax)
  expect(targets.size).toBe(targetsMax)
  expect(find(0)).toBe(first)
  expect(find(1)).not.toBe(second)
  nowMs = targetIdleMs - 1
  expect(find(0)).toBe(first)
  nowMs = targetIdleMs
  find(0)
  expect(targets.size).toBe(1)
  targets.close()
})

test('an embedded exporter has custom queries too', async () => {
  const path = join(directory, 'embedded.yml')
  writeFileSync(path, 'metrics: [{ metric_name: shop_n, type: gauge, values: [n], query: SELECT 5 AS n }]')
  const server = await serve({ answers: { 'SELECT 5 AS n': { columns: ['n'], rows: [['5']] } } })
  const embedded = createEmbeddedMysql({
    service: { address: `127.0.0.1:${server.port}`, username: 'u' },
    flags: { 'config.custom-queries': [path] },
    log: silentLogger,
  })
  const { body } = await embedded.scrape({ query: new URLSearchParams('collect[]=custom_query'), timeoutMs: 5_000 })
  expect(Buffer.from(body).toString()).toContain('shop_n 5\n')
  await embedded.close()
})

test('an embedded exporter without a user says so when it is made', () => {
  const cnf = join(directory, 'none.cnf')
  writeFileSync(cnf, '')
  const make = (flags: Record<string, string>) => createEmbeddedMysql({ service: { address: '127.0.0.1:1' }, flags, log: silentLogger })
  expect(() => make({ 'config.my-cnf': cnf })).toThrow('no user specified in section or parent')
})
