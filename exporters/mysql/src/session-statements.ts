import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { parseDuration } from '@narthex/model/duration'
import { isMariadbAtLeast, isMysqlAtLeast, type ServerVersion } from './server-version.ts'

export const sessionFlags: readonly FlagSpec[] = [
  {
    name: 'exporter.lock_wait_timeout',
    type: 'number',
    default: 2,
    help: 'Set a lock_wait_timeout (in seconds) on the connection to avoid long metadata locking.',
  },
  {
    name: 'exporter.enable_lock_wait_timeout',
    type: 'boolean',
    default: true,
    help: 'Set the lock_wait_timeout of --exporter.lock_wait_timeout on the connection.',
  },
  {
    name: 'exporter.log_slow_filter',
    type: 'boolean',
    default: false,
    help: 'Add a log_slow_filter to avoid slow query logging of scrapes. NOTE: Not supported by Oracle MySQL.',
  },
  {
    name: 'exporter.query_timeout',
    type: 'string',
    default: '60s',
    help: 'Time after which the server itself ends a statement of a scrape (a duration, or a number of seconds); 0 for never.',
  },
  { name: 'exporter.max_open_connections', type: 'number', default: 2, help: 'Most connections to one server at a time.' },
]

export interface SessionStatement {
  readonly sql: string
  readonly isOptional: boolean
}

/** Makes the server refuse whatever changes tables; each statement is a transaction of its own. */
export const readOnlyStatement: SessionStatement = { sql: 'SET SESSION TRANSACTION READ ONLY', isOptional: false }

/** What is set on every connection, by flags and version. Throws for flag values that cannot be used. */
export function createSessionStatements(flags: FlagReader): (version: ServerVersion) => readonly SessionStatement[] {
  const lockWaitSeconds = flags.number('exporter.lock_wait_timeout')
  if (!Number.isInteger(lockWaitSeconds) || lockWaitSeconds < 1) {
    throw new Error(`cannot read flag --exporter.lock_wait_timeout: want whole seconds from 1, got ${lockWaitSeconds}`)
  }
  const setsLockWait = flags.boolean('exporter.enable_lock_wait_timeout')
  const filtersSlowLog = flags.boolean('exporter.log_slow_filter')
  const queryTimeoutMs = readQueryTimeoutMs(flags.string('exporter.query_timeout'))

  return (version) => {
    const statements: SessionStatement[] = []
    if (setsLockWait) statements.push({ sql: `SET SESSION lock_wait_timeout = ${lockWaitSeconds}`, isOptional: false })
    if (filtersSlowLog) {
      statements.push({ sql: `SET SESSION log_slow_filter = 'tmp_table_on_disk,filesort_on_disk'`, isOptional: true })
    }
    // A statement whose connection is gone runs on in the server: this is what ends it there.
    if (queryTimeoutMs > 0 && isMariadbAtLeast(version, 10, 1)) {
      statements.push({ sql: `SET SESSION max_statement_time = ${queryTimeoutMs / 1000}`, isOptional: true })
    }
    if (queryTimeoutMs > 0 && isMysqlAtLeast(version, 5, 7, 8)) {
      statements.push({ sql: `SET SESSION max_execution_time = ${Math.ceil(queryTimeoutMs)}`, isOptional: true })
    }
    return statements
  }
}

function readQueryTimeoutMs(text: string): number {
  try {
    return /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text)
  } catch (error) {
    throw new Error(`cannot read flag --exporter.query_timeout: want a duration, got ${JSON.stringify(text)}`, { cause: error })
  }
}
