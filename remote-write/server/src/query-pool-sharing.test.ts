import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ShelvedBlock } from '@narthex/tsdb/select/block-shelf'
import type { QueryRequest } from './query-protocol.ts'
import { createFakePool } from './testing/fake-query-thread.ts'

const range: QueryRequest = {
  ...{ kind: 'range', query: 'rate(a[5m])', startMs: 0, endMs: 3_600_000, stepMs: 15_000 },
  ...{ lookbackMs: undefined, limit: 0, stats: '', explain: '' },
}
const measures = {
  ...{ preparationMs: 0, evaluationMs: 100, totalQueryableSamples: 0 },
  samplesRead: 0,
  peakSamples: 0,
  peakBytes: 0,
  series: 1,
}
const timeoutMs = 10_000

/** Two threads that have nothing to do; the second one has rehearsed. */
async function createIdlePool(overrides: Parameters<typeof createFakePool>[0] = {}) {
  const { pool, threads } = createFakePool({ threadsPerQuery: 2, ...overrides })
  const answer = pool.run(range, timeoutMs)
  threads[0]!.reply({ measures })
  await answer
  await vi.advanceTimersByTimeAsync(1000)
  threads[1]!.reply()
  return { pool, threads }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a range query', () => {
  it('is evaluated by its thread alone at first; then another one is started, and rehearses its part', async () => {
    const { pool, threads } = createFakePool({ threadsPerQuery: 2 })
    const first = pool.run(range, timeoutMs)
    await vi.advanceTimersByTimeAsync(999)
    expect(threads).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(threads).toHaveLength(2)
    expect(threads.map(({ call }) => call?.share)).toEqual([undefined, undefined])
    threads[0]!.reply({ measures })
    await first
    expect(threads[1]!.call).toMatchObject({ request: range, share: { index: 1, count: 2, ports: [], isRehearsal: true } })
    // It is not done with it.
    const second = pool.run(range, timeoutMs)
    expect(threads[0]!.call?.share).toBeUndefined()
    threads[1]!.emit('message', { id: threads[1]!.call!.id, isSent: true })
    threads[0]!.reply({ measures })
    await second
    expect(pool.sharedQueries).toBe(0)
    const third = pool.run(range, timeoutMs)
    expect(threads[0]!.call?.share).toMatchObject({ index: 0, count: 2 })
    threads[0]!.reply({ measures })
    await third
    expect(pool.sharedQueries).toBe(1)
  })

  it('is shared out though it is new where the other thread has warmed up and there are many blocks to read, and again the next time', async () => {
    const block = (minTimeMs: number): ShelvedBlock => ({
      directory: String(minTimeMs),
      minTimeMs,
      maxTimeMs: minTimeMs + 600_000,
      deletions: 0,
    })
    // The last one begins where the query ends, and the first one ends where it begins.
    const blocks = [-600_000, 0, 600_000, 1_200_000, 1_800_000, 2_400_000, 3_600_000].map(block)
    const { pool, threads } = createFakePool({ threadsPerQuery: 2, listBlocks: () => blocks })
    pool.warmUp()
    await vi.advanceTimersByTimeAsync(1000)
    const ask = async (query: string, isShared: boolean, overrides: Partial<typeof range> = {}): Promise<void> => {
      const answer = pool.run({ ...range, query, ...overrides } as QueryRequest, timeoutMs)
      expect(threads[0]!.call?.share !== undefined).toBe(isShared)
      if (isShared) expect(threads[1]!.call?.share).toMatchObject({ index: 1, count: 2, ports: [expect.anything()] })
      if (isShared) threads[1]!.reply()
      threads[0]!.reply({ measures: { ...measures, threads: isShared ? 2 : 1 } })
      await answer
      // A rehearsal, if there is one.
      if (!isShared) threads[1]!.reply()
    }
    await ask('cold', false)
    threads[1]!.emit('message', { isWarm: true })
    expect(pool.isWarm).toBe(false)
    await ask('new', true)
    await ask('new', true)
    await ask('of fewer blocks', false, { endMs: 3_599_999 } as Partial<typeof range>)
    expect(pool.sharedQueries).toBe(2)
    threads[0]!.emit('message', { isWarm: true })
    expect(pool.isWarm).toBe(true)
  })

  it('is rehearsed by a thread that was started after it, and one query after the other', async () => {
    const { pool, threads } = createFakePool({ threadsPerQuery: 2 })
    const other: QueryRequest = { ...range, query: 'other' }
    for (const request of [range, other, { ...range, query: 'quick' }]) {
      const answer = pool.run(request, timeoutMs)
      threads[0]!.reply({ measures: { ...measures, evaluationMs: request.query === 'quick' ? 1 : 100 } })
      await answer
    }
    await vi.advanceTimersByTimeAsync(1000)
    expect(threads[1]!.call?.request).toEqual(range)
    threads[1]!.reply()
    expect(threads[1]!.call?.request).toEqual(other)
    threads[1]!.reply()
    expect(threads[1]!.call?.request).toEqual(other)
    const shared = pool.run(other, timeoutMs)
    expect(threads[0]!.call?.share).toBeDefined()
    threads[0]!.reply({ measures })
    await shared
  })

  it('is rehearsed until another query wants the thread', async () => {
    const { pool, threads } = createFakePool({ threadsPerQuery: 2 })
    const first = pool.run(range, timeoutMs)
    await vi.advanceTimersByTimeAsync(1000)
    threads[0]!.reply({ measures })
    await first
    const ended = new Int32Array(threads[1]!.call!.share!.ended)
    const second = pool.run(range, timeoutMs)
    expect(ended[0]).toBe(0)
    const third = pool.run({ kind: 'headStatistics', limit: 1 }, timeoutMs)
    expect(ended[0]).toBe(1)
    threads[1]!.emit('message', { id: threads[1]!.call!.id, failure: { kind: 'canceled', message: 'query was canceled' } })
    threads[1]!.reply()
    threads[0]!.reply({ measures })
    await Promise.all([second, third])
  })

  it('makes a rehearsal wait if it was never asked before', async () => {
    const { pool, threads } = createFakePool({ threadsPerQuery: 2 })
    const first = pool.run(range, timeoutMs)
    await vi.advanceTimersByTimeAsync(1000)
    threads[0]!.reply({ measures })
    await first
    const rehearsal = threads[1]!.call!
    const next = pool.run({ ...range, query: 'never asked' }, timeoutMs)
    expect(new Int32Array(rehearsal.share!.ended)[0]).toBe(1)
    threads[1]!.reply({ measures })
    expect(threads[1]!.call).toBe(rehearsal)
    threads[0]!.reply({ measures })
    await next
    expect(threads[1]!.call).not.toBe(rehearsal)
    expect(threads[1]!.call).toMatchObject({ request: range, share: { isRehearsal: true } })
    threads[1]!.reply()
    expect(threads[1]!.call).toMatchObject({ request: { query: 'never asked' }, share: { isRehearsal: true } })
  })

  it('is shared with an idle thread, which is free again when it has done its part', async () => {
    const { pool, threads } = await createIdlePool()
    const answer = pool.run(range, timeoutMs)
    const [first, second] = threads.map(({ call }) => call!)
    expect([first?.id, first?.share?.index, first?.share?.count, first?.share?.ports.length]).toEqual([second?.id, 0, 2, 1])
    expect([second?.share?.index, second?.share?.count, second?.request]).toEqual([1, 2, range])
    expect([first!.cancel, first!.share!.ended]).toEqual([second!.cancel, second!.share!.ended])
    expect(pool.active()).toHaveLength(1)
    expect(pool.activeQueries).toBe(1)
    threads[0]!.reply()
    await answer
    // It still works on its part.
    const next = pool.run(range, timeoutMs)
    expect(threads[0]!.call?.share).toBeUndefined()
    threads[1]!.emit('message', { id: second!.id, isSent: true })
    threads[0]!.reply()
    await next
    const last = pool.run(range, timeoutMs)
    expect(threads[1]!.call?.share?.index).toBe(1)
    expect(threads[1]!.call?.id).not.toBe(second!.id)
    threads[0]!.reply()
    await last
    expect([pool.sharedQueries, threads.length]).toEqual([2, 2])
  })

  it.each<[string, QueryRequest]>([
    ['has statistics', { ...range, stats: 'all' }],
    ['is explained', { ...range, explain: 'analyze' }],
    ['has few steps', { ...range, endMs: 30 * 15_000 }],
    ['is an instant query', { kind: 'instant', query: 'a', timeMs: 0, lookbackMs: undefined, limit: 0, stats: '' }],
  ])('is not shared if it %s', async (_, request) => {
    const { pool, threads } = await createIdlePool()
    const answer = pool.run(request, timeoutMs)
    expect(threads[0]!.call?.share).toBeUndefined()
    threads[0]!.reply()
    await answer
    expect(pool.sharedQueries).toBe(0)
  })

  it('is not shared if it took little when it was asked before, and is again when it takes more', async () => {
    const { pool, threads } = await createIdlePool()
    const ask = async (evaluationMs: number) => {
      const answer = pool.run(range, timeoutMs)
      const isShared = threads[0]!.call?.share !== undefined
      if (isShared) threads[1]!.reply()
      threads[0]!.reply({ measures: { ...measures, evaluationMs, ...(isShared ? { threads: 2 } : {}) } })
      await answer
      return isShared
    }
    expect(await ask(1)).toBe(true)
    expect(await ask(4.9)).toBe(false)
    expect(await ask(5)).toBe(false)
    expect(await ask(40)).toBe(true)
    // Two threads had 3 ms each.
    expect(await ask(3)).toBe(true)
    expect(await ask(2)).toBe(true)
    expect(await ask(2)).toBe(false)
  })

  it('is shared if its answer took long to write', async () => {
    const { pool, threads } = await createIdlePool()
    const ask = async (writingMs: number) => {
      const answer = pool.run(range, timeoutMs)
      const isShared = threads[0]!.call?.share !== undefined
      if (isShared) threads[1]!.reply()
      threads[0]!.reply({ measures: { ...measures, evaluationMs: 1, writingMs, ...(isShared ? { threads: 2 } : {}) } })
      await answer
      return isShared
    }
    expect(await ask(0)).toBe(true)
    expect(await ask(3.9)).toBe(false)
    expect(await ask(4)).toBe(false)
    expect(await ask(4)).toBe(true)
  })

  it('is not shared again if its thread evaluated it alone after all, unless it has more steps then', async () => {
    const { pool, threads } = await createIdlePool()
    const ask = async (steps: number) => {
      const answer = pool.run({ ...range, endMs: (steps - 1) * 15_000 }, timeoutMs)
      const isShared = threads[0]!.call?.share !== undefined
      if (isShared) threads[1]!.reply()
      threads[0]!.reply({ measures })
      await answer
      return isShared
    }
    expect(await ask(100)).toBe(true)
    expect(await ask(100)).toBe(false)
    expect(await ask(101)).toBe(true)
    expect(await ask(101)).toBe(false)
    expect(await ask(50)).toBe(false)
  })

  it('leaves the other thread to a query that waits', async () => {
    const { pool, threads } = await createIdlePool({ workersMax: 3 })
    const other = pool.run({ kind: 'headStatistics', limit: 1 }, timeoutMs)
    const answer = pool.run(range, timeoutMs)
    expect(threads[1]!.call?.share).toBeUndefined()
    expect(threads[1]!.call?.request).toEqual(range)
    threads[0]!.reply()
    threads[1]!.reply()
    await Promise.all([other, answer])
  })

  it('does not fail with a thread that had a part of it', async () => {
    const { pool, threads } = await createIdlePool()
    const answer = pool.run(range, timeoutMs)
    threads[1]!.emit('exit', 1)
    expect(pool.activeQueries).toBe(1)
    threads[0]!.reply()
    await expect(answer).resolves.toMatchObject({ status: 200 })
    expect(pool.threadIds).toEqual([1])
  })

  it('does not fail with a part either, but the log says why', async () => {
    const warnings: string[] = []
    const log = {
      warn: (message: string, fields?: Record<string, unknown>) => void warnings.push(`${message}: ${String(fields?.['err'])}`),
    }
    const { pool, threads } = await createIdlePool({ log })
    for (const kind of ['canceled', 'internal']) {
      const answer = pool.run(range, timeoutMs)
      threads[1]!.emit('message', { id: threads[1]!.call!.id, failure: { kind, message: `it was ${kind}` } })
      threads[0]!.reply()
      await expect(answer).resolves.toMatchObject({ status: 200 })
    }
    expect(warnings).toEqual(['A part of a query failed: it was internal'])
  })

  it('is ended in all threads that have parts of it when it takes too long', async () => {
    const { pool, threads } = await createIdlePool()
    const answer = pool.run(range, timeoutMs)
    const failed = expect(answer).rejects.toMatchObject({ kind: 'timeout' })
    await vi.advanceTimersByTimeAsync(timeoutMs + 1_001)
    await failed
    expect(threads.map(({ isTerminated }) => isTerminated)).toEqual([true, true])
    expect(pool.threadIds).toEqual([])
  })

  it('is canceled in all threads', async () => {
    const { pool, threads } = await createIdlePool()
    const answer = pool.run(range, timeoutMs)
    expect(pool.cancel(threads[0]!.call!.id)).toBe(true)
    expect(threads.map(({ isCanceled }) => isCanceled)).toEqual([true, true])
    threads[0]!.emit('message', { id: threads[0]!.call!.id, failure: { kind: 'canceled', message: 'query was canceled' } })
    await expect(answer).rejects.toMatchObject({ kind: 'canceled' })
  })

  it('counts what all its threads hold, and gives all of them up for memory', async () => {
    const { pool, threads } = await createIdlePool()
    const answer = pool.run(range, timeoutMs)
    threads[0]!.heldBytes = 6 * 2 ** 20
    threads[1]!.heldBytes = 7 * 2 ** 20
    expect(pool.active()[0]!.heldBytes).toBe(13 * 2 ** 20)
    const failed = expect(answer).rejects.toMatchObject({ kind: 'execution', message: expect.stringContaining('held the most memory') })
    expect(pool.relieve('little is left')).toBe(true)
    await failed
    expect(threads.map(({ isTerminated }) => isTerminated)).toEqual([true, true])
  })
})
