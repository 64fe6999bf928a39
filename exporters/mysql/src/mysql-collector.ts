import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { QueryResult } from './query-result.ts'
import type { ServerVersion } from './server-version.ts'

/** A server during one scrape. */
export interface MysqlSession {
  readonly version: ServerVersion
  readonly server: ServerIdentity
  /** Runs one statement; rejects with the server's error, or when the scrape's time is over. */
  query(sql: string): Promise<QueryResult>
  /** Runs one statement on a connection of its own kind, whose transactions are read-only. */
  queryReadOnly(sql: string, limits: QueryLimits): Promise<QueryResult>
}

/** Which server it is among all that the exporter asks. */
export interface ServerIdentity {
  /** Section of the option file. */
  readonly section: string
  /** `db1:3306`, `unix:///run/mysqld/mysqld.sock` */
  readonly address: string
}

export interface QueryLimits {
  /** Counted from the moment when the statement is sent. */
  readonly timeoutMs: number
  /** An answer with more rows is refused. */
  readonly rowsMax: number
}

/** One scraper of the original. It keeps nothing between scrapes, so that one serves all targets. */
export interface MysqlCollector {
  /** As in `--collect.NAME` and `collect[]=NAME`. */
  readonly name: string
  readonly defaultOn: boolean
  /** What `--help` says it reads. */
  readonly source: string
  /** Whether this server can have it at all; where not, nothing is said about it. Default: always. */
  isFor?(version: ServerVersion, server: ServerIdentity): boolean
  /** Writes what it finds; throws what went wrong. Families written before stay. */
  collect(session: MysqlSession, writer: MetricWriter): Promise<void>
}

export type CreateMysqlCollector = (flags: FlagReader) => MysqlCollector
