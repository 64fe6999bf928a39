import { createLogger, type Logger } from '@narthex/service/logger'
import { startMariadb } from '@narthex/test/kit/services'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { MysqlExporter } from './mysql-exporter.ts'
import { createTestExporter, prepareTestServer, scrapeFamilies, valueOf, type Families, type TestServer } from './test-server.ts'

let server: TestServer
let directory: string
const exporters: MysqlExporter[] = []
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-mysql-'))
  server = await prepareTestServer(await startMariadb())
  await server.run(
    'CREATE FUNCTION shop.count_up() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM shop.odd; RETURN 1; END',
    'INSERT INTO shop.odd VALUES (1), (2)',
    'CREATE SEQUENCE shop.numbers',
  )
})
afterEach(async () => {
  for (const exporter of exporters.splice(0)) await exporter.close()
})
afterAll(async () => {
  await server.stop()
  rmSync(directory, { recursive: true })
})

interface Query {
  readonly name: string
  readonly sql: string
  readonly keys?: string
}

/** An exporter with one metric for each query, of column n by column k. */
function use(...queries: readonly Query[]): { readonly exporter: MysqlExporter; readonly lines: string[]; readonly path: string } {
  const path = join(directory, `${exporters.length}.yml`)
  writeQueries(path, queries)
  const { lines, log } = recordLog()
  const exporter = createTestExporter(server, { 'config.custom-queries': [path] }, { log })
  exporters.push(exporter)
  return { exporter, lines, path }
}

function writeQueries(path: string, queries: readonly Query[]): void {
  const metrics = queries.map(({ name }) => `  - { metric_name: ${name}, type: gauge, key_labels: [k], values: [n], query_ref: ${name} }\n`)
  const statements = queries.map(
    ({ keys = '', name, sql }) => `  - query_name: ${name}\n    query: "${sql}"\n${keys === '' ? '' : `    ${keys}\n`}`,
  )
  writeFileSync(path, `metrics:\n${metrics.join('')}queries:\n${statements.join('')}`)
}

function recordLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return { log: createLogger({ write: (line) => lines.push(line), source: 'x' }), lines }
}

function succeeded(families: Families, name: string): number | undefined {
  return valueOf(families, 'mysql_exporter_collector_success', 'collector', `collect.custom_query.${name}`)
}

const orders: Query = { name: 'shop_orders', sql: 'SELECT name AS k, COUNT(*) AS n FROM shop.orders GROUP BY name' }

test('a query gives its samples beside the families of the exporter', async () => {
  const { exporter, lines } = use(orders)
  const families = await scrapeFamilies(exporter)
  expect(families.get('shop_orders')!.type).toBe('gauge')
  expect(valueOf(families, 'shop_orders', 'k', 'a')).toBe(1)
  expect(succeeded(families, 'shop_orders')).toBe(1)
  expect(families.has('mysql_global_status_uptime')).toBe(true)
  expect(lines).toEqual([])
})

test('collect[] chooses one query, or all of them', async () => {
  const { exporter } = use(orders, { name: 'shop_one', sql: `SELECT '' AS k, 1 AS n` })
  const ask = async (query: string): Promise<string[]> =>
    [...(await scrapeFamilies(exporter, 10, query)).keys()].filter((name) => name.startsWith('shop'))
  expect(await ask('collect[]=custom_query.shop_one')).toEqual(['shop_one'])
  expect(await ask('collect[]=custom_query')).toEqual(['shop_one', 'shop_orders'])
  expect(await ask('collect[]=global_status')).toEqual([])
  expect(await ask('exclude[]=custom_query')).toEqual([])
})

test('a query that fails costs only itself, and is logged once with its place', async () => {
  const { exporter, lines, path } = use(orders, { name: 'shop_wrong', sql: 'SELECT k, n FROM shop.nothing' })
  for (let i = 0; i < 3; i++) {
    const families = await scrapeFamilies(exporter)
    expect(succeeded(families, 'shop_wrong')).toBe(0)
    expect(succeeded(families, 'shop_orders')).toBe(1)
    expect(valueOf(families, 'mysql_up')).toBe(1)
  }
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain(`${path}:8:5: Table 'shop.nothing' doesn't exist`)
  await server.run('CREATE VIEW shop.nothing AS SELECT 1 AS k, 2 AS n')
  expect(valueOf(await scrapeFamilies(exporter), 'shop_wrong', 'k', '1')).toBe(2)
  expect(lines[1]).toContain('msg="collector succeeds again"')
  await server.run('DROP VIEW shop.nothing')
})

