import { lookupHost } from '@narthex/http/host-lookup'
import type { Connection, FieldPacket, SslOptions } from 'mysql2'
import { readFile } from 'node:fs/promises'
import { connect, isIP, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { createAuthPlugins } from './auth-plugins.ts'
import { formatAddress, type ConnectionSettings, type TlsSettings } from './connection-settings.ts'
import { loadDriver } from './mysql-driver.ts'
import { guardPackets } from './packet-guard.ts'
import { QueryResult, type Row } from './query-result.ts'
import { parseServerVersion, type ServerVersion } from './server-version.ts'

/** Largest answer to one statement; a server that sends more loses the connection. */
export const answerBytesMax = 32 * 1024 * 1024

/** Most values in one answer, each of which is an object while the answer is read. */
export const answerCellsMax = 2_000_000

/** Longest time for taking leave. */
const closeMsMax = 1_000

/** What a connection sets for its session after the login; statements that the server does not know are left out by their error. */
export interface SessionOptions {
  /** Statements by server version; `optional` ones may fail. */
  statementsFor(version: ServerVersion): readonly { readonly sql: string; readonly isOptional: boolean }[]
  /** Default: `answerBytesMax`. */
  readonly bytesMax?: number
  /** Called with an optional statement that failed. */
  onRefused(sql: string, error: Error): void
}

/** One logged-in connection. Runs one statement at a time. */
export class MysqlConnection {
  readonly threadId: number
  #version: ServerVersion | undefined
  readonly #driver: Connection
  readonly #socket: Socket
  readonly #stream: Duplex
  readonly #bytesMax: number
  #answerBytes = 0
  #failure: Error | undefined
  #rejectPending: ((error: Error) => void) | undefined

  constructor(driver: Connection, socket: Socket, threadId: number, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#driver = driver
    this.#socket = socket
    this.threadId = threadId
    // After a login with TLS this is the stream inside of it, not the socket.
    const stream: unknown = 'stream' in driver ? driver.stream : undefined
    this.#stream = stream instanceof Duplex ? stream : socket
    this.#stream.on('data', (chunk: Uint8Array) => this.#countAnswer(chunk.length))
    this.#stream.on('close', () => this.#fail(new Error('connection lost: the server closed it')))
    driver.on('error', (error: Error) => this.#fail(error))
  }

  get isUsable(): boolean {
    return this.#failure === undefined
  }

  /** Known after `prepare`. */
  get version(): ServerVersion {
    if (this.#version === undefined) throw new Error('BUG: the version of a connection is read before it is known')
    return this.#version
  }

  /** Asks for the version and sets the session up. */
  async prepare(options: SessionOptions): Promise<void> {
    const { rows } = await this.query('SELECT @@version', 1)
    const cell = rows[0]?.[0]
    this.#version = parseServerVersion(Buffer.from(cell ?? []).toString('latin1'))
    for (const { sql, isOptional } of options.statementsFor(this.#version)) {
      try {
        await this.query(sql)
      } catch (error) {
        if (!isOptional || !this.isUsable) throw error
        options.onRefused(sql, error as Error)
      }
    }
  }

  /**
   * Runs a statement of the text protocol. Rejects with the server's error, when the connection ends, and for an answer with more than
   * `rowsMax` rows, which ends the connection too.
   */
  query(sql: string, rowsMax = Infinity): Promise<QueryResult> {
    return this.#run((resolve, reject) => {
      let columns: string[] = []
      let cellsLeft = answerCellsMax
      const rows: Row[] = []
      // Row by row, so that an answer without end is noticed before its end.
      const running = this.#driver.query({ sql, rowsAsArray: true, typeCast: false })
      running.on('fields', (fields: readonly FieldPacket[] | undefined) => {
        columns = (fields ?? []).map(({ name }) => name)
      })
      running.on('result', (row: unknown) => {
        // Without a result set (`SET …`) this is what the server says about the statement.
        if (columns.length === 0 || this.#failure !== undefined) return
        rows.push(row as Row)
        cellsLeft -= columns.length
        if (rows.length > rowsMax) this.#fail(new Error(`want an answer of at most ${rowsMax} rows, got more`))
        else if (cellsLeft < 0) this.#fail(new Error(`want an answer of at most ${answerCellsMax} values, got more`))
      })
      running.on('error', (error: Error) => reject(error))
      // Once the bytes that came with the end are counted too.
      running.on('end', () => process.nextTick(() => resolve(new QueryResult(columns, rows))))
    })
  }

  ping(): Promise<void> {
    return this.#run((resolve, reject) => this.#driver.ping((error) => (error ? reject(error) : resolve())))
  }

  /** Ends the connection at once; a statement that runs is rejected. */
  destroy(reason = new Error('connection was given up')): void {
    this.#fail(reason)
  }

  /** Takes leave of the server, which counts a client that does not as aborted. For a connection that runs no statement. */
  close(): void {
    if (this.#failure !== undefined) return
    this.#failure = new Error('connection is closed')
    const timer = setTimeout(() => this.#socket.destroy(), closeMsMax)
    // The server ends the connection when it has read the farewell; the driver's own callback comes before that is even sent.
    this.#socket.once('close', () => clearTimeout(timer))
    this.#driver.end()
  }

  #run<Value>(start: (resolve: (value: Value) => void, reject: (error: Error) => void) => void): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      this.#answerBytes = 0
      this.#rejectPending = reject
      start(
        (value) => {
          this.#rejectPending = undefined
          resolve(value)
        },
        (error) => {
          this.#rejectPending = undefined
          reject(error)
        },
      )
    })
  }

  #countAnswer(bytes: number): void {
    this.#answerBytes += bytes
    if (this.#answerBytes > this.#bytesMax) this.#fail(new Error(`want an answer of at most ${this.#bytesMax} bytes, got more`))
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#stream.destroy()
    this.#socket.destroy()
    this.#rejectPending?.(error)
    this.#rejectPending = undefined
  }
}

/**
 * Opens a connection and logs in. Rejects with one clear line after `timeoutMs` at the latest; no error holds the password. Host names are
 * resolved on every call.
 */
export async function openConnection(settings: ConnectionSettings, options: SessionOptions, timeoutMs: number): Promise<MysqlConnection> {
  const endMs = performance.now() + timeoutMs
  const { tls } = settings
  try {
    return await logIn(settings, options, tls === undefined ? undefined : await readTlsFiles(tls), endMs)
  } catch (error) {
    if (tls?.isRequired !== false || readCode(error) !== 'HANDSHAKE_NO_SSL_SUPPORT') throw error
    return logIn(settings, options, undefined, endMs)
  }
}

async function logIn(
  settings: ConnectionSettings,
  options: SessionOptions,
  tls: SslOptions | undefined,
  endMs: number,
): Promise<MysqlConnection> {
  const { address, cleartextAllowed, password, user } = settings
  const timeoutMs = Math.max(1, endMs - performance.now())
  const socket = openSocket(settings)
  const driver = loadDriver().createConnection({
    stream: () => socket,
    // The name that the certificate is checked against.
    host: settings.tls?.serverName ?? (address.kind === 'tcp' ? address.host : 'localhost'),
    // Tells the driver that a password on this socket cannot be overheard.
    ...(address.kind === 'unix' ? { socketPath: address.path } : {}),
    user,
    password: password.reveal(),
    connectTimeout: 0,
    // The one that every version has, and that literals mix with best.
    charset: 'UTF8MB4_GENERAL_CI',
    authPlugins: createAuthPlugins(password),
    enableCleartextPlugin: cleartextAllowed,
    // A server may ask for any file of the client when this is on.
    flags: ['-LOCAL_FILES'],
    connectAttributes: { program_name: 'narthex' },
    ...(tls === undefined ? {} : { ssl: tls }),
  })
  guardPackets(driver)
  const deadline = Promise.withResolvers<never>()
  const timer = setTimeout(() => deadline.reject(new Error(`no answer within ${Math.round(timeoutMs)} ms`)), timeoutMs)
  try {
    const threadId = await Promise.race([handshake(driver, socket), deadline.promise])
    const connection = new MysqlConnection(driver, socket, threadId, options.bytesMax ?? answerBytesMax)
    await Promise.race([connection.prepare(options), deadline.promise])
    return connection
  } catch (error) {
    socket.destroy()
    throw Object.assign(new Error(explain(error), { cause: error }), { code: readCode(error) })
  } finally {
    clearTimeout(timer)
  }
}

function openSocket({ address, tls }: ConnectionSettings): Socket {
  if (address.kind === 'unix') return connect({ path: address.path })
  const socket = connect({ host: address.host, port: address.port, lookup: lookupHost, noDelay: true, keepAlive: true })
  // A certificate for an IP address is checked against what node:tls finds here; without it, against "localhost".
  if (tls !== undefined && isIP(address.host) !== 0) Object.assign(socket, { _host: address.host })
  return socket
}

/** Resolves with the server's number of the connection. */
function handshake(driver: Connection, socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let receivedBytes = 0
    const count = (chunk: Uint8Array): void => {
      receivedBytes += chunk.length
      if (receivedBytes > handshakeBytesMax) reject(new Error(`want a handshake of at most ${handshakeBytesMax} bytes, got more`))
    }
    socket.on('data', count)
    // Stays: a driver without a listener would end the process. What fails after the login is heard by the connection's own one.
    driver.on('error', (error: Error) => reject(error))
    driver.once('connect', () => {
      socket.off('data', count)
      resolve(driver.threadId)
    })
  })
}

