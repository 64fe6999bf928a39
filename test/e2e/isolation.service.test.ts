import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readerSlotsMax, slotsAt } from '@narthex/tsdb/head/head-memory'
import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { queryVector, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { sendRound, writeRequest } from '../kit/remote-write.ts'
import { openInProcessServer, type InProcessServer } from './in-process-server.ts'
import { percentile, prepareRequests, sendAll, sendPaced } from './write-latency.ts'

// Queries, ingestion and other queries do not hold one another up.

const seriesCount = 100_000
const samplesPerRequest = 2_000
const historyRounds = 8
const samplesMax = 5_000_000

interface ApiAnswer {
  readonly httpStatus: number
  readonly status: string
  readonly errorType?: string
  readonly error?: string
  readonly elapsedMs: number
}

async function postQuery(url: string, kind: 'query' | 'query_range', parameters: Record<string, string>, signal?: AbortSignal) {
  const begunMs = performance.now()
  const body = new URLSearchParams(parameters)
  const response = await fetch(`${url}/api/v1/${kind}`, { method: 'POST', body, ...(signal === undefined ? {} : { signal }) })
  const { status, errorType, error } = (await response.json()) as Omit<ApiAnswer, 'httpStatus' | 'elapsedMs'>
  return { httpStatus: response.status, status, errorType, error, elapsedMs: performance.now() - begunMs }
}

// Every series at 10,000 steps, each term some 20 s of one core: minutes, and never more than some thousand samples of result.
const terms = ['', ' offset 1s', ' offset 2s', ' offset 3s', ' offset 4s', ' offset 5s']
const heavyQuery = terms.map((offset) => `sum by (job) (last_over_time({__name__=~"app_.+"}[5m:1s]${offset}))`).join(' + ')

function heavyRange(endMs: number, timeout: string): Record<string, string> {
  const end = endMs / 1000
  return { query: heavyQuery, start: String(end - 300), end: String(end), step: '0.03', timeout }
}

describe('a narthex server with a place for one query at a time', () => {
  let server: NarthexProcess
  let load: RemoteWriteLoad
  beforeAll(async () => {
    const args = ['--query.max-concurrency=1', `--query.max-samples=${samplesMax}`]
    server = await startNarthex('server', { config: 'scrape_configs: []\n', args })
    load = new RemoteWriteLoad(seriesCount, samplesPerRequest, Date.now() - 60 * 15_000)
    await sendAll(prepareRequests(load, server.url, historyRounds * load.requestCount), server.url, 2)
  }, 60_000)
  afterAll(async () => {
    await server.remove()
  })

  test('appends within 50 ms at p99 while a query runs for more than ten seconds', { timeout: 60_000 }, async () => {
    const measure = async () => {
      const requests = prepareRequests(load, server.url, 500)
      const beginMs = performance.now()
      let isRunning = true
      const query = postQuery(server.url, 'query_range', heavyRange(load.timeMs, '12s')).finally(() => {
        isRunning = false
      })
      await new Promise((resolve) => setTimeout(resolve, 500))
      const elapsedMs = await sendPaced(requests, server.url, { connections: 2, requestsPerSecond: 50 })
      const measuredMs = performance.now() - beginMs
      expect(isRunning, 'the query ended before the measurement: make it heavier').toBe(true)
      expect(measuredMs).toBeGreaterThan(10_000)
      // The query is told to stop; the process that ran it lives on.
      expect(await query).toMatchObject({ httpStatus: 503, errorType: 'timeout', error: 'query timed out in expression evaluation' })
      const [p50, p99, max] = [percentile(elapsedMs, 0.5), percentile(elapsedMs, 0.99), percentile(elapsedMs, 1)]
      console.log(`append with a query running: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`)
      return p99
    }
    // p99 of 500 is the sixth slowest: one program that starts on a machine with two cores is enough to spoil it. What would hold up
    // appends in Narthex itself (measured: collections of the main thread, 36 to 50 ms) does so in every run.
    const first = await measure()
    expect(first > 50 ? await measure() : first).toBeLessThanOrEqual(50)
    const [counted] = await queryVector(server.url, 'count({__name__=~"app_.+"})', load.timeMs / 1000)
    expect(counted?.value[1]).toBe(String(seriesCount))
  })

  test('gives the place of a query whose client went away to the next within a second', async () => {
    const abort = new AbortController()
    const gone = postQuery(server.url, 'query_range', heavyRange(load.timeMs, '60s'), abort.signal)
    await new Promise((resolve) => setTimeout(resolve, 700))
    // The place is taken: a query that cannot wait does not get it.
    const refused = await postQuery(server.url, 'query', { query: '1', timeout: '100ms' })
    expect(refused).toMatchObject({ httpStatus: 503, errorType: 'timeout', error: 'query timed out in query queue' })
    abort.abort()
    await expect(gone).rejects.toThrow()
    const next = await postQuery(server.url, 'query', { query: '1' })
    console.log(`next query after a cancellation: ${next.elapsedMs.toFixed(0)} ms`)
    expect(next.status).toBe('success')
    expect(next.elapsedMs).toBeLessThan(1_500)
  })

  test('ends a query at its timeout parameter with 503', async () => {
    const answer = await postQuery(server.url, 'query_range', heavyRange(load.timeMs, '500ms'))
    expect(answer).toMatchObject({
      httpStatus: 503,
      status: 'error',
      errorType: 'timeout',
      error: 'query timed out in expression evaluation',
    })
    expect(answer.elapsedMs).toBeGreaterThan(450)
    expect(answer.elapsedMs).toBeLessThan(3_500)
  })

  test('ends a query over --query.max-samples with 422, and takes the next', async () => {
    const end = load.timeMs / 1000
    const query = '{__name__=~"app_.+"}'
    const answer = await postQuery(server.url, 'query_range', { query, start: String(end - 60), end: String(end), step: '1' })
    expect(answer).toMatchObject({
      httpStatus: 422,
      errorType: 'execution',
      error: 'query processing would load too many samples into memory in query execution',
    })
    expect((await postQuery(server.url, 'query', { query: '1' })).status).toBe('success')
  })
})

describe('ending a query worker in mid-query', () => {
  let running: InProcessServer
  const load = new RemoteWriteLoad(20_000, samplesPerRequest, Date.now() - 60 * 15_000)
  beforeAll(async () => {
    running = await openInProcessServer(1)
    for (let round = 0; round < 3; round++) {
      load.step()
      await sendRound(load, running.url, () => {})
    }
  }, 60_000)
  afterAll(async () => {
    await running.remove()
  })

  const heldSlots = () => {
    const { control } = running.server.store.head.memory
    return Array.from({ length: readerSlotsMax }, (_, i) => Atomics.load(control, slotsAt + i)).filter((epoch) => epoch !== 0).length
  }

  test('fails that query only, and lets go of the head', { timeout: 30_000 }, async () => {
    const { server, url } = running
    for (let repetition = 0; repetition < 3; repetition++) {
      const hit = postQuery(url, 'query_range', heavyRange(load.timeMs, '30s'))
      await waitFor('the query to read the head', () => server.pool.activeQueries === 1 && heldSlots() === 1)
      // In mid-query: not while it still selects its series.
      await new Promise((resolve) => setTimeout(resolve, 300))
      const queued = [1, 2, 3].map((i) => postQuery(url, 'query', { query: `${i} + count({__name__=~"app_.+"})` }))
      await new Promise((resolve) => setTimeout(resolve, 100))
      load.step()
      const ingestion = sendRound(load, url, () => {})
      const [threadId] = server.pool.threadIds
      await server.pool.terminate(threadId!)
      const sentAfter = postQuery(url, 'query', { query: 'count({__name__=~"app_.+"})' })

      expect(await hit).toMatchObject({
        httpStatus: 500,
        errorType: 'internal',
        error: 'cannot finish the query: its worker thread ended',
      })
      for (const answer of await Promise.all([...queued, sentAfter])) expect(answer).toMatchObject({ httpStatus: 200, status: 'success' })
      await ingestion
      expect(server.pool.threadIds).not.toContain(threadId)
      expect(heldSlots()).toBe(0)
    }
    // The slot itself is free too: one idle worker has one, so the next descriptor is the second.
    const descriptor = running.server.store.head.descriptor()
    expect(descriptor.readerSlot).toBeLessThan(2)
    running.server.store.head.releaseReader(descriptor)
    expect((await queryVector(url, 'count({__name__=~"app_.+"})', load.timeMs / 1000))[0]?.value[1]).toBe('20000')
  })

  test('leaves no trace in answers of every other kind', async () => {
    const { url, warnings } = running
    await writeRequest(url, [{ labels: { __name__: 'one', room: 'north' }, samples: [[Date.now(), 1]] }])
    // Small answers of the kinds that are not evaluated: each crosses between the threads in a buffer of its own.
    for (const path of ['labels', 'label/room/values', 'series?match[]=one', 'status/tsdb?limit=1']) {
      for (let i = 0; i < 3; i++) {
        const response = await fetch(`${url}/api/v1/${path}`)
        expect([path, response.status, ((await response.json()) as { status: string }).status]).toEqual([path, 200, 'success'])
      }
    }
    expect(running.server.pool.threadIds.length).toBe(1)
    expect(warnings).toEqual([])
  })
})
