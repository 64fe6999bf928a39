import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { federatedTypeOf3, inWordsOf3 } from '../kit/newer-words.ts'
import { startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { findFreePort, waitFor } from '../kit/process.ts'
import { writeRequest, type WriteSeries } from '../kit/remote-write.ts'
import { startPrometheus, type Service } from '../kit/services.ts'

// The HTTP API beside Debian's Prometheus (2.42): the same samples in both, the same requests to both.

const nowMs = Math.floor(Date.now() / 1000) * 1000
const now = nowMs / 1000
const config = 'global: {external_labels: {region: "e\\"u", abc: x}}\n'
const scrape = (port: number) =>
  `scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:1', '127.0.0.1:${port}', 'localhost:2', '10.1.2.3:3']}], scrape_interval: 1h}]\n`
let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  const [port, otherPort] = await Promise.all([findFreePort(), findFreePort()])
  ;[ours, theirs] = await Promise.all([
    startNarthex('server', { config: config + scrape(port), port }),
    startPrometheus({ config: config + scrape(otherPort), port: otherPort }),
  ])
  const ramp = (count: number, factor: number) =>
    Array.from({ length: count }, (_, k) => [nowMs - (count - k) * 5_000 - 1, k * factor] as const)
  const series: WriteSeries[] = [
    ...[1, 2, 3].map((i) => ({ labels: { __name__: 'x', job: i < 3 ? 'a' : 'b', instance: `i${i}` }, samples: ramp(20, i * 1.5) })),
    { labels: { __name__: 'y_total', job: 'a"\\\n' }, samples: [[nowMs - 5_001, 1e-7] as const, [nowMs - 1, 1e21] as const] },
    { labels: { __name__: 'zero', job: 'a' }, samples: [[nowMs - 1, -0] as const] },
    { labels: { __name__: 'not', job: 'a' }, samples: [[nowMs - 1, NaN] as const] },
    { labels: { __name__: 'h_bucket', le: '+Inf' }, samples: [[nowMs - 1, Infinity] as const] },
  ]
  for (const { url } of [ours, theirs]) await writeRequest(url, series)
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly body: unknown
}

async function ask(url: string, path: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url + path, init)
  const text = await response.text()
  const type = response.headers.get('content-type')
  return { status: response.status, type, body: type === 'application/json' ? JSON.parse(text) : text }
}

async function expectSame(path: string, init?: RequestInit): Promise<void> {
  const [own, other] = await Promise.all([ask(ours.url, path, init), ask(theirs.url, path, init)])
  expect(own, path).toEqual(JSON.parse(inWordsOf3(JSON.stringify(other))))
}

const encode = encodeURIComponent
const long = 'http_requests_total_with_a_long_name{job="something",instance="another",code!~"5.."}'

describe('an answer is that of Prometheus', () => {
  test.each([
    `query=x&time=${now}`,
    `query=y_total&time=${now}`,
    `query=zero&time=${now}`,
    `query=not&time=${now}`,
    `query=h_bucket&time=${now}`,
    `query=x[20s]&time=${now}`,
    'query=1&time=5',
    'query="a"&time=5.1234',
    'query=x&time=2020-01-01T00:00:00.123456789Z',
    `query=x+*+on(a)+x&time=${now - 3600}`,
    '',
    'query=x&time=abc',
    'query=x&timeout=abc',
    'query=x&timeout=1e20',
    'query=foo[5m',
    'query=rate(x)',
    'query=nofunction(x)',
  ])('query?%s', (parameters) => expectSame(`/api/v1/query?${parameters}`))

  test.each([
    `query=x&start=${now - 30}&end=${now}&step=10`,
    `query=x&start=${now - 30}&end=${now}&step=7.5`,
    'query=1&start=0&end=10&step=5s',
    'query=x[5m]&start=0&end=10&step=5',
    'query="s"&start=0&end=10&step=5',
    'query=x',
    'query=x&start=1',
    'query=x&start=1&end=0&step=1',
    'query=x&start=1&end=2',
    'query=x&start=1&end=2&step=0',
    'query=x&start=1&end=2&step=-1',
    'query=x&start=1&end=2&step=abc',
    'query=x&start=1&end=2&step=1e20',
    'query=x&start=0&end=11000&step=1',
    'query=x&start=0&end=11001&step=1',
  ])('query_range?%s', (parameters) => expectSame(`/api/v1/query_range?${parameters}`))

  test.each([
    'series',
    'series?match[]=x',
    'series?match[]=x&match[]=y_total&match[]={job="a"}',
    'series?match[]={}',
    'series?match[]=x[5m]',
    'series?match[]=x+offset+5m',
    'series?match[]=rate(x)',
    'series?match[]=',
    'series?match[]=x&start=abc',
    'series?match[]=x&start=0&end=1',
    'series?match[]=nope',
    'labels',
    'labels?match[]=x',
    'labels?match[]=h_bucket&match[]=zero',
    'labels?match[]=(',
    'labels?match[]={}',
    'labels?start=0&end=1',
    'labels?start=x',
    'label/job/values',
    'label/job/values?match[]=x',
    'label/job/values?match[]=x&match[]=y_total',
    'label/__name__/values?match[]={job="a"}',
    'label/nope/values',
    'label/job/values?start=0&end=1',
    'metadata',
    'metadata?limit=x',
    'targets/metadata',
    'targets/metadata?match_target=(',
    'targets/metadata?limit=x',
    'rules',
    'rules?type=x',
    'alerts',
    'status/walreplay',
    'query_exemplars',
    'query_exemplars?query=x',
    'format_query',
    'format_query?query=(',
    `format_query?query=${encode('sum(rate(x{b="1",a=~"2"}[5m]))by(job)')}`,
    `format_query?query=${encode(`sum by (job) (rate(${long}[5m] offset 1h)) / ignoring (instance) group_left () (topk(5, ${long}))`)}`,
    `format_query?query=${encode(`-(label_replace(${long} @ end(), "a", "$1", "job", "(.*)") > bool on (job) 1) or sum(${long})`)}`,
    `format_query?query=${encode(`max_over_time((${long} * ${long} and ${long})[1h:5m] offset 5m)`)}`,
    `format_query?query=${encode(`sum(max_over_time(rate(${long}[5m])[1h:5m] offset 5m) + quantile(0.9, x))`)}`,
    'read',
    'write',
  ])('%s', (path) => expectSame(`/api/v1/${path}`))

  test('to a form as to an address', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const post = (path: string, body: string) => expectSame(`/api/v1/${path}`, { method: 'POST', headers, body })
    await post('query', `query=x&time=${now}`)
    await post('query_range', `query=x&start=${now - 30}&end=${now}&step=10`)
    await post('series', 'match[]=x')
    await post('labels?match[]=h_bucket', '')
    await post('format_query', 'query=x+%2B+1')
  })
})

