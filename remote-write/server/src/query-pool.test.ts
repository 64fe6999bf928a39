import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EncodedReply } from './query-job.ts'
import { QueryPool, type QueryPoolOptions } from './query-pool.ts'
import type { QueryCall, QueryReply, QueryRequest } from './query-protocol.ts'

const graceMs = 2_000
const idleMs = 60_000

/** A thread that answers when the test says so. */
class FakeWorker extends EventEmitter {
  readonly threadId: number
  readonly calls: QueryCall[] = []
  isReleased = false
  isTerminated = false

  constructor(threadId: number) {
    super()
    this.threadId = threadId
  }

  postMessage(call: QueryCall): void {
    this.calls.push(call)
  }

  terminate(): Promise<number> {
    if (this.isTerminated) return Promise.resolve(1)
    this.isTerminated = true
    return new Promise((resolve) => {
      setImmediate(() => {
        this.emit('exit', 1)
        resolve(1)
      })
    })
  }

  get call(): QueryCall {
    return this.calls.at(-1)!
  }

  get isCanceled(): boolean {
    return new Int32Array(this.call.cancel)[0] === 1
  }

  reply(reply: Answer = ok): void {
    this.emit('message', { id: this.call.id, ...reply })
  }
}

type Answer = Omit<Extract<QueryReply, { status: number }>, 'id'> | Omit<Extract<QueryReply, { failure: unknown }>, 'id'>

const ok = { status: 200, body: new Uint8Array([1]) }
const request: QueryRequest = { kind: 'headStatistics', limit: 1 }

function createPool(overrides: Partial<QueryPoolOptions> = {}) {
  const workers: FakeWorker[] = []
  const warnings: string[] = []
  const pool = new QueryPool({
    startWorker() {
      const worker = new FakeWorker(workers.length + 1)
      workers.push(worker)
      return {
        worker: worker as unknown as Worker,
        release: () => {
          worker.isReleased = true
        },
      }
    },
    workersMax: 1,
    queueMax: 2,
    graceMs,
    idleMs,
    listBlocks: () => [],
    log: { warn: (message, fields) => warnings.push(`${message}: ${String(fields?.['err'])}`) },
    ...overrides,
  })
  return { pool, workers, warnings }
}

