import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { createLogger } from '@narthex/service/logger'
import { Secret } from '@narthex/config/secret'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import { mysqlExporterFlags } from './flags.ts'
import { createMysqlExporter } from './mysql-exporter.ts'
import { startFakeServer } from './test-fake-server.ts'
import { answerRecorded, findUnknownName, readRecordedServer, type RecordedServer } from './test-recorded.ts'

// Every collector against what servers of other versions answer; testdata/README.md says where the answers come from.

const testdata = new URL('../testdata/', import.meta.url)
const versions = readdirSync(testdata, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
const collectors = collectorFactories.map((create) => create(new FlagReader(mysqlExporterFlags, {})))

test('there are the versions that are promised', () => {
  const promised = [
    'mysql-5.7',
    'mysql-8.0',
    'mysql-8.4',
    'mysql-9.7',
    'mariadb-10.6',
    'mariadb-10.11',
    'mariadb-11.4',
    'mariadb-11.8',
    'mariadb-12.0',
  ]
  expect(versions.sort()).toEqual(promised.sort())
})

describe.each(versions)('%s', (name) => {
  const recorded = readRecordedServer(new URL(`${name}/`, testdata))

  test('gives this exposition', async () => {
    const { lines, text } = await scrapeAll(recorded)
    expect(lines).toEqual([])
    await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(`${name}/expected.txt`, testdata)))
  })
})

test('together they have every family of the original, with its type and labels', () => {
  const inventory = readInventory('mysql')
  expect(inventory, 'want parity/mysql.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const found = new Map<string, { readonly type: string; readonly labels: ReadonlySet<string> }>()
  for (const name of versions) {
    for (const family of parseFamilies(readFileSync(new URL(`${name}/expected.txt`, testdata)))) {
      const labels = family.samples.flatMap(({ labels: pairs }) => pairs.filter((_text, index) => index % 2 === 0))
      found.set(family.name, { type: family.type, labels: new Set([...labels, ...(found.get(family.name)?.labels ?? [])]) })
    }
  }
  // Those that only an old release was seen to have are variables of its server. The exporter's own are compared elsewhere.
  const wanted = inventory!.filter(({ collector, source }) => source !== 'live' && !/^(self\.|exporter$)/.test(collector))
  expect(wanted.length).toBeGreaterThan(200)
  const differing = wanted.filter(({ labels, metric, type }) => {
    const family = found.get(metric)
    const own = [...(family?.labels ?? [])].filter((label) => label !== 'le' && label !== 'quantile')
    return family?.type !== type || own.sort().join() !== [...labels].sort().join()
  })
  expect(differing.map(({ metric }) => metric)).toEqual([])
})

/** The exposition without help, without what changes from one scrape to the next, and without what is about the exporter itself. */
async function scrapeAll(recorded: RecordedServer): Promise<{ readonly text: string; readonly lines: readonly string[] }> {
  const server = await startFakeServer({
    version: recorded.version,
    answerTo: (sql) => (/^SET |^SELECT @@version$/.test(sql) ? undefined : answerRecorded(recorded, sql)),
  })
  const lines: string[] = []
  const settings = {
    address: { kind: 'tcp', host: '127.0.0.1', port: server.port } as const,
    user: 'u',
    password: new Secret(''),
    cleartextAllowed: false,
  }
  // A server without RocksDB fails where it is asked for it.
  const hasRocksdb = recorded.columns.has('information_schema.rocksdb_perf_context')
  const names = collectors.map((collector) => collector.name).filter((name) => hasRocksdb || !name.includes('rocksdb'))
  const flags = ['collect.mysql.user.privileges', ...names.map((name) => `collect.${name}`)]
  const exporter = createMysqlExporter({
    flags: Object.fromEntries(flags.map((flag) => [flag, true])),
    log: createLogger({ write: (line) => lines.push(line), source: 'x' }),
    buildInfo: { version: '1', revision: 'r', branch: 'b' },
    loadSettings: () => new Map([['client', settings]]),
    exporterMetricsDisabled: true,
  })
  try {
    const { body } = await exporter.handleMetrics()
    const kept = Buffer.from(body)
      .toString()
      .split('\n')
      .filter((line) => !/^# HELP|^(# TYPE )?(mysqld_exporter_build_info|mysql_exporter_collector_duration_seconds)/.test(line))
    return { text: kept.join('\n'), lines }
  } finally {
    await exporter.close()
    server.close()
  }
}

test('a recorded server refuses names that it does not have', () => {
  const columns = new Map([['information_schema.t', new Set(['a', 'b'])]])
  const find = (sql: string): string | undefined => findUnknownName(sql.toLowerCase(), columns)
  expect(find(`SELECT x.a AS c, IFNULL(b, 'none') FROM information_schema.t x WHERE \`b\` LIKE '%c%' ORDER BY c`)).toBeUndefined()
  expect(find('SELECT a, d FROM information_schema.t')).toBe('d')
  expect(find('SELECT a FROM information_schema.u')).toBe('information_schema.u')
  expect(find('SHOW STATUS')).toBeUndefined()
})
