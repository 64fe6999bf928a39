import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { collectorFactories } from '@narthex/exporter-mysql/collectors'
import { parseCustomQueryFile } from '@narthex/exporter-mysql/custom-query-file'
import { readCustomSamples, writeCustomSamples } from '@narthex/exporter-mysql/custom-query-samples'
import { findStatementProblem } from '@narthex/exporter-mysql/custom-query-statement'
import { parseDataSourceName } from '@narthex/exporter-mysql/data-source-name'
import { mysqlExporterFlags } from '@narthex/exporter-mysql/flags'
import { parseCnf, readCnfSettings } from '@narthex/exporter-mysql/my-cnf'
import { QueryResult, type Cell } from '@narthex/exporter-mysql/query-result'
import { parseServerVersion } from '@narthex/exporter-mysql/server-version'
import { parseStatusValue, toMetricName } from '@narthex/exporter-mysql/status-value'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { entryEnd } from '@narthex/exposition/parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { decode, encode, ensure, InvariantError, type FuzzTarget } from '../fuzz-target.ts'

const collectors = collectorFactories.map((create) => create(new FlagReader(mysqlExporterFlags, {})))
const lineFeed = 0x0a
const tab = 0x09

/** Rows of a text: a line each, cells between tabs; the first line names the columns. */
function readTable(bytes: Uint8Array): QueryResult {
  const [columns = [], ...rows] = splitAt(bytes, lineFeed).map((line) => splitAt(line, tab))
  const cells = rows.map((row) => columns.map((_, index): Cell => row[index] ?? null))
  return new QueryResult(columns.map(decode), cells)
}

function splitAt(bytes: Uint8Array, separator: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  let start = 0
  for (let end = bytes.indexOf(separator); end >= 0; end = bytes.indexOf(separator, start)) {
    parts.push(bytes.subarray(start, end))
    start = end + 1
  }
  parts.push(bytes.subarray(start))
  return parts
}

const writer = new FamilyWriter()
const parser = new TextParser()

/** What a collector wrote can be scraped, whatever the server said. */
function ensureReadable(text: Uint8Array, collector: string): void {
  try {
    parser.begin(text, 0, text.length)
    while (parser.next() !== entryEnd);
  } catch (error) {
    throw new InvariantError(`${collector} writes what cannot be read: ${String(error)}`)
  }
}

const tables = [
  'Variable_name\tValue\nCom_select\t7\nInnodb_buffer_pool_pages_data\t5\nUptime\t9\nwsrep_local_state_uuid\tu1\nSsl_server_not_after\tNov 28 02:03:00 2035 GMT\ngtid_mode\tON\nwsrep_provider_options\tgcache.size = 128M; gmcast.listen_addr = tcp://[::1]:4567;\n',
  'Type\tName\tStatus\nInnoDB\t\t2 queries inside InnoDB, 3 queries in queue 4 read views open inside InnoDB\n',
  'Slave_IO_State\tMaster_Host\tMaster_UUID\tSeconds_Behind_Master\tSlave_IO_Running\tExec_Master_Log_Pos\tChannel_Name\nx\th\tu\t0\tYes\t12\tc\n',
  'Log_name\tFile_size\nbinlog.000001\t157\nbinlog.000002\t99\n',
  'user\thost\tcommand\tstate\tprocesses\ttime\nroot\tlocalhost:123\tQuery\texecuting\t1\t0\n',
  'Server_id\tHost\tPort\tMaster_id\tSlave_UUID\n2\th2\t3306\t1\tu2\n',
]

/** Versions of which one has what the other has not. */
const versions = ['8.0.36', '10.11.6-MariaDB-0+deb12u1'].map(parseServerVersion)