const settle = () => vi.advanceTimersByTimeAsync(1)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('QueryPool', () => {
  test('gives a query to a thread and resolves with its answer', async () => {
    const { pool, workers } = createPool()
    const answer = pool.run(request, 1_000)
    expect(pool.activeQueries).toBe(1)
    workers[0]!.reply()
    expect(await answer).toEqual(ok)
    expect(pool.activeQueries).toBe(0)
    expect(vi.getTimerCount()).toBe(1) // the idle timer alone
  })

  test('gives the memory of a large answer back to its thread, as long as that is there', async () => {
    const { pool, workers } = createPool()
    const ask = async (bytes: number) => {
      const answer = pool.run(request, 1_000)
      const body = new Uint8Array(bytes)
      workers[0]!.reply({ status: 200, body })
      return { reply: (await answer) as EncodedReply, buffer: body.buffer }
    }
    expect((await ask(128 * 1024 - 1)).reply.giveBack).toBeUndefined()
    expect((await ask(8 * 1024 * 1024 + 1)).reply.giveBack).toBeUndefined()
    const { reply, buffer } = await ask(128 * 1024)
    reply.giveBack!()
    expect(workers[0]!.calls.at(-1)).toEqual({ returned: buffer })
    const last = await ask(4 * 1024 * 1024)
    const calls = workers[0]!.calls.length
    workers[0]!.emit('exit', 1)
    last.reply.giveBack!()
    expect(workers[0]!.calls).toHaveLength(calls)
  })

  test('hands on parts, and the thread hears of those that were taken', async () => {
    const { pool, workers } = createPool()
    const parts: [string, () => void][] = []
    const answer = pool.run(request, 1_000, undefined, (part, onTaken) => void parts.push([Buffer.from(part).toString(), onTaken]))
    const { id, flow } = workers[0]!.call
    const cell = new Int32Array(flow!)
    Atomics.add(cell, 0, 3)
    workers[0]!.emit('message', { id, part: Buffer.from('abc') })
    workers[0]!.emit('message', { id: id + 1, part: Buffer.from('of nobody') })
    expect(parts.map(([text]) => text)).toEqual(['abc'])
    expect(pool.activeQueries).toBe(1)
    parts[0]![1]()
    expect(cell[0]).toBe(0)
    workers[0]!.emit('message', { id, isSent: true })
    expect(await answer).toBeUndefined()
    expect(pool.activeQueries).toBe(0)
  })

  test('tells when the queries that ran at a moment have ended, whatever came since', async () => {
    const { pool, workers } = createPool({ workersMax: 2, queueMax: 10 })
    await pool.runningEnded()
    const answers = [0, 1, 2].map(() => pool.run(request, 1_000))
    let hasEnded = false
    const ended = pool.runningEnded().then(() => (hasEnded = true))
    workers[0]!.reply()
    await settle()
    // The third query has the first thread now.
    expect([hasEnded, pool.activeQueries]).toEqual([false, 2])
    workers[1]!.emit('exit', 1)
    await expect(answers[1]).rejects.toThrow('its worker thread ended')
    await ended
    expect(pool.activeQueries).toBe(1)
    workers[0]!.reply()
    await Promise.all([answers[0], answers[2]])
  })

  test('keeps one thread for queries that come one after the other', async () => {
    const { pool, workers } = createPool({ workersMax: 4 })
    for (let i = 0; i < 3; i++) {
      const answer = pool.run(request, 1_000)
      workers[0]!.reply()
      await answer
    }
    expect(workers.length).toBe(1)
  })

  test('starts threads up to the limit, then queries wait in their order', async () => {
    const { pool, workers } = createPool({ workersMax: 2, queueMax: 10 })
    const order: number[] = []
    const answers = [0, 1, 2, 3].map((i) => pool.run(request, 1_000).then(() => order.push(i)))
    expect(workers.length).toBe(2)
    workers[1]!.reply()
    workers[0]!.reply()
    await settle()
    workers[1]!.reply()
    workers[0]!.reply()
    await Promise.all(answers)
    expect(workers.length).toBe(2)
    expect(order).toEqual([1, 0, 2, 3])
  })

  test('a query whose block is gone is asked again with a list of now, three times at most', async () => {
    let lists = 0
    const { pool, workers } = createPool({ listBlocks: () => [{ directory: `list ${++lists}`, minTimeMs: 0, maxTimeMs: 1, deletions: 0 }] })
    const gone = { failure: { kind: 'gone', message: 'block is gone' } } as const
    const answered = pool.run(request, 1_000)
    workers[0]!.reply(gone)
    workers[0]!.reply(gone)
    expect(workers[0]!.call.blocks).toEqual([{ directory: 'list 3', minTimeMs: 0, maxTimeMs: 1, deletions: 0 }])
    workers[0]!.reply()
    expect(await answered).toEqual(ok)
    const failed = pool.run(request, 1_000)
    for (let i = 0; i < 3; i++) workers[0]!.reply(gone)
    await expect(failed).rejects.toMatchObject({ kind: 'execution', message: 'block is gone' })
  })

  test('a block that cannot be read is told once', async () => {
    const { pool, workers, warnings } = createPool()
    for (let i = 0; i < 2; i++) {
      const answered = pool.run(request, 1_000)
      workers[0]!.reply({ ...ok, brokenBlocks: [{ directory: '/data/A', reason: 'bad magic' }] })
      await answered
    }
    expect(warnings).toEqual(['A block cannot be read; queries are answered without it: bad magic'])
  })

  test('a failure of the engine rejects with its kind and text', async () => {
    const { pool, workers } = createPool()
    const answer = pool.run(request, 1_000)
    workers[0]!.reply({ failure: { kind: 'bad_data', message: 'no' } })
    await expect(answer).rejects.toMatchObject({ name: 'QueryFailure', kind: 'bad_data', message: 'no' })
  })

  test('the queue takes its last place and refuses the next query at once', async () => {
    const { pool, workers } = createPool({ queueMax: 2 })
    const running = pool.run(request, 1_000)
    const waiting = [pool.run(request, 1_000), pool.run(request, 1_000)]
    await expect(pool.run(request, 1_000)).rejects.toMatchObject({
      kind: 'timeout',
      message: 'cannot queue a query: 2 are waiting already, the limit',
    })
    for (let i = 0; i < 3; i++) {
      workers[0]!.reply()
      await settle()
    }
    await Promise.all([running, ...waiting])
  })
})

