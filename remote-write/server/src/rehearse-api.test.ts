import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { RehearsedRequest } from '@narthex/http/rehearsal'
import { createQueryBackend } from './query-backend.ts'
import { QueryMemory } from './query-memory.ts'
import type { EndedQuery } from './query-observer.ts'
import { rehearseParsing, rehearseQueries } from './rehearse-api.ts'
import { createFakePool } from './testing/fake-query-thread.ts'
import { Labels } from '@narthex/model/labels'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

function makeParts() {
  const asked: RehearsedRequest[] = []
  const rehearse = (request: RehearsedRequest): Promise<void> => {
    asked.push(request)
    return Promise.resolve()
  }
  const state = { isWarm: true, activeQueries: 0, isOver: false }
  return { asked, state, parts: { http: { rehearse, routePrefix: '/prefix' }, pool: state, isOver: () => state.isOver } }
}

test('queries and lists are asked for in turn, sixty times in all', async () => {
  const { asked, parts } = makeParts()
  const done = rehearseQueries(parts)
  await vi.advanceTimersByTimeAsync(1_000)
  await done
  expect(asked).toHaveLength(60)
  const paths = ['query_range', 'labels', 'query', 'label/job/values'].map((path) => `/prefix/api/v1/${path}`)
  expect(asked.slice(4, 8).map(({ path }) => path.split('?')[0])).toEqual(paths)
})

test('nothing is asked for while threads warm up, or work on a query, and not for ever', async () => {
  const { asked, state, parts } = makeParts()
  const done = rehearseQueries(parts)
  state.isWarm = false
  await vi.advanceTimersByTimeAsync(5_000)
  state.isWarm = true
  state.activeQueries = 1
  await vi.advanceTimersByTimeAsync(5_000)
  expect(asked).toEqual([])
  state.activeQueries = 0
  await vi.advanceTimersByTimeAsync(100)
  expect(asked).not.toEqual([])
  state.activeQueries = 1
  await vi.advanceTimersByTimeAsync(15_000)
  await done
  expect(asked.length).toBeLessThan(60)
})

test('nothing more is asked for when the server stops', async () => {
  const { asked, state, parts } = makeParts()
  const done = rehearseQueries(parts)
  await vi.advanceTimersByTimeAsync(100)
  const before = asked.length
  state.isOver = true
  await vi.advanceTimersByTimeAsync(100)
  await done
  expect(asked).toHaveLength(before)
})

test('an expression is read without any thread', async () => {
  const { asked, parts } = makeParts()
  await rehearseParsing(parts)
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /prefix/api/v1/format_query'])
})

test('a query of a rehearsal is noted nowhere, and one of a client is', async () => {
  const ended: EndedQuery[] = []
  const { pool, threads } = createFakePool({ onEnd: (query) => void ended.push(query) })
  const memory = new QueryMemory(1_000_000, 1_000_000)
  const backend = createQueryBackend({ pool, readPool: pool, timeoutMs: 1_000, memory, externalLabels: () => Labels.fromPairs([]) })
  const query = { matchers: [], startMs: 0, endMs: 1, limit: 0 }
  for (const clientAddress of ['rehearsal', '127.0.0.1']) {
    const answer = backend.labelNames(query, new AbortController().signal, { clientAddress, method: 'GET', path: '/' })
    threads[0]!.reply()
    await answer
  }
  expect(ended.map(({ origin }) => origin)).toEqual([{ kind: 'http', clientAddress: '127.0.0.1', method: 'GET', path: '/' }])
  await pool.close()
})
