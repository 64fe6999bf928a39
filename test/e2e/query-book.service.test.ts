import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askApi, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { startPrometheus, type Service } from '../kit/services.ts'

// What a server tells of its queries: the list of those that run, the end of one, the query log and the metrics, the last two beside Debian's Prometheus.

const rules = 'groups: [{name: g, interval: 1s, rules: [{record: one, expr: vector(1)}]}]\n'
const config = 'global: {query_log_file: queries.log}\nrule_files: [rules.yml]\n'
const endless = 'max_over_time(sum_over_time(vector(1)[1d:1s])[1d:1s])'
let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  const files = { 'rules.yml': rules }
  ;[ours, theirs] = await Promise.all([
    startNarthex('server', { config, files, args: ['--query.log-slower-than=1ms'] }),
    startPrometheus({ config, files }),
  ])
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

interface ListedQuery {
  readonly id: number
  readonly query?: string
  readonly state: string
  readonly client?: string
}

const listed = async () => (await askApi<{ queries: ListedQuery[] }>(ours.url, 'api/v1/status/active_queries')).queries
const findEndless = async () => (await listed()).find(({ query }) => query === endless)

describe('a query that runs', () => {
  test('is listed with its client, and ends with 499 when it is cancelled; others go on', async () => {
    const answer = fetch(`${ours.url}/api/v1/query?query=${encodeURIComponent(endless)}`)
    await waitFor('the query to run', async () => (await findEndless())?.state === 'running')
    const { id, client } = (await findEndless())!
    expect(client).toBe('127.0.0.1')
    const cancelled = await fetch(`${ours.url}/api/v1/status/active_queries/${id}/cancel`, { method: 'POST' })
    expect(cancelled.status).toBe(200)
    const response = await answer
    expect([response.status, await response.json()]).toEqual([
      499,
      { status: 'error', errorType: 'canceled', error: 'query was canceled in expression evaluation' },
    ])
    expect(await findEndless()).toBeUndefined()
    expect((await fetch(`${ours.url}/api/v1/query?query=1`)).status).toBe(200)
  })

  test('ends when its client goes away', async () => {
    const abort = new AbortController()
    const answer = fetch(`${ours.url}/api/v1/query?query=${encodeURIComponent(endless)}`, { signal: abort.signal }).catch(() => undefined)
    await waitFor('the query to run', async () => (await findEndless())?.state === 'running')
    abort.abort()
    await answer
    await waitFor('the query to end', async () => (await findEndless()) === undefined, { timeoutMs: 5_000 })
  })
})

describe('a query that has ended', () => {
  type Line = Record<string, unknown> & { params?: { query: string } }
  const readLog = (directory: string) =>
    readFileSync(join(directory, 'queries.log'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)

  test('is in the query log as Prometheus writes it, one of the API and one of a rule', async () => {
    const path = '/api/v1/query_range?query=sum(one)&start=100&end=200.5&step=15'
    const logged: Line[][] = []
    for (const { url, directory } of [ours, theirs]) {
      await fetch(url + path)
      const find = () => [
        readLog(directory).find((line) => line.params?.query === 'sum(one)'),
        readLog(directory).find((line) => 'ruleGroup' in line),
      ]
      await waitFor('both lines', () => find().every((line) => line !== undefined), { timeoutMs: 10_000 })
      logged.push(find() as Line[])
    }
    const [own, other] = logged as [Line[], Line[]]
    expect(own[0]).toMatchObject({ params: other[0]!['params'], httpRequest: other[0]!['httpRequest'] })
    const timings = (line: Line) => Object.keys((line['stats'] as { timings: object }).timings)
    expect(timings(own[0]!)).toEqual(timings(other[0]!))
    expect(own[1]).toMatchObject({
      params: { query: 'vector(1)', step: 0 },
      ruleGroup: { name: 'g', file: join(ours.directory, 'rules.yml') },
    })
    expect(Object.keys(own[1]!['ruleGroup'] as object)).toEqual(Object.keys(other[1]!['ruleGroup'] as object))
  })

  test('counts in the metrics of the engine, which are those of Prometheus', async () => {
    const families = async (url: string) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      const samples = text.split('\n').filter((line) => line.startsWith('prometheus_engine_'))
      return new Set(samples.map((line) => line.slice(0, line.lastIndexOf(' '))))
    }
    const own = await families(ours.url)
    for (const sample of await families(theirs.url)) expect([...own]).toContain(sample)
    const text = await (await fetch(`${ours.url}/metrics`)).text()
    expect(text).toMatch(/^narthex_queries_total\{outcome="canceled"\} 2$/m)
    expect(text).toMatch(/^prometheus_engine_query_log_enabled 1$/m)
  })

  test('is among the top queries, and in the log of the process if it was slow', async () => {
    const { queries } = await askApi<{ queries: { query: string; failures: number }[] }>(ours.url, 'api/v1/status/top_queries')
    expect(queries[0]).toMatchObject({ query: endless, failures: 2 })
    expect(ours.output()).toMatch(/level=WARN .*msg="Slow query".* query="?max_over_time/)
  })
})