describe('a cancelled query', () => {
  test('leaves the queue at once', async () => {
    const { pool, workers } = createPool()
    const running = pool.run(request, 10_000)
    const abort = new AbortController()
    const waiting = pool.run(request, 10_000, abort.signal)
    abort.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'canceled', message: 'query was canceled in query queue' })
    workers[0]!.reply()
    await running
    expect(workers[0]!.calls.length).toBe(1)
  })

  test('is not begun when it was cancelled before', async () => {
    const { pool, workers } = createPool()
    await expect(pool.run(request, 1_000, AbortSignal.abort())).rejects.toMatchObject({ kind: 'canceled' })
    expect(workers.length).toBe(0)
  })

  test('that runs is told so, and its thread goes on to the next', async () => {
    const { pool, workers } = createPool()
    const abort = new AbortController()
    const answer = pool.run(request, 10_000, abort.signal)
    const next = pool.run(request, 10_000)
    expect(workers[0]!.isCanceled).toBe(false)
    abort.abort()
    expect(workers[0]!.isCanceled).toBe(true)
    workers[0]!.reply({ failure: { kind: 'canceled', message: 'query was canceled in expression evaluation' } })
    await expect(answer).rejects.toMatchObject({ kind: 'canceled' })
    expect(workers[0]!.isCanceled).toBe(false)
    workers[0]!.reply()
    await next
    expect(workers.length).toBe(1)
  })

  test('that does not stop loses its thread after half a second, and the next query gets a new one', async () => {
    const { pool, workers } = createPool()
    const abort = new AbortController()
    const answer = pool.run(request, 10_000, abort.signal)
    const outcome = expect(answer).rejects.toMatchObject({
      kind: 'canceled',
      message: 'query was canceled in expression evaluation',
    })
    const next = pool.run(request, 10_000)
    abort.abort()
    await vi.advanceTimersByTimeAsync(499)
    expect(workers[0]!.isTerminated).toBe(false)
    await vi.advanceTimersByTimeAsync(2)
    await outcome
    expect(workers[0]!.isTerminated).toBe(true)
    expect(workers.length).toBe(2)
    workers[1]!.reply()
    await next
  })

  test('that has ended is not touched by its signal any more', async () => {
    const { pool, workers } = createPool()
    const abort = new AbortController()
    const answer = pool.run(request, 10_000, abort.signal)
    workers[0]!.reply()
    await answer
    abort.abort()
    expect(workers[0]!.isCanceled).toBe(false)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(workers[0]!.isTerminated).toBe(false)
  })
})

