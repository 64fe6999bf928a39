import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askApi, queryVector, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { writeRequest } from '../kit/remote-write.ts'
import { runPressure } from './storage/pressure.ts'

// A share of `npm run faults -- pressure`, and what a user sees of a limit.

test('a server in a small box refuses what does not fit, each with its reason, and goes on', { timeout: 120_000 }, async () => {
  const report = await runPressure({
    boxBytes: 512 * 2 ** 20,
    seriesCount: 5_000,
    steps: 50,
    valueCount: 60_000,
    requestsPerSecond: 30,
    args: ['--storage.tsdb.head-series-per-metric-max=20000'],
    print: (line) => console.log(line),
  })
  expect(report.problems).toEqual([])
  expect(report.seriesRefused).toBe(40_000)
  expect(report.queriesRefused).toBeGreaterThan(0)
  const refusals = [...report.refusals.keys()].join('\n')
  expect(refusals).toContain('series limit of a metric reached: want at most N series of "http_requests_total"')
  // The full trial wants 50 ms; here other tests take the cores.
  expect(report.p99Ms).toBeLessThan(2_000)
})

describe('a limit of series', () => {
  let server: NarthexProcess
  beforeAll(async () => {
    server = await startNarthex('server', {
      config: 'scrape_configs: []\n',
      args: ['--storage.tsdb.head-series-max=2', '--server.memory-max=600MB', '--query.memory-max=1MB'],
    })
  }, 60_000)
  afterAll(() => server.remove())

  const series = (i: number, value = i) => ({ labels: { __name__: 'm', i: String(i) }, samples: [[Date.now(), value]] as const })

  test('stores what it allows and answers the rest with the limit and the series', async () => {
    const reason = 'series limit reached: want at most 2 series (--storage.tsdb.head-series-max) for series {__name__="m", i="2"}'
    await expect(writeRequest(server.url, [series(0), series(1), series(2)])).rejects.toThrow(`400 ${reason}`)
    expect(await queryVector(server.url, 'count(m)')).toMatchObject([{ value: [expect.anything() as unknown, '2'] }])
    await writeRequest(server.url, [series(0, 7)])
  })

  test('is told in the log, the metrics and to the status page', async () => {
    expect(server.output()).toMatch(/New series are refused.*count=1.*metric=m/)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain('narthex_tsdb_head_series_limit{scope="all"} 2\n')
    expect(metrics).toContain('narthex_tsdb_head_new_series_refused_total{reason="series_limit"} 1\n')
    expect(metrics).toMatch(/narthex_memory_limit_bytes\{part="process"\} 6\.291456e\+08\n/)
    expect(await askApi(server.url, 'api/v1/narthex/limits')).toMatchObject({
      memory: { process: { limitBytes: 600 * 2 ** 20, refusal: null }, queries: { limitBytesOfOne: 2 ** 20 } },
      series: { count: 2, limit: 2, limitPerMetric: null },
      refusedSeries: [{ kind: 'series_limit', count: 1, metric: 'm', series: '{__name__="m", i="2"}' }],
    })
  })

  test('beside it, a query that holds too much is refused with its limit, and the next one is answered', async () => {
    const url = `${server.url}/api/v1/query_range?query=vector(1)&start=0&end=10000&step=1`
    const range = await fetch(`${url}&step=1`)
    expect(range.status).toBe(200)
    const large = Array.from({ length: 9 }, (_, i) => `label_replace(vector(${i}),"a","${i}","","")`).join(' or ')
    const refused = await fetch(`${server.url}/api/v1/query_range?query=${encodeURIComponent(large)}&start=0&end=10900&step=1`)
    expect(refused.status).toBe(422)
    expect(((await refused.json()) as { error: string }).error).toMatch(/one query may hold 1048576 bytes \(--query\.memory-max\)/)
    expect(await queryVector(server.url, 'vector(1)')).toHaveLength(1)
  })
})
