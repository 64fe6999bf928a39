import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ConnectionPool, type PooledConnection } from './connection-pool.ts'
import { QueryResult } from './query-result.ts'

class FakeConnection implements PooledConnection {
  isUsable = true
  isClosed = false
  pings = 0
  pingFails = false
  readonly running: { readonly sql: string; end(error?: Error): void }[] = []

  query(sql: string): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      this.running.push({ sql, end: (error) => (error === undefined ? resolve(new QueryResult([], [])) : reject(error)) })
    })
  }

  ping(): Promise<void> {
    this.pings++
    return this.pingFails ? Promise.reject(new Error('gone')) : Promise.resolve()
  }

  destroy(reason = new Error('destroyed')): void {
    this.isUsable = false
    for (const { end } of this.running) end(reason)
  }

  close(): void {
    this.isUsable = false
    this.isClosed = true
  }
}

let opened: FakeConnection[]
let cancelled: string[]
let openFails: Error | undefined

beforeEach(() => {
  vi.useFakeTimers()
  opened = []
  cancelled = []
  openFails = undefined
})
afterEach(() => {
  vi.useRealTimers()
})

function createPool(connectionsMax = 2): ConnectionPool<FakeConnection> {
  return new ConnectionPool({
    connectionsMax,
    growAfterMs: 100,
    cancelMs: 2_000,
    open: () => {
      if (openFails !== undefined) return Promise.reject(openFails)
      const connection = new FakeConnection()
      opened.push(connection)
      return Promise.resolve(connection)
    },
    cancel: (_connection, sql) => {
      cancelled.push(sql)
      return Promise.resolve()
    },
  })
}

const never = new AbortController().signal
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)
const sqlOf = (index: number): string[] => opened[index]!.running.map(({ sql }) => sql)

test('quick statements share one connection, in their order', async () => {
  const pool = createPool()
  const results = ['a', 'b', 'c'].map((sql) => pool.query(sql, never))
  for (let i = 0; i < 3; i++) {
    await settle()
    opened[0]!.running.at(-1)!.end()
  }
  await Promise.all(results)
  expect(sqlOf(0)).toEqual(['a', 'b', 'c'])
  expect(opened).toHaveLength(1)
})

test('a statement that waits for long gets a connection of its own, up to the most, and only one is kept', async () => {
  const pool = createPool()
  const results = ['a', 'b', 'c'].map((sql) => pool.query(sql, never))
  await vi.advanceTimersByTimeAsync(99)
  expect(opened).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(opened).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(opened).toHaveLength(2)
  expect([sqlOf(0), sqlOf(1)]).toEqual([['a'], ['b']])
  opened[0]!.running[0]!.end()
  await settle()
  expect(sqlOf(0)).toEqual(['a', 'c'])
  opened[0]!.running[1]!.end()
  opened[1]!.running[0]!.end()
  await Promise.all(results)
  expect(opened.filter(({ isClosed }) => isClosed)).toHaveLength(1)
  expect(pool.size).toBe(1)
})

test('at the deadline a statement is cancelled, and its connection is used again when it ends', async () => {
  const pool = createPool()
  const abort = new AbortController()
  const result = pool.query('slow', abort.signal)
  await settle()
  abort.abort()
  expect(cancelled).toEqual(['slow'])
  opened[0]!.running[0]!.end(new Error('interrupted'))
  await expect(result).rejects.toThrow('interrupted')
  await vi.advanceTimersByTimeAsync(5_000)
  expect(opened[0]!.isUsable).toBe(true)
  expect(pool.size).toBe(1)
})

test('the time of a statement counts from when it is sent, and a value that comes after it is none', async () => {
  const pool = createPool(1)
  const first = pool.query('first', never)
  const second = pool.query('second', never, { timeoutMs: 50, rowsMax: 1 })
  second.catch(() => {})
  await vi.advanceTimersByTimeAsync(1_000)
  expect(cancelled).toEqual([])
  opened[0]!.running[0]!.end()
  await first
  await vi.advanceTimersByTimeAsync(49)
  expect(cancelled).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(cancelled).toEqual(['second'])
  opened[0]!.running[1]!.end()
  await expect(second).rejects.toThrow('want an answer within 50 ms, got none')
  expect(opened[0]!.isUsable).toBe(true)
})

test('a cancelled statement that does not end costs its connection', async () => {
  const pool = createPool()
  const abort = new AbortController()
  const result = pool.query('stuck', abort.signal)
  result.catch(() => {})
  await settle()
  abort.abort()
  await vi.advanceTimersByTimeAsync(1_999)
  expect(opened[0]!.isUsable).toBe(true)
  await vi.advanceTimersByTimeAsync(1)
  await expect(result).rejects.toThrow('statement did not end after its deadline')
  expect(pool.size).toBe(0)
})

test('a lost connection is replaced for those that wait, while another one is still busy', async () => {
  const pool = createPool()
  const results = ['a', 'b', 'c'].map((sql) => pool.query(sql, never))
  await vi.advanceTimersByTimeAsync(100)
  expect(opened).toHaveLength(2)
  opened[1]!.destroy(new Error('lost'))
  await expect(results[1]).rejects.toThrow('lost')
  await settle()
  expect(sqlOf(2)).toEqual(['c'])
  for (const index of [0, 2]) opened[index]!.running[0]!.end()
  await Promise.all([results[0], results[2]])
})

test('one that still waits at the deadline leaves the queue', async () => {
  const pool = createPool(1)
  const first = pool.query('first', never)
  const abort = new AbortController()
  const second = pool.query('second', abort.signal)
  await settle()
  abort.abort()
  await expect(second).rejects.toThrow('no connection within the time of the scrape')
  opened[0]!.running[0]!.end()
  await first
  expect(sqlOf(0)).toEqual(['first'])
  await expect(pool.query('third', abort.signal)).rejects.toThrow('no connection within')
})

test('when no connection can be opened, all that wait hear why; the next one tries again', async () => {
  const pool = createPool()
  openFails = new Error('refused')
  const results = await Promise.allSettled([pool.query('a', never), pool.query('b', never)])
  expect(results.map((result) => result.status === 'rejected' && (result.reason as Error).message)).toEqual(['refused', 'refused'])
  openFails = undefined
  const again = pool.query('c', never)
  await settle()
  opened[0]!.running[0]!.end()
  await again
})

test('check pings a kept connection and replaces one that does not answer', async () => {
  const pool = createPool()
  const used: FakeConnection[] = []
  const use = (connection: FakeConnection): void => void used.push(connection)
  await pool.check(never, use)
  expect(opened[0]!.pings).toBe(0)
  await pool.check(never, use)
  expect(opened[0]!.pings).toBe(1)
  opened[0]!.pingFails = true
  await pool.check(never, use)
  expect(used).toEqual([opened[0], opened[0], opened[1]])
  expect(opened[0]!.isUsable).toBe(false)
  expect(pool.size).toBe(1)
})

test('close ends what runs and what waits, and takes nothing more', async () => {
  const pool = createPool(1)
  const results = [pool.query('a', never), pool.query('b', never)]
  await settle()
  pool.close()
  for (const result of await Promise.allSettled(results)) expect(result.status).toBe('rejected')
  await expect(pool.query('c', never)).rejects.toThrow('connection pool is closed')
  expect(pool.size).toBe(0)
})