describe('a query that takes too long', () => {
  test('fails in the queue at its deadline', async () => {
    const { pool, workers } = createPool()
    const running = pool.run(request, 10_000)
    const waiting = pool.run(request, 1_000)
    const outcome = expect(waiting).rejects.toMatchObject({ kind: 'timeout', message: 'query timed out in query queue' })
    await vi.advanceTimersByTimeAsync(1_000)
    await outcome
    workers[0]!.reply()
    await running
  })

  test('has until the grace after its deadline to say so itself; then its thread is ended', async () => {
    const { pool, workers } = createPool()
    const answer = pool.run(request, 1_000)
    const outcome = expect(answer).rejects.toMatchObject({ kind: 'timeout', message: 'query timed out in expression evaluation' })
    expect(workers[0]!.call.deadlineMs).toBe(Date.now() + 1_000)
    await vi.advanceTimersByTimeAsync(1_000 + graceMs - 1)
    expect(workers[0]!.isTerminated).toBe(false)
    await vi.advanceTimersByTimeAsync(2)
    await outcome
    expect(workers[0]!.isTerminated).toBe(true)
    expect(workers[0]!.isReleased).toBe(true)
  })

  test('is none of a day, whatever the longest time that a query may take', async () => {
    const { pool, workers } = createPool()
    const answer = pool.run(request, 30 * 24 * 3600 * 1000)
    await vi.advanceTimersByTimeAsync(24 * 3600 * 1000)
    workers[0]!.reply()
    await expect(answer).resolves.toBeDefined()
  })

  test('counts its time from when it was asked, not from when it left the queue', async () => {
    const { pool, workers } = createPool()
    const running = pool.run(request, 10_000)
    const waiting = pool.run(request, 1_000)
    const outcome = expect(waiting).rejects.toMatchObject({ kind: 'timeout', message: 'query timed out in expression evaluation' })
    await vi.advanceTimersByTimeAsync(900)
    workers[0]!.reply()
    await running
    await vi.advanceTimersByTimeAsync(100 + graceMs + 1)
    await outcome
  })

  test('and answers after it was given up is not heard, nor is its thread used', async () => {
    const { pool, workers } = createPool()
    const answer = pool.run(request, 1_000)
    const outcome = expect(answer).rejects.toMatchObject({ kind: 'timeout' })
    vi.advanceTimersByTime(1_000 + graceMs)
    await outcome
    workers[0]!.reply()
    void pool.run(request, 1_000).catch(() => {})
    expect(workers.length).toBe(2)
    expect(workers[0]!.calls.length).toBe(1)
  })
})

describe('a thread that ends unasked', () => {
  test('fails the query it was on and nothing else, and lets go of the head', async () => {
    const { pool, workers, warnings } = createPool({ workersMax: 2, queueMax: 10 })
    const hit = pool.run(request, 10_000)
    const outcome = expect(hit).rejects.toMatchObject({
      kind: 'internal',
      message: 'cannot finish the query: its worker thread ended: out of memory',
    })
    const others = [pool.run(request, 10_000), pool.run(request, 10_000)]
    workers[0]!.emit('error', new Error('out of memory'))
    workers[0]!.emit('exit', 1)
    await outcome
    expect(workers[0]!.isReleased).toBe(true)
    expect(workers[1]!.isReleased).toBe(false)
    expect(warnings).toEqual(['query worker failed: out of memory'])
    // The one that waited got a new thread.
    expect(workers.length).toBe(3)
    workers[1]!.reply()
    workers[2]!.reply()
    await Promise.all(others)
  })

  test('while idle harms nobody', async () => {
    const { pool, workers } = createPool()
    const first = pool.run(request, 1_000)
    workers[0]!.reply()
    await first
    workers[0]!.emit('exit', 1)
    expect(workers[0]!.isReleased).toBe(true)
    expect(pool.threadIds).toEqual([])
    const second = pool.run(request, 1_000)
    workers[1]!.reply()
    await second
  })

  test('is logged with the first line of its stack when its error has no message', async () => {
    const { pool, workers, warnings } = createPool()
    const answer = pool.run(request, 1_000).catch(() => {})
    const error = new Error('')
    error.stack = 'DataCloneError: cannot transfer\n    at somewhere'
    workers[0]!.emit('error', error)
    workers[0]!.emit('exit', 1)
    await answer
    expect(warnings).toEqual(['query worker failed: DataCloneError: cannot transfer'])
  })

  test('because its answer could not be read fails its query', async () => {
    const { pool, workers } = createPool()
    const outcome = expect(pool.run(request, 1_000)).rejects.toMatchObject({ kind: 'internal' })
    workers[0]!.emit('messageerror', new Error('cannot read'))
    await settle()
    await outcome
  })
})