describe('targets', () => {
  test('on this machine are shown with the address that others see', { timeout: 30_000 }, async () => {
    interface Target {
      readonly globalUrl: string
      readonly scrapeUrl: string
    }
    const find = async ({ url, port }: { url: string; port: number }) => {
      const { body } = await ask(url, '/api/v1/targets?state=active')
      const { activeTargets } = (body as { data: { activeTargets: Target[] } }).data
      return activeTargets.map(({ globalUrl }) => globalUrl.replace(`:${port}/`, ':OWN/')).sort()
    }
    // Prometheus takes over what it discovers every five seconds.
    await waitFor('the targets', async () => (await find(theirs)).length === 4 && (await find(ours)).length === 4, { timeoutMs: 15_000 })
    expect(await find(ours)).toEqual(await find(theirs))
  })

  test('have a configuration as YAML, by their pool', async () => {
    const { body } = await ask(ours.url, '/api/v1/scrape_pools/config?scrapePool=self')
    expect((body as { data: { yaml: string } }).data.yaml).toMatch(/^job_name: self\n(.*\n)*scrape_interval: 1h\n/)
    const unknown = await ask(ours.url, '/api/v1/scrape_pools/config?scrapePool=x')
    expect(unknown.body).toMatchObject({ errorType: 'bad_data', error: 'error retrieving scrape config: scrape pool "x" not found' })
  })
})

test("the server's own metrics as JSON have what its page has", async () => {
  const { body } = await ask(
    ours.url,
    '/api/v1/status/self_metrics?metric_name_pattern=prometheus_(build_info|engine_query_duration_seconds)',
  )
  expect(body).toMatchObject({
    status: 'success',
    data: [
      { name: 'prometheus_build_info', type: 'GAUGE', metrics: [{ labels: { version: expect.any(String) }, value: '1' }] },
      {
        name: 'prometheus_engine_query_duration_seconds',
        type: 'SUMMARY',
        metrics: expect.arrayContaining([
          expect.objectContaining({ labels: { slice: 'inner_eval' }, quantiles: expect.objectContaining({ 0.9: expect.any(String) }) }),
        ]),
      },
    ],
  })
})

describe('federation', () => {
  /** Prometheus writes the series of a family in no order of their own. */
  const lines = (answer: Answer) => ({ ...answer, body: String(answer.body).split('\n') })

  test.each([
    'match[]=x&match[]={job="a"}',
    'match[]=y_total',
    'match[]=not&match[]=h_bucket',
    'match[]=nope',
    '',
    'match[]=(',
    'match[]={}',
  ])('federate?%s is answered as by Prometheus', async (parameters) => {
    const [own, other] = await Promise.all([ours, theirs].map(({ url }) => ask(url, `/federate?${parameters}`)))
    const isText = other!.status === 200
    expect(lines(own!)).toEqual({ ...lines(other!), type: isText ? federatedTypeOf3(other!.type) : other!.type })
  })
})

describe('beside the API', () => {
  test('the version is told in the shape of Prometheus, a 3.x one', async () => {
    const { status, body } = await ask(ours.url, '/version')
    expect(status).toBe(200)
    const told = JSON.parse(String(body)) as { version: string }
    expect(told.version).toMatch(/^3\.\d+\.\d+$/)
    const buildinfo = await ask(ours.url, '/api/v1/status/buildinfo')
    expect(buildinfo.body).toEqual({ status: 'success', data: told })
  })

  test('profiles are refused with one line', async () => {
    for (const path of ['/debug/pprof/', '/debug/pprof/heap']) {
      const { status, body } = await ask(ours.url, path)
      expect([status, body]).toEqual([501, 'cannot profile: this server is no Go program and has no /debug/pprof\n'])
    }
  })

  test('the syntax tree of a query is told', async () => {
    const { body } = await ask(ours.url, `/api/v1/parse_query?query=${encode('-x')}`)
    expect(body).toMatchObject({ status: 'success', data: { type: 'unaryExpr', op: '-', expr: { type: 'vectorSelector', name: 'x' } } })
    expect((await ask(ours.url, '/api/v1/parse_query?query=(')).status).toBe(400)
  })
})
