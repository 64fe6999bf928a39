import { ConfigError } from '@narthex/config/config-error'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadCustomQueries } from './custom-queries.ts'
import { parseCustomQueryFile } from './custom-query-file.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-mysql-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const whole = `collector_name: shop
min_interval: 30s
metrics:
  - metric_name: shop_orders
    type: gauge
    help: Orders by state.
    key_labels: [state]
    static_labels: { team: shop }
    value_label: what
    values: [orders, revenue]
    query_ref: orders
  - metric_name: shop_open
    type: counter
    values: [n]
    query: SELECT 1 AS n;
queries:
  - query_name: orders
    query: |
      SELECT state, COUNT(*) AS orders, SUM(total) AS revenue
      FROM shop.orders GROUP BY state
    timeout: 1s
    min_interval: 5m
    max_rows: 10
    product: mysql
    min_version: 8.0.22
    max_version: "8.4"
    targets: ['db[12]:3306']
    auth_modules: [client.eu]
`

test('a collector file of sql_exporter, with our further keys', () => {
  const [orders, open] = parseCustomQueryFile(whole, 'shop.yml')
  expect(orders).toMatchObject({
    name: 'orders',
    place: 'shop.yml:18:5',
    sql: 'SELECT state, COUNT(*) AS orders, SUM(total) AS revenue\nFROM shop.orders GROUP BY state',
    timeoutMs: 1_000,
    minIntervalMs: 300_000,
    rowsMax: 10,
    product: 'mysql',
    versionMin: [8, 0, 22],
    versionMax: [8, 4],
    authModules: ['client.eu'],
  })
  expect(orders!.targets.map((target) => ['db1:3306', 'db3:3306'].map((address) => target.test(address)))).toEqual([[true, false]])
  expect(orders!.metrics).toHaveLength(1)
  expect(open).toMatchObject({
    name: 'shop_open',
    place: 'shop.yml:15:5',
    sql: 'SELECT 1 AS n',
    minIntervalMs: 30_000,
    timeoutMs: 5_000,
    rowsMax: 1_000,
  })
})

test('the example of the documentation is one', () => {
  const page = readFileSync(new URL('../../../docs/mysql-queries.md', import.meta.url), 'utf8')
  const example = /```yaml\n([^]*?)```/.exec(page)![1]!
  expect(parseCustomQueryFile(example, 'example.yml').map(({ name }) => name)).toEqual(['orders', 'shop_oldest_open_order_seconds'])
})

test('an empty file has no queries', () => {
  expect(parseCustomQueryFile('', 'shop.yml')).toEqual([])
})

describe('what is wrong is said with its place', () => {
  const change = (from: string, to: string): string => {
    expect(whole).toContain(from)
    return whole.replace(from, to)
  }
  test.each([
    ['    type: gauge', '    typ: gauge', '5:5: field typ not found in type metric'],
    ['type: gauge', 'type: histogram', '5:11: want type counter, gauge or untyped, got "histogram"'],
    ['    type: gauge\n', '', '4:5: metric shop_orders: want a type, got none'],
    ['metric_name: shop_orders', 'metric_name: shop-orders', '4:5: metric_name: want a metric name, got "shop-orders"'],
    ['metric_name: shop_orders', 'metric_name: mysql_up', `4:5: metric_name: want a name that is not the exporter's own, got "mysql_up"`],
    [
      'metric_name: shop_orders',
      'metric_name: mysql_global_status_x',
      `4:5: metric_name: want a name that is not the exporter's own, got "mysql_global_status_x"`,
    ],
    ['key_labels: [state]', 'key_labels: [__state]', '7:18: want a label name, got "__state"'],
    ['key_labels: [state]', 'key_labels: [state, team]', '4:5: metric shop_orders: want each label once, got team twice'],
    ['    value_label: what\n', '', '9:5: metric shop_orders: want value_label, because there are 2 values'],
    ['    values: [orders, revenue]\n', '', '4:5: metric shop_orders: want one of values and static_value, got none'],
    ['query_ref: orders', 'query_ref: order', `17:5: query orders: want a metric with this query_ref, got none`],
    ['    query_ref: orders\n', '', '4:5: metric shop_orders: want one of query and query_ref, got none'],
    [
      '    values: [n]\n',
      '    values: [n]\n    timestamp_value: t\n',
      '15:5: metric shop_open: timestamp_value is not built: samples have the time of the scrape',
    ],
    [
      'FROM shop.orders',
      'INTO @x FROM shop.orders',
      '18:5: query orders: line 2 of the statement: want a statement that only reads, got INTO',
    ],
    [
      'SELECT 1 AS n;',
      'DELETE FROM t',
      '15:5: metric shop_open: line 1 of the statement: want SELECT, WITH, SHOW, TABLE, VALUES, EXPLAIN, DESCRIBE, DESC, got DELETE',
    ],
    [
      'query_name: orders',
      'query_name: my orders',
      '17:5: query_name: want letters, digits, _, . and -, beginning with a letter, got "my orders"',
    ],
    ['timeout: 1s', 'timeout: 2h', '21:14: want a timeout from 1ms to 1h'],
    ['timeout: 1s', 'timeout: soon', '21:14: not a valid duration string: "soon"'],
    ['max_rows: 10', 'max_rows: 0', '23:15: want 1 to 100000 rows, got 0'],
    ['max_rows: 10', 'max_rows: 100001', '23:15: want 1 to 100000 rows, got 100001'],
    ['min_version: 8.0.22', 'min_version: new', '25:18: want a version as 8, 8.4 or 8.0.22, got "new"'],
    [
      '    product: mysql\n',
      '',
      '17:5: query orders: want product with min_version and max_version, because MySQL and MariaDB count differently',
    ],
    ['product: mysql', 'product: percona', '24:14: want product mysql or mariadb, got "percona"'],
    [`['db[12]:3306']`, `['db(']`, '27:15: want a regular expression, got "db(": '],
    ['min_interval: 30s\n', 'min_interval: 30s\nmin_interval: 1s\n', '3:1: mapping key "min_interval" already defined at line 2'],
    ['metrics:\n', 'metrics: [\n', ''],
  ])('%j as %j', (from, to, message) => {
    const text = change(from, to)
    expect(() => parseCustomQueryFile(text, 'shop.yml')).toThrow(ConfigError)
    expect(() => parseCustomQueryFile(text, 'shop.yml')).toThrow(`shop.yml:${message}`)
  })

  test('a statement longer than the limit', () => {
    const text = (length: number): string =>
      `metrics: [{ metric_name: m, type: gauge, values: [a], query: "${'SELECT 1 AS a'.padEnd(length, ' ')}" }]`
    expect(parseCustomQueryFile(text(65_536), 'x.yml')).toHaveLength(1)
    expect(() => parseCustomQueryFile(text(65_537), 'x.yml')).toThrow('want a statement of at most 65536 characters, got 65537')
  })
})

