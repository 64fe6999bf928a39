import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { percentile, prepareRequests, sendAll, sendPaced } from './write-latency.ts'

// Queries that would hold ten gigabytes and more end at their budget, one after another, while samples come in and other queries are answered.

const seriesCount = 100_000
const samplesPerRequest = 2_000
/** Of one query. */
const budgetBytes = 128 * 2 ** 20
/** Of the whole process: the head, what runs, and what nobody has collected yet. */
const ceilingBytes = 1024 * 2 ** 20
const steps = 10_900
const all = '{__name__=~"app_.+"}'

interface Answer {
  readonly httpStatus: number
  readonly elapsedMs: number
  readonly status: string
  readonly errorType?: string
  readonly error?: string
  readonly data?: { readonly result: readonly unknown[] }
}

let server: NarthexProcess
let load: RemoteWriteLoad

beforeAll(async () => {
  // More samples than Prometheus' limit lets a query hold, so that it is the bytes that end it.
  const args = ['--query.max-samples=4000000000', `--query.memory-max=${budgetBytes}B`, `--server.memory-max=${ceilingBytes}B`]
  server = await startNarthex('server', { config: 'scrape_configs: []\n', args })
  load = new RemoteWriteLoad(seriesCount, samplesPerRequest, Date.now() - 60 * 15_000)
  await sendAll(prepareRequests(load, server.url, 8 * load.requestCount), server.url, 2)
}, 120_000)
afterAll(() => server.remove())

async function ask(kind: 'query' | 'query_range', parameters: Readonly<Record<string, string>>): Promise<Answer> {
  const begunMs = performance.now()
  const response = await fetch(`${server.url}/api/v1/${kind}`, { method: 'POST', body: new URLSearchParams(parameters) })
  const answer = (await response.json()) as Omit<Answer, 'httpStatus' | 'elapsedMs'>
  return { ...answer, httpStatus: response.status, elapsedMs: performance.now() - begunMs }
}

/** Each would hold 100,000 series at 10,900 steps, 8.7 GB of values alone. */
const huge = [all, `sort(${all})`, `${all} + ${all}`, `topk(1000000, ${all})`, `quantile(0.9, ${all})`, `group by (__name__, pod) (${all})`]

function askHuge(query: string): Promise<Answer> {
  const end = load.timeMs / 1000
  const step = 0.02
  return ask('query_range', { query, start: String(end - steps * step), end: String(end), step: String(step) })
}

function rssBytes(): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024
}

interface Observed {
  readonly hugeAnswers: Map<string, Answer>
  readonly ordinary: Answer[]
  rssMax: number
}

/** Asks until `isOver`: a huge query at any time, and ordinary ones beside it. */
async function observe(isOver: () => boolean): Promise<Observed> {
  const seen: Observed = { hugeAnswers: new Map(), ordinary: [], rssMax: 0 }
  const watch = setInterval(() => (seen.rssMax = Math.max(seen.rssMax, rssBytes())), 20)
  const asksHuge = async () => {
    for (let i = 0; !isOver() || i < huge.length; i++) seen.hugeAnswers.set(huge[i % huge.length]!, await askHuge(huge[i % huge.length]!))
  }
  const asksOrdinary = async () => {
    const end = load.timeMs / 1000
    const range = { start: String(end - 600), end: String(end), step: '15' }
    while (!isOver()) {
      const found = [
        await ask('query_range', { query: 'sum by (job) (rate(app_http_requests_total_199[5m]))', ...range }),
        await ask('query', { query: 'topk(3, {__name__=~"app_.+",job="service-7"})', time: String(end) }),
        await ask('query', { query: '1 + 1' }),
      ]
      seen.ordinary.push(...found)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  try {
    await Promise.all([asksHuge(), asksOrdinary()])
  } finally {
    clearInterval(watch)
  }
  return seen
}

test('a query that would need ten gigabytes ends at its budget, and holds nothing else up', { timeout: 120_000 }, async () => {
  const measure = async () => {
    const requests = prepareRequests(load, server.url, 500)
    let isSent = false
    const observing = observe(() => isSent)
    const elapsedMs = await sendPaced(requests, server.url, { connections: 2, requestsPerSecond: 50, fromDue: true })
    isSent = true
    const { hugeAnswers, ordinary, rssMax } = await observing

    for (const [query, { httpStatus, errorType, error }] of hugeAnswers) {
      expect([query, httpStatus, errorType]).toEqual([query, 422, 'execution'])
      expect(error).toMatch(/^query processing would load too many samples into memory in query execution/)
      expect(error).toContain(`one query may hold ${budgetBytes} bytes (--query.memory-max)`)
    }
    expect(hugeAnswers.size).toBe(huge.length)
    expect(ordinary.length).toBeGreaterThan(30)
    expect(ordinary.filter(({ data }) => !(data !== undefined && data.result.length > 0))).toEqual([])
    const slowestMs = Math.max(...ordinary.map((answer) => answer.elapsedMs))
    const p99Ms = percentile(elapsedMs, 0.99)
    const hugeMs = [...hugeAnswers.values()].map((answer) => answer.elapsedMs.toFixed(0))
    console.log(
      `appends from the time they were due: p50 ${percentile(elapsedMs, 0.5).toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms; huge queries ended after ` +
        `${hugeMs.join(', ')} ms; the slowest of ${ordinary.length} others took ${slowestMs.toFixed(0)} ms; ${(rssMax / 2 ** 20).toFixed(0)} MiB at most`,
    )
    expect(rssMax).toBeLessThan(ceilingBytes)
    return { p99Ms, slowestMs }
  }
  // p99 of 500 is the sixth slowest: one program that starts on a machine with two cores is enough to spoil it, what Narthex does itself is in
  // every run.
  const first = await measure()
  const { p99Ms, slowestMs } = first.p99Ms > 50 || first.slowestMs > 1_000 ? await measure() : first
  expect(p99Ms).toBeLessThanOrEqual(50)
  expect(slowestMs).toBeLessThanOrEqual(1_000)
})