const handshakeBytesMax = 256 * 1024

async function readTlsFiles(tls: TlsSettings): Promise<SslOptions> {
  const [ca, cert, key] = await Promise.all([readPem(tls.caFile), readPem(tls.certFile), readPem(tls.keyFile)])
  return {
    rejectUnauthorized: tls.isVerified,
    verifyIdentity: tls.isVerified,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.versionMin === undefined ? {} : { minVersion: tls.versionMin }),
    ...(tls.versionMax === undefined ? {} : { maxVersion: tls.versionMax }),
  }
}

async function readPem(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : readFile(path, 'utf8')
}

function readCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** One line; the errors of several addresses of one host are the last one's. */
function explain(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return explain(error.errors.at(-1))
  if (!(error instanceof Error)) return String(error)
  const plugin = /unknown plugin (\w+)/.exec(error.message)?.[1]
  if (plugin !== undefined) return `the server wants authentication plugin ${plugin}, which is not built yet`
  if (readCode(error) === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED') return 'the server wants the password as clear text, which is not allowed'
  return error.message === '' ? (readCode(error) ?? error.name) : error.message
}

/** A statement in the list of running ones, so that it alone is stopped. */
export async function killStatement(settings: ConnectionSettings, threadId: number, sql: string, timeoutMs: number): Promise<void> {
  const connection = await openConnection(settings, { statementsFor: () => [], onRefused: () => {} }, timeoutMs)
  try {
    // Behind a load balancer the number may belong to another server's connection: only our own statement is ended.
    const { rows } = await connection.query(`SELECT INFO FROM information_schema.processlist WHERE ID = ${threadId}`)
    const running = Buffer.from(rows[0]?.[0] ?? []).toString('utf8')
    if (running.trim() === sql.trim()) await connection.query(`KILL QUERY ${threadId}`)
  } finally {
    connection.close()
  }
}

/** For messages: `db1:3306`. */
export function describeServer(settings: ConnectionSettings): string {
  return formatAddress(settings.address)
}
