// Beside Debian's Prometheus 2.42: what `stats=all` tells of the samples that queries look at, in all and by step.
import { startNarthex, type NarthexProcess } from '@narthex/test/kit/narthex'
import { writeRequest } from '@narthex/test/kit/remote-write'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// A second behind a step of the subqueries: no window ends or begins on one, where 2.42 takes one sample more.
const now = Math.floor(Date.now() / 20_000) * 20 - 19
const config = 'global: {}\n'
const args = ['--enable-feature=promql-per-step-stats']
let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  ;[ours, theirs] = await Promise.all([startNarthex('server', { config, args }), startPrometheus({ config, args })])
  // At half seconds: on no edge of a window.
  const samples = (count: number) => Array.from({ length: count }, (_, k) => [(now - k * 10) * 1000 - 500, k] as const).toReversed()
  const series = [30, 20, 7].map((count, i) => ({ labels: { __name__: 'x', i: String(i) }, samples: samples(count) }))
  for (const { url } of [ours, theirs]) await writeRequest(url, series)
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

interface Samples {
  readonly totalQueryableSamples: number
  readonly totalQueryableSamplesPerStep?: readonly [number, number][]
}

async function ask(url: string, path: string, parameters: Record<string, string>): Promise<Samples> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
  const { data } = (await response.json()) as { data: { stats: { samples: Samples } } }
  const { totalQueryableSamples, totalQueryableSamplesPerStep } = data.stats.samples
  return { totalQueryableSamples, ...(totalQueryableSamplesPerStep && { totalQueryableSamplesPerStep }) }
}

const queries = [
  'x',
  'sum(x) + count(x)',
  'sum(rate(x[1m])) / count(rate(x[1m]))',
  'rate(x[1m])',
  'sum by (i) (max_over_time(x[45s]))',
  'x * 2 > 5',
  'max_over_time(x[1m:20s])',
  'max_over_time(rate(x[30s])[1m:20s])',
  `x @ ${now - 30}`,
  `rate(x[1m] @ ${now - 30}) + x`,
  'vector(1)',
  'nothing',
]

describe('the samples that a query looks at are those of Prometheus', () => {
  it.each(queries)('at one time: %s', async (query) => {
    const parameters = { query, time: String(now), stats: 'all' }
    const own = await ask(ours.url, 'query', parameters)
    expect(own).toEqual(await ask(theirs.url, 'query', parameters))
    expect(own.totalQueryableSamplesPerStep).toHaveLength(1)
  })

  it.each(['x[1m]', 'x[1m:20s]'])('of a range vector: %s', async (query) => {
    const parameters = { query, time: String(now), stats: 'all' }
    expect(await ask(ours.url, 'query', parameters)).toEqual(await ask(theirs.url, 'query', parameters))
  })

  it.each(queries)('over time: %s', async (query) => {
    const parameters = { query, start: String(now - 100), end: String(now), step: '15', stats: 'all' }
    const own = await ask(ours.url, 'query_range', parameters)
    expect(own).toEqual(await ask(theirs.url, 'query_range', parameters))
    expect(own.totalQueryableSamplesPerStep).toHaveLength(7)
  })
})

it('stats=true tells the sum alone', async () => {
  expect(await ask(ours.url, 'query', { query: 'x', time: String(now), stats: 'true' })).toEqual({ totalQueryableSamples: 3 })
})
