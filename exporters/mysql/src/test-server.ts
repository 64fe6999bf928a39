import { Secret } from '@narthex/config/secret'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { parseFamilies, type MetricFamily } from '@narthex/exporter-kit/family-parser'
import { silentLogger, type Logger } from '@narthex/service/logger'
import type { ConnectionSettings } from './connection-settings.ts'
import { openConnection, type MysqlConnection } from './connection.ts'
import { createMysqlExporter, type MysqlExporter } from './mysql-exporter.ts'

/** A started server, as test/kit gives it. */
export interface StartedServer {
  readonly port: number
  readonly directory: string
  readonly process: { readonly pid: number }
  stop(): Promise<void>
}

/** A MariaDB of one test file, with what the collectors need to have something to say. */
export interface TestServer {
  readonly service: StartedServer
  readonly socketPath: string
  /** Runs statements as root, one after the other. */
  run(...statements: readonly string[]): Promise<void>
  /** A connection of root's that the caller closes. */
  connect(): Promise<MysqlConnection>
  stop(): Promise<void>
}

export const exporterPassword = 'p#ss"w0rd;$x'

const setup = [
  `CREATE USER exporter@localhost IDENTIFIED BY '${exporterPassword}'`,
  'GRANT PROCESS, SLAVE MONITOR ON *.* TO exporter@localhost',
  'CREATE DATABASE shop',
  'CREATE TABLE shop.orders (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), KEY (name)) ENGINE=InnoDB',
  'CREATE TABLE shop.odd (id TINYINT AUTO_INCREMENT PRIMARY KEY) ENGINE=MyISAM',
  `INSERT INTO shop.orders (name) VALUES ('a'), ('b'), ('c')`,
  'CREATE DATABASE heartbeat',
  'CREATE TABLE heartbeat.heartbeat (ts VARCHAR(26) NOT NULL, server_id INT UNSIGNED NOT NULL PRIMARY KEY) ENGINE=InnoDB',
  `INSERT INTO heartbeat.heartbeat VALUES ('2026-08-01T12:00:00.500000', 7)`,
  'SET GLOBAL userstat = 1',
  `CHANGE MASTER 'west' TO master_host = '127.0.0.1', master_port = 1, master_user = 'x'`,
  `SET GLOBAL gtid_slave_pos = '0-1-100,3-2-7'`,
]

/** Fills a fresh MariaDB. */
export async function prepareTestServer(service: StartedServer): Promise<TestServer> {
  const socketPath = `${service.directory}/s.sock`
  const connect = (): Promise<MysqlConnection> =>
    openConnection(rootSettings(socketPath), { statementsFor: () => [], onRefused: () => {} }, 10_000)
  const run = async (...statements: readonly string[]): Promise<void> => {
    const connection = await connect()
    try {
      for (const statement of statements) await connection.query(statement)
    } finally {
      connection.close()
    }
  }
  await run(...setup)
  return { service, socketPath, run, connect, stop: () => service.stop() }
}

export function rootSettings(socketPath: string): ConnectionSettings {
  return { address: { kind: 'unix', path: socketPath }, user: 'root', password: new Secret(''), cleartextAllowed: false }
}

/** An exporter of this server, as root unless settings say otherwise. */
export function createTestExporter(
  server: TestServer,
  flags: FlagValues = {},
  options: { readonly settings?: Partial<ConnectionSettings>; readonly log?: Logger } = {},
): MysqlExporter {
  const client = { ...rootSettings(server.socketPath), ...options.settings }
  return createMysqlExporter({
    flags,
    log: options.log ?? silentLogger,
    buildInfo: { version: 'test', revision: 'r', branch: 'b' },
    loadSettings: () => new Map([['client', client]]),
  })
}

export type Families = ReadonlyMap<string, MetricFamily>

export async function scrapeFamilies(exporter: MysqlExporter, timeoutSeconds = 10, query = ''): Promise<Families> {
  const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutSeconds) }
  const { body, status } = await exporter.handleMetrics({ query: new URLSearchParams(query), headers })
  const text = Buffer.from(body).toString()
  if (status !== 200) throw new Error(`want status 200, got ${status}: ${text}`)
  return parseText(text)
}

export function parseText(text: string): Families {
  return new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))
}

/** Value of a sample by its labels as flat list; undefined if there is none. */
export function valueOf(families: Families, name: string, ...labels: readonly string[]): number | undefined {
  return families.get(name)?.samples.find((sample) => sample.labels.join('\0') === labels.join('\0'))?.value
}