test('what slips past the check of the statement is refused by the server', async () => {
  const { exporter, lines } = use(
    { name: 'shop_function', sql: `SELECT 'x' AS k, shop.count_up() AS n` },
    { name: 'shop_sequence', sql: `SELECT 'x' AS k, NEXTVAL(shop.numbers) AS n` },
  )
  const families = await scrapeFamilies(exporter)
  expect(succeeded(families, 'shop_function')).toBe(0)
  expect(succeeded(families, 'shop_sequence')).toBe(0)
  expect(lines.join('')).toContain('Cannot execute statement in a READ ONLY transaction')
  const root = await server.connect()
  const { rows } = await root.query('SELECT COUNT(*) FROM shop.odd')
  expect(Buffer.from(rows[0]![0]!).toString()).toBe('2')
  root.close()
})

test('a query is ended in the server when its time is over, and the others have theirs', async () => {
  const { exporter, lines, path } = use(orders, { name: 'shop_slow', sql: `SELECT 'x' AS k, SLEEP(60) AS n`, keys: 'timeout: 300ms' })
  const families = await scrapeFamilies(exporter, 60)
  expect(succeeded(families, 'shop_slow')).toBe(0)
  expect(succeeded(families, 'shop_orders')).toBe(1)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain(`${path}:8:5: want an answer within 300 ms, got none`)
  const root = await server.connect()
  const { rows } = await root.query(`SELECT 1 FROM information_schema.processlist WHERE info LIKE '%SLEEP(60)%' AND id <> CONNECTION_ID()`)
  expect(rows).toEqual([])
  root.close()
})

test('an answer with more rows than allowed is refused, one with as many is not', async () => {
  const sql = 'SELECT seq AS k, seq AS n FROM shop.seq_1_to_100'
  const { exporter, lines } = use({ name: 'shop_more', sql, keys: 'max_rows: 99' }, { name: 'shop_enough', sql, keys: 'max_rows: 100' })
  const families = await scrapeFamilies(exporter)
  expect(succeeded(families, 'shop_more')).toBe(0)
  expect(families.has('shop_more')).toBe(false)
  expect(families.get('shop_enough')!.samples).toHaveLength(100)
  expect(lines.join('')).toContain('want an answer of at most 99 rows, got more')
})

test('a query for other versions or servers is not asked, and nothing is said about it', async () => {
  const { exporter } = use(
    { ...orders, keys: 'product: mysql' },
    { name: 'shop_old', sql: `SELECT '' AS k, 1 AS n`, keys: 'max_version: 10.5, product: mariadb'.replace(', ', '\n    ') },
    { name: 'shop_here', sql: `SELECT '' AS k, 1 AS n`, keys: `targets: ['unix://.*']` },
    { name: 'shop_there', sql: `SELECT '' AS k, 1 AS n`, keys: `targets: ['db1:.*']` },
  )
  const families = await scrapeFamilies(exporter)
  expect(['shop_orders', 'shop_old', 'shop_here', 'shop_there'].map((name) => succeeded(families, name))).toEqual([
    undefined,
    undefined,
    1,
    undefined,
  ])
})

test('a reload takes other queries; a file that is wrong changes nothing', async () => {
  const { exporter, path } = use(orders)
  writeQueries(path, [{ name: 'shop_new', sql: `SELECT '' AS k, 1 AS n` }])
  exporter.reload()
  const families = await scrapeFamilies(exporter)
  expect(succeeded(families, 'shop_new')).toBe(1)
  expect(succeeded(families, 'shop_orders')).toBeUndefined()
  writeQueries(path, [{ name: 'shop_new', sql: 'DROP TABLE shop.orders' }])
  expect(() => exporter.reload()).toThrow(`${path}:5:5: query shop_new: line 1 of the statement: want SELECT`)
  expect(succeeded(await scrapeFamilies(exporter), 'shop_new')).toBe(1)
})