export const mysqlTargets: readonly FuzzTarget[] = [
  {
    name: 'mysql-answers',
    seeds: tables.map(encode),
    refusals: [],
    share: 100,
    async read(bytes) {
      const result = readTable(bytes)
      const query = () => Promise.resolve(result)
      for (const version of versions) {
        for (const collector of collectors) {
          writer.reset()
          try {
            await collector.collect({ version, server: { section: 'client', address: 'db1:3306' }, query, queryReadOnly: query }, writer)
          } catch (error) {
            // A collector says what is wrong with an answer; a mistake of its own would be another error.
            if (!(error instanceof Error) || error.name !== 'Error') throw error
          }
          ensureReadable(writer.finish(), collector.name)
        }
      }
    },
  },
  {
    name: 'mysql-values',
    seeds: ['12', 'ON', '2026-08-01 12:00:00.5', 'Nov 28 02:03:00 2035 GMT', '8.0.36-0ubuntu', '5.5.5-10.4.7-MariaDB', '0x1p-2'].map(
      encode,
    ),
    refusals: [],
    read(bytes) {
      const text = decode(bytes)
      const value = parseStatusValue(text)
      ensure(value === undefined || typeof value === 'number', 'a value is no number')
      ensure(/^[a-z0-9_]*$/.test(toMetricName(text)), 'a name has other characters')
      try {
        const { parts } = parseServerVersion(text)
        ensure(parts.every(Number.isSafeInteger), `the version is ${parts.join('.')}`)
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'Error') throw error
      }
    },
  },
  {
    name: 'mysql-query-files',
    seeds: [
      encode(`collector_name: a
min_interval: 1m
metrics:
  - {metric_name: m, type: gauge, help: h, key_labels: [k], static_labels: {s: t}, value_label: w, values: [v, n], query_ref: q}
  - {metric_name: c, type: counter, static_value: 1.5, query: "SELECT 1; -- x"}
queries:
  - {query_name: q, query: SELECT 1, timeout: 1s, max_rows: 5, product: mysql, min_version: "8.0", max_version: 8.4, targets: ['a.*'], auth_modules: [client]}
`),
    ],
    refusals: ['ConfigError'],
    share: 300,
    read(bytes) {
      const result = readTable(encode('k\tv\tn\na\t1\t2\nb\t\t0x\n'))
      for (const query of parseCustomQueryFile(decode(bytes), 'fuzz.yml')) {
        ensure(findStatementProblem(query.sql) === undefined, `a statement is let through: ${query.sql}`)
        writer.reset()
        try {
          for (const samples of readCustomSamples(result, query)) writeCustomSamples(writer, samples)
        } catch (error) {
          if (!(error instanceof Error) || error.name !== 'Error') throw error
        }
        ensureReadable(writer.finish(), query.name)
      }
    },
  },
  {
    name: 'mysql-statements',
    seeds: ["SELECT 'a''b\\'c', `x` FROM t /*!50000 INTO */ # c\n-- d\nWHERE a = 1;", 'WITH x AS (SELECT 1) DELETE FROM t'].map(encode),
    refusals: [],
    read(bytes) {
      const sql = decode(bytes)
      const problem = findStatementProblem(sql)
      if (problem === undefined) ensure(/[a-z]/i.test(sql), 'a statement without a word is let through')
      else ensure(problem.offset >= 0 && problem.offset <= sql.length, 'a problem is outside of the statement')
    },
  },
  {
    name: 'my-cnf',
    seeds: [
      encode(
        '[client]\nuser = root\npassword="a#b" # x\nhost=h\nport=3307\n!include x\n[client.two]\nssl-ca=${HOME}/ca\ntls=skip-verify\n',
      ),
      encode("[client]\r\nuser='u'\r\nsocket=/run/m.sock\r\nssl-cert=c\r\nssl-key=$K\r\ntls-min-version=TLSv1.2\r\n; c\r\n"),
    ],
    refusals: ['Error'],
    read(bytes) {
      const sections = parseCnf(decode(bytes), { HOME: '/root', K: 'k' })
      const defaults = { address: 'localhost:3306', user: '', password: '', tlsInsecureSkipVerify: false }
      for (const { address, user } of readCnfSettings(sections, defaults, () => undefined).values()) {
        ensure(user !== '', 'a section has no user')
        ensure(address.kind === 'unix' || (address.port > 0 && address.port <= 65_535), 'a port is out of range')
      }
    },
  },
  {
    name: 'data-source-name',
    seeds: [encode('u:p@tcp(h:3306)/db?tls=skip-verify'), encode('u@unix(/run/m.sock)/'), encode('u:p/@x@([::1]:1)/')],
    refusals: ['Error'],
    read(bytes) {
      const { address, user } = parseDataSourceName(decode(bytes), false)
      ensure(user !== '' && (address.kind === 'unix' || (address.port > 0 && address.port <= 65_535)), 'no user or no port')
    },
  },
]