describe('several files', () => {
  const write = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  }
  const metric = (name: string, rest: string): string =>
    `metrics:\n  - metric_name: ${name}\n    values: [a]\n    query: SELECT 1 AS a\n    ${rest}\n`

  test('are found by globs, each once', () => {
    const path = write('a1.yml', metric('a', 'type: gauge'))
    write('a2.yml', metric('b', 'type: gauge'))
    expect(loadCustomQueries([join(directory, 'a*.yml'), path]).map(({ name }) => name)).toEqual(['a', 'b'])
    expect(loadCustomQueries([join(directory, 'none*.yml')])).toEqual([])
    expect(() => loadCustomQueries([join(directory, 'none.yml')])).toThrow(/^cannot read custom queries: ENOENT.*none\.yml/)
  })

  test('name each query once', () => {
    const [first, second] = [write('b1.yml', metric('a', 'type: gauge')), write('b2.yml', metric('a', 'type: gauge'))]
    expect(() => loadCustomQueries([first, second])).toThrow(
      `${second}:4:5: want a name that no other query has, got a, which is at ${first}:4:5 too`,
    )
  })

  test('agree on the type and the labels of a family', () => {
    const named = (query: string, rest: string): string =>
      `metrics: [{ metric_name: m, values: [a], query_ref: ${query}, ${rest} }]\nqueries:\n  - query_name: ${query}\n    query: SELECT 1 AS a\n`
    const first = write('c1.yml', named('one', 'type: gauge'))
    const same = write('c2.yml', named('two', 'type: gauge'))
    expect(loadCustomQueries([first, same])).toHaveLength(2)
    const typed = write('c3.yml', named('three', 'type: counter'))
    expect(() => loadCustomQueries([first, typed])).toThrow(`${typed}:4:5: metric m: want type gauge as at ${first}:4:5, got counter`)
    const labelled = write('c4.yml', named('four', 'type: gauge, key_labels: [k]'))
    expect(() => loadCustomQueries([first, labelled])).toThrow(`${labelled}:4:5: metric m: want the labels none as at ${first}:4:5, got k`)
  })
})