describe('a thread that retires', () => {
  test('gives its answer, and the next query gets a new one', async () => {
    const { pool, workers } = createPool()
    const first = pool.run(request, 1_000)
    const second = pool.run(request, 1_000)
    workers[0]!.reply({ ...ok, retires: true })
    expect(await first).toEqual(ok)
    expect(workers[0]!.isTerminated).toBe(true)
    expect(workers[0]!.calls.length).toBe(1)
    workers[1]!.reply()
    await second
  })
})

describe('a thread that cannot be started', () => {
  test('fails the query when there is no other thread', async () => {
    const { pool, warnings } = createPool({
      startWorker: () => {
        throw new Error('no readers left')
      },
    })
    await expect(pool.run(request, 1_000)).rejects.toMatchObject({
      kind: 'internal',
      message: 'cannot start a query worker: no readers left',
    })
    expect(warnings).toEqual(['cannot start a query worker: no readers left'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is told, and no matter, before there is a query', () => {
    const { pool, warnings } = createPool({
      startWorker: () => {
        throw new Error('no readers left')
      },
    })
    pool.warmUp()
    expect(warnings).toEqual(['cannot start a query worker: no readers left'])
    expect(pool.threadIds).toEqual([])
  })

  test('leaves the query to the threads that run', async () => {
    const worker = new FakeWorker(1)
    let started = 0
    const { pool } = createPool({
      workersMax: 2,
      startWorker: () => {
        if (started++ > 0) throw new Error('no readers left')
        return { worker: worker as unknown as Worker, release: () => {} }
      },
    })
    const answers = [pool.run(request, 1_000), pool.run(request, 1_000)]
    worker.reply()
    await answers[0]
    worker.reply()
    await answers[1]
  })
})

describe('an idle thread', () => {
  test('can be there before the first query for each part of it, one after the other', async () => {
    const { pool, workers } = createPool({ workersMax: 4, threadsPerQuery: 3 })
    pool.warmUp()
    pool.warmUp()
    expect(workers.length).toBe(1)
    for (const count of [2, 3, 3]) {
      await vi.advanceTimersByTimeAsync(1000)
      expect(workers.length).toBe(count)
    }
  })

  test('that warms up is told how many queries run, whichever threads have them', async () => {
    const running = new SharedArrayBuffer(4)
    const { pool, workers } = createPool({ workersMax: 2, threadsPerQuery: 2, running })
    pool.warmUp()
    expect(workers[0]!.call).toEqual({ running, blocks: [], deletions: undefined })
    const count = () => new Int32Array(running)[0]
    const [first, second] = [pool.run(request, 1_000), pool.run(request, 1_000)]
    expect(count()).toBe(2)
    workers[0]!.reply()
    await first
    expect(count()).toBe(1)
    const failed = expect(second).rejects.toMatchObject({ kind: 'internal' })
    workers[1]!.emit('exit', 1)
    await failed
    expect(count()).toBe(0)
  })

  test('can be there before the first query, which it gets, and ends after its time without one', async () => {
    const { pool, workers } = createPool()
    pool.warmUp()
    pool.warmUp()
    expect(workers.length).toBe(1)
    await vi.advanceTimersByTimeAsync(idleMs - 1)
    const answer = pool.run(request, 10 * idleMs)
    await vi.advanceTimersByTimeAsync(idleMs - 1)
    expect(workers[0]!.isTerminated).toBe(false)
    workers[0]!.reply()
    await answer
    await vi.advanceTimersByTimeAsync(idleMs + 1)
    expect(workers[0]!.isReleased).toBe(true)
    expect(workers.length).toBe(1)
  })

  test('ends after its time and gives its reader back', async () => {
    const { pool, workers } = createPool()
    const answer = pool.run(request, 1_000)
    workers[0]!.reply()
    await answer
    await vi.advanceTimersByTimeAsync(idleMs - 1)
    expect(workers[0]!.isTerminated).toBe(false)
    await vi.advanceTimersByTimeAsync(2)
    expect(workers[0]!.isReleased).toBe(true)
    expect(pool.threadIds).toEqual([])
  })

  test('that gets a query in time stays', async () => {
    const { pool, workers } = createPool()
    const first = pool.run(request, 1_000)
    workers[0]!.reply()
    await first
    await vi.advanceTimersByTimeAsync(idleMs - 1)
    const second = pool.run(request, 10 * idleMs)
    await vi.advanceTimersByTimeAsync(idleMs)
    expect(workers[0]!.isTerminated).toBe(false)
    workers[0]!.reply()
    await second
  })
})

describe('a pool that closes', () => {
  test('fails what waits and what runs, ends every thread and refuses from then on', async () => {
    const { pool, workers } = createPool({ workersMax: 2, queueMax: 10 })
    const stopping = { kind: 'canceled', message: 'query was canceled: the server is stopping' }
    const outcomes = [1, 2, 3].map(() => expect(pool.run(request, 1_000)).rejects.toMatchObject(stopping))
    const closed = pool.close()
    await settle()
    await closed
    await Promise.all(outcomes)
    expect(workers.map((worker) => worker.isReleased)).toEqual([true, true])
    await expect(pool.run(request, 1_000)).rejects.toMatchObject(stopping)
    expect(workers.length).toBe(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('queries of several clients', () => {
  const from = (clientAddress: string) => ({ kind: 'http', clientAddress, method: 'GET', path: '/' }) as const
  const query = (name: string): QueryRequest => ({ kind: 'vector', query: name, timeMs: 0 })
  const asked = ({ request: taken }: QueryCall) => ('limit' in taken ? String(taken.limit) : 'query' in taken ? taken.query : '')

  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('take turns, and those of rules come first', async () => {
    const { pool, workers } = createPool({ workersMax: 2, queueMax: 10 })
    const run = (limit: number, client: string) =>
      pool.run({ kind: 'headStatistics', limit }, 1000, undefined, undefined, from(client)).catch(() => {})
    for (const limit of [1, 2, 3, 4]) void run(limit, 'a')
    void run(5, 'b')
    void pool.run(query('rule'), 1000, undefined, undefined, { kind: 'rules', group: undefined }).catch(() => {})
    workers[0]!.reply()
    await settle()
    expect(asked(workers[0]!.call)).toBe('rule')
    workers[0]!.reply()
    await settle()
    // One of a is running still.
    expect(asked(workers[0]!.call)).toBe('5')
    workers[0]!.reply()
    await settle()
    expect(asked(workers[0]!.call)).toBe('3')
  })

  test('are listed with who asks, and told of when they end', async () => {
    const ended: unknown[] = []
    const { pool, workers } = createPool({ onEnd: ({ queuedMs, totalMs, failure }) => ended.push([queuedMs, totalMs, failure?.kind]) })
    const first = pool.run(request, 1000, undefined, undefined, from('a'))
    const second = pool.run(request, 1000, undefined, undefined, from('b'))
    expect(pool.active().map(({ id, origin, startedMs }) => [id, origin, startedMs !== undefined])).toEqual([
      [1, from('a'), true],
      [2, from('b'), false],
    ])
    await vi.advanceTimersByTimeAsync(100)
    workers[0]!.reply()
    await first
    await vi.advanceTimersByTimeAsync(50)
    workers[0]!.reply({ failure: { kind: 'execution', message: 'too much' } })
    await expect(second).rejects.toThrow('too much')
    expect(ended).toEqual([
      [0, 100, undefined],
      [100, 150, 'execution'],
    ])
    expect(pool.active()).toEqual([])
  })

  test('can be cancelled by their number, waiting or running', async () => {
    const { pool, workers } = createPool()
    const running = pool.run(request, 10_000)
    const waiting = pool.run(request, 10_000)
    const failures = Promise.allSettled([running, waiting])
    expect([pool.cancel(2), pool.cancel(1), pool.cancel(3)]).toEqual([true, true, false])
    expect(workers[0]!.isCanceled).toBe(true)
    await vi.advanceTimersByTimeAsync(600)
    const reasons = (await failures).map((result) => (result.status === 'rejected' ? (result.reason as { kind: string }).kind : ''))
    expect(reasons).toEqual(['canceled', 'canceled'])
  })
})
