import type { QueryLimits } from './mysql-collector.ts'
import type { QueryResult } from './query-result.ts'

/** What the pool needs of a connection. */
export interface PooledConnection {
  readonly isUsable: boolean
  query(sql: string, rowsMax?: number): Promise<QueryResult>
  ping(): Promise<void>
  destroy(reason?: Error): void
  /** As `destroy`, politely; for one that runs no statement. */
  close(): void
}

export interface PoolOptions<Connection extends PooledConnection> {
  readonly open: () => Promise<Connection>
  /** Asks the server to end a statement; may fail. */
  readonly cancel: (connection: Connection, sql: string) => Promise<void>
  readonly connectionsMax: number
  /** How long a statement waits for a connection that is open before another one is opened. */
  readonly growAfterMs?: number
  /** How long a cancelled statement may take to end before its connection is thrown away. */
  readonly cancelMs?: number
}

interface Waiter<Connection> {
  readonly resolve: (connection: Connection) => void
  readonly reject: (error: Error) => void
}

/**
 * The connections to one server: one is kept open, further ones (up to `connectionsMax`) are opened when statements take their time and
 * closed when nobody waits any more. Statements run in the order in which they come.
 */
export class ConnectionPool<Connection extends PooledConnection> {
  readonly #options: PoolOptions<Connection>
  readonly #growAfterMs: number
  readonly #cancelMs: number
  readonly #open = new Set<Connection>()
  readonly #waiters: Waiter<Connection>[] = []
  #idle: Connection | undefined
  #opening = 0
  #isClosed = false

  constructor(options: PoolOptions<Connection>) {
    this.#options = options
    this.#growAfterMs = options.growAfterMs ?? 100
    this.#cancelMs = options.cancelMs ?? 2_000
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#open.size + this.#opening
  }

  /** Makes sure that the server answers, over the kept connection or a new one, and hands the connection that answered to `use`. */
  async check(signal: AbortSignal, use: (connection: Connection) => void): Promise<void> {
    const kept = this.#idle
    const connection = await this.#acquire(signal)
    if (connection === kept) {
      try {
        await untilAborted(connection.ping(), signal)
      } catch {
        // The server was restarted, or closed a connection that was idle for too long; one that does not answer is not used again either.
        connection.destroy()
        this.#release(connection)
        if (signal.aborted) throw abortError()
        return this.check(signal, use)
      }
    }
    use(connection)
    this.#release(connection)
  }

  /**
   * Runs one statement. When the signal aborts, the server is asked to end it; the promise settles only when it has ended or its
   * connection is gone, so that whoever waits for it knows how long it holds on. So it is when the time of `limits` is over.
   */
  async query(sql: string, signal: AbortSignal, limits?: QueryLimits): Promise<QueryResult> {
    const connection = await this.#acquire(signal)
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    const cancel = (): void => {
      if (timer !== undefined) return
      timer = setTimeout(() => connection.destroy(new Error('statement did not end after its deadline')), this.#cancelMs)
      this.#options.cancel(connection, sql).catch(() => {})
    }
    const timeout =
      limits &&
      setTimeout(() => {
        isLate = true
        cancel()
      }, limits.timeoutMs)
    signal.addEventListener('abort', cancel, { once: true })
    const late = (cause?: unknown): Error => new Error(`want an answer within ${limits?.timeoutMs} ms, got none`, { cause })
    try {
      const result = await connection.query(sql, limits?.rowsMax)
      // Some functions give a value when they are interrupted (MySQL's SLEEP).
      if (isLate) throw late()
      return result
    } catch (error) {
      throw isLate ? late(error) : error
    } finally {
      signal.removeEventListener('abort', cancel)
      clearTimeout(timeout)
      clearTimeout(timer)
      this.#release(connection)
    }
  }

  close(): void {
    this.#isClosed = true
    const error = new Error('connection pool is closed')
    this.#idle?.close()
    for (const connection of this.#open) if (connection !== this.#idle) connection.destroy(error)
    this.#open.clear()
    this.#idle = undefined
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }

  #acquire(signal: AbortSignal): Promise<Connection> {
    if (this.#isClosed) return Promise.reject(new Error('connection pool is closed'))
    if (signal.aborted) return Promise.reject(abortError())
    const idle = this.#takeIdle()
    if (idle !== undefined) return Promise.resolve(idle)
    return new Promise((resolve, reject) => {
      const grow = setTimeout(() => this.#grow(), this.#growAfterMs)
      const settle = (): void => {
        clearTimeout(grow)
        signal.removeEventListener('abort', abort)
      }
      const waiter: Waiter<Connection> = {
        resolve: (connection) => {
          settle()
          resolve(connection)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      const abort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        waiter.reject(abortError())
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiters.push(waiter)
      if (this.size === 0) this.#grow()
    })
  }

  #takeIdle(): Connection | undefined {
    const idle = this.#idle
    this.#idle = undefined
    if (idle === undefined || idle.isUsable) return idle
    this.#open.delete(idle)
    return undefined
  }

  #grow(): void {
    if (this.#isClosed || this.#waiters.length === 0 || this.size >= this.#options.connectionsMax) return
    this.#opening++
    this.#options.open().then(
      (connection) => {
        this.#opening--
        if (this.#isClosed) return connection.close()
        this.#open.add(connection)
        this.#hand(connection)
      },
      (error: unknown) => {
        this.#opening--
        const reason = error instanceof Error ? error : new Error(String(error))
        // While others are open, the waiting ones get those; else nobody has anything to wait for.
        if (this.size === 0) for (const waiter of this.#waiters.splice(0)) waiter.reject(reason)
      },
    )
  }

  #release(connection: Connection): void {
    if (!this.#open.has(connection)) return
    if (connection.isUsable) return this.#hand(connection)
    this.#open.delete(connection)
    this.#grow()
  }

  #hand(connection: Connection): void {
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) return waiter.resolve(connection)
    if (this.#idle === undefined) {
      this.#idle = connection
      return
    }
    this.#open.delete(connection)
    connection.close()
  }
}

function abortError(): Error {
  return new Error('no connection within the time of the scrape')
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(abortError())
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
