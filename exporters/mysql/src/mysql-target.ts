import { CollectorRunner, type CollectorOutcome } from '@narthex/exporter-kit/collector-runner'
import type { Collector } from '@narthex/exporter-kit/collector'
import type { FamilyWriter } from '@narthex/exposition/family-writer'
import type { Logger } from '@narthex/service/logger'
import { ConnectionPool } from './connection-pool.ts'
import { describeServer, killStatement, openConnection, type MysqlConnection } from './connection.ts'
import type { ConnectionSettings } from './connection-settings.ts'
import type { MysqlCollector, MysqlSession, ServerIdentity } from './mysql-collector.ts'
import { readOnlyStatement, type SessionStatement } from './session-statements.ts'
import type { ServerVersion } from './server-version.ts'

/** Longest time for a login, whatever the time of the scrape. */
export const connectMsMax = 10_000

export interface MysqlTargetOptions {
  /** Of the option file. */
  readonly section: string
  readonly settings: ConnectionSettings
  readonly collectors: readonly MysqlCollector[]
  readonly statementsFor: (version: ServerVersion) => readonly SessionStatement[]
  readonly connectionsMax: number
  readonly log: Logger
}

/** One server: its connections, and what is known about it between scrapes. */
export class MysqlTarget {
  readonly #log: Logger
  readonly #server: ServerIdentity
  readonly #pool: ConnectionPool<MysqlConnection>
  /** For statements that are not ours: a slow one costs none of our own its connection. Opened when there is one. */
  readonly #readOnlyPool: ConnectionPool<MysqlConnection>
  readonly #runner: CollectorRunner
  /** One per collector for as long as the target lives: the runner knows by them which one still hangs. */
  readonly #adapters: ReadonlyMap<MysqlCollector, Collector>
  #version: ServerVersion | undefined
  #lastFailure: string | undefined
  readonly #refusedStatements = new Set<string>()

  constructor(options: MysqlTargetOptions) {
    const { connectionsMax, section, settings, statementsFor } = options
    this.#server = { section, address: describeServer(settings) }
    this.#log = options.log.with({ target: this.#server.address })
    this.#runner = new CollectorRunner(this.#log)
    const createPool = (statements: MysqlTargetOptions['statementsFor']): ConnectionPool<MysqlConnection> =>
      new ConnectionPool({
        connectionsMax,
        open: () => openConnection(settings, { statementsFor: statements, onRefused: this.#reportRefused }, connectMsMax),
        cancel: (connection, sql) => killStatement(settings, connection.threadId, sql, 1_000),
      })
    this.#pool = createPool(statementsFor)
    this.#readOnlyPool = createPool((version) => [...statementsFor(version), readOnlyStatement])
    this.#adapters = new Map(options.collectors.map((collector) => [collector, this.#adapt(collector)]))
  }

  /**
   * Writes what the server says about itself, and `mysql_up` in any case. Never rejects. Returns the families that were dropped because
   * two collectors disagree on their type.
   */
  async scrape(writer: FamilyWriter, collectors: readonly MysqlCollector[], timeoutMs: number): Promise<number> {
    const startMs = performance.now()
    const version = await this.#connect(timeoutMs)
    writer.family('mysql_up', 'Whether the MySQL server is up.', 'gauge')
    writer.sample(version === undefined ? 0 : 1)
    if (version === undefined) return 0
    const connectSeconds = (performance.now() - startMs) / 1000
    const chosen = collectors.filter((collector) => collector.isFor?.(version, this.#server) !== false)
    const adapters = chosen.map((collector) => this.#adapters.get(collector)!)
    const { outcomes, typeClashes } = await this.#runner.run(adapters, writer, timeoutMs - connectSeconds * 1000)
    writeOutcomes(writer, connectSeconds, outcomes)
    return typeClashes
  }

  close(): void {
    this.#pool.close()
    this.#readOnlyPool.close()
  }

  /** The server's version when it answers in time. Logs the first of equal failures, and the end of them. */
  async #connect(timeoutMs: number): Promise<ServerVersion | undefined> {
    try {
      await this.#pool.check(AbortSignal.timeout(Math.max(1, timeoutMs)), (connection) => {
        this.#version = connection.version
      })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message !== this.#lastFailure) this.#log.error('Error pinging mysqld', { err: message })
      this.#lastFailure = message
      return undefined
    }
    if (this.#lastFailure !== undefined) this.#log.info('mysqld answers again')
    this.#lastFailure = undefined
    return this.#version
  }

  #adapt(collector: MysqlCollector): Collector {
    return {
      name: `collect.${collector.name}`,
      defaultOn: collector.defaultOn,
      collect: async (context) => {
        const session: MysqlSession = {
          version: this.#version!,
          server: this.#server,
          query: (sql) => this.#pool.query(sql, context.signal),
          queryReadOnly: (sql, limits) => this.#readOnlyPool.query(sql, context.signal, limits),
        }
        await collector.collect(session, context.writer)
      },
    }
  }

  readonly #reportRefused = (sql: string, error: Error): void => {
    if (this.#refusedStatements.has(sql)) return
    this.#refusedStatements.add(sql)
    this.#log.warn('the server refused a setting of the session', { statement: sql, err: error })
  }
}

function writeOutcomes(writer: FamilyWriter, connectSeconds: number, outcomes: readonly CollectorOutcome[]): void {
  writer.family('mysql_exporter_collector_duration_seconds', 'Collector time duration.', 'gauge')
  writer.sample(connectSeconds, ['collector', 'connection'])
  for (const { durationSeconds, name } of outcomes) writer.sample(durationSeconds, ['collector', name])
  writer.family('mysql_exporter_collector_success', 'Whether the collector succeeded.', 'gauge')
  for (const { isSuccess, name } of outcomes) writer.sample(isSuccess ? 1 : 0, ['collector', name])
}
