import { expect, it } from 'vitest'
import type { QueryRequest } from './query-protocol.ts'
import { createFakePool } from './testing/fake-query-thread.ts'

const mib = 1024 * 1024
const request: QueryRequest = { kind: 'headStatistics', limit: 1 }
const ofRules: QueryRequest = { kind: 'vector', query: 'up', timeMs: 0 }

it('refuses queries with the reason while there is no memory, but not those of rules', async () => {
  let reason: string | undefined = 'memory of all queries is used up'
  const { pool, threads } = createFakePool({ refusal: () => reason })
  await expect(pool.run(request, 1_000)).rejects.toMatchObject({
    kind: 'execution',
    message: 'cannot begin a query: memory of all queries is used up',
  })
  const rule = pool.run(ofRules, 1_000)
  threads[0]!.reply()
  await rule
  reason = undefined
  const answer = pool.run(request, 1_000)
  threads[0]!.reply()
  expect(await answer).toMatchObject({ status: 200 })
  await pool.close()
})

it('gives memory back by its idle threads first, then by the query that holds the most', async () => {
  const { pool, threads } = createFakePool()
  const first = pool.run(request, 1_000)
  const second = pool.run(request, 1_000)
  threads[0]!.heldBytes = 20 * mib
  threads[1]!.heldBytes = 30 * mib
  threads[0]!.reply()
  await first
  threads[0]!.heldBytes = 0
  expect(pool.relieve('ceiling is reached')).toBe(true)
  expect(pool.threadIds).toEqual([2])
  const third = pool.run(request, 1_000)
  threads[2]!.heldBytes = 10 * mib
  expect(pool.relieve('ceiling is reached')).toBe(true)
  await expect(second).rejects.toMatchObject({
    kind: 'execution',
    message: 'the query was ended, as it held the most memory: ceiling is reached',
  })
  threads[2]!.reply()
  expect(await third).toMatchObject({ status: 200 })
  await pool.close()
})

it('ends no query that holds little', async () => {
  const { pool, threads } = createFakePool()
  const answer = pool.run(request, 1_000)
  threads[0]!.heldBytes = mib
  expect(pool.relieve('ceiling is reached')).toBe(false)
  threads[0]!.reply()
  expect(await answer).toMatchObject({ status: 200 })
  await pool.close()
})

it('says of a thread whose heap was too small that the query needs too much memory', async () => {
  const { pool, threads } = createFakePool()
  const answer = pool.run(request, 1_000)
  threads[0]!.emit(
    'error',
    Object.assign(new Error('Worker terminated due to reaching memory limit'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }),
  )
  await expect(answer).rejects.toMatchObject({ kind: 'execution', message: expect.stringContaining('needs more memory') as unknown })
  await pool.close()
})
