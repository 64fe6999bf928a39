import { gunzipSync } from 'node:zlib'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { writeRequest, type WriteSeries } from '../kit/remote-write.ts'
import { startPrometheus, type Service } from '../kit/services.ts'

// What a Prometheus data source of Grafana asks: connection test, query editor, dashboards with variables, annotations and exemplars, alert lists. Each
// request goes to our server and to Debian's Prometheus; answers have to be the same, or of the same shape where they tell of the server itself.

const nowMs = Math.floor(Date.now() / 15_000) * 15_000
const [from, to] = [nowMs / 1000 - 3_600, nowMs / 1000]
const rules =
  'groups: [{name: g, interval: 1s, rules: [{record: "job:http:rate5m", expr: "sum by (job) (rate(http_total[5m]))"}, {alert: Up, expr: up == 1, labels: {severity: page}, annotations: {summary: "{{ $labels.instance }}"}}]}]\n'
const config = 'rule_files: [rules.yml]\n'
const args = ['--enable-feature=exemplar-storage']
let ours: NarthexProcess
let theirs: Service

interface Recorded {
  readonly what: string
  readonly path: string
  /** A form; absent: GET. */
  readonly form?: Readonly<Record<string, string | readonly string[]>>
  readonly headers?: Readonly<Record<string, string>>
  /** Compared by shape only: it tells of the server. */
  readonly isOwn?: boolean
}

const window = { start: String(from), end: String(to) }
const get = `start=${from}&end=${to}`
const encode = encodeURIComponent
const range = (query: string, step = '15') => ({ query, ...window, step })
const recorded: readonly Recorded[] = [
  { what: 'connection test', path: 'query', form: { query: '1+1', time: '4' } },
  { what: 'kind and version of the server', path: 'status/buildinfo', isOwn: true },
  { what: 'hints of recording rules', path: 'rules', isOwn: true },
  { what: 'help of metrics', path: 'metadata' },
  { what: 'help of metrics, newer', path: 'metadata?limit=40000&limit_per_metric=1' },
  { what: 'names of labels', path: `labels?${get}` },
  { what: 'names of labels by form', path: 'labels', form: window },
  { what: 'names of labels of a metric', path: `labels?${get}&match[]=${encode('{__name__="http_total"}')}` },
  { what: 'names of metrics', path: `label/__name__/values?${get}` },
  { what: 'names of metrics with a filter', path: `label/__name__/values?${get}&match[]=${encode('{job="api"}')}` },
  { what: 'values of a variable', path: `label/instance/values?${get}&match[]=${encode('http_total{job=~"api|web"}')}` },
  { what: 'values of a label that is not there', path: `label/nothing/values?${get}` },
  { what: 'series of a metric', path: 'series', form: { ...window, 'match[]': ['http_total{job="api"}'] } },
  { what: 'series of several selectors', path: `series?${get}&match[]=up&match[]=${encode('latency_bucket{le="+Inf"}')}` },
  { what: 'a graph', path: 'query_range', form: range('rate(http_total{job="api"}[1m])') },
  { what: 'a graph of sums', path: 'query_range', form: range('sum by (job) (rate(http_total[1m0s]))', '60') },
  {
    what: 'a graph with a fraction as step',
    path: 'query_range',
    form: { query: 'up', start: String(to - 10.5), end: String(to), step: '0.5' },
  },
  { what: 'a heatmap', path: 'query_range', form: range('sum by (le) (increase(latency_bucket[1m]))', '60') },
  { what: 'a quantile', path: 'query_range', form: range('histogram_quantile(0.95, sum by (le) (rate(latency_bucket[5m])))', '60') },
  { what: 'a graph of nothing', path: 'query_range', form: range('nothing') },
  { what: 'a stat', path: 'query', form: { query: 'count(up)', time: String(to) } },
  { what: 'a table', path: 'query', form: { query: 'topk(3, http_total)', time: String(to) } },
  { what: 'query_result of a variable', path: `query?query=${encode('max by (job) (http_total)')}&time=${to}` },
  { what: 'annotations', path: 'query_range', form: range('ALERTS{alertname="x"}', '60') },
  { what: 'exemplars of a graph', path: 'query_exemplars', form: { query: 'sum by (le) (rate(latency_bucket[5m]))', ...window } },
  { what: 'a query that is being typed', path: 'query_range', form: range('rate(http_total{job="api"') },
  { what: 'a query of the wrong type', path: 'query_range', form: range('http_total[5m]') },
  { what: 'too many points', path: 'query_range', form: { query: 'up', start: '0', end: String(to), step: '1' } },
  { what: 'alert list', path: 'alerts', isOwn: true },
  { what: 'alert rules', path: 'rules?type=alert', isOwn: true },
  { what: 'a preflight of a browser', path: 'query_range', headers: { origin: 'http://grafana', 'access-control-request-method': 'POST' } },
]

beforeAll(async () => {
  const files = { 'rules.yml': rules }
  ;[ours, theirs] = await Promise.all([startNarthex('server', { config, args, files }), startPrometheus({ config, args, files })])
  const series: WriteSeries[] = []
  // A quarter of a second beside the steps, where no edge of a window lies.
  const samples = (factor: number) =>
    Array.from({ length: 240 }, (_, k) => [nowMs - (240 - k) * 15_000 + 250, Math.floor(k * factor)] as const)
  for (const [job, instance, factor] of [
    ['api', 'a:1', 3],
    ['api', 'b:1', 5],
    ['web', 'c:1', 7],
  ] as const) {
    series.push({ labels: { __name__: 'http_total', job, instance }, samples: samples(factor) })
    series.push({ labels: { __name__: 'up', job, instance }, samples: samples(0).map(([time]) => [time, 1] as const) })
  }
  for (const [rank, le] of ['0.1', '1', '+Inf'].entries()) {
    const exemplars = le === '1' ? [{ labels: { trace_id: 't' }, value: 0.5, timeMs: nowMs - 20_000 }] : []
    series.push({ labels: { __name__: 'latency_bucket', le }, samples: samples(rank + 1), exemplars })
  }
  for (const { url } of [ours, theirs]) await writeRequest(url, series)
  const hasAlerts = async (url: string) => JSON.stringify((await ask(url, { what: '', path: 'alerts' })).body).includes('"firing"')
  await waitFor('alerts', async () => (await hasAlerts(ours.url)) && (await hasAlerts(theirs.url)), { timeoutMs: 20_000 })
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/** As Grafana's backend asks: packed answers are taken. */
function ask(url: string, { path, form, headers = {} }: Recorded): Promise<Answer> {
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(form ?? {})) for (const one of [value].flat()) body.append(name, one)
  const method = 'access-control-request-method' in headers ? 'OPTIONS' : form === undefined ? 'GET' : 'POST'
  const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
  const sent = { 'user-agent': 'Grafana/11.2.0', 'accept-encoding': 'gzip', ...type, ...headers }
  return new Promise((resolve, reject) => {
    const call = request(`${url}/api/v1/${path}`, { method, headers: sent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const whole = Buffer.concat(chunks)
        const text = (response.headers['content-encoding'] === 'gzip' && whole.length > 0 ? gunzipSync(whole) : whole).toString()
        const isJson = response.headers['content-type'] === 'application/json'
        resolve({ status: response.statusCode!, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : text })
      })
    })
    call.on('error', reject)
    call.end(form === undefined ? undefined : body.toString())
  })
}

/** Types in place of values; of lists the shape of the first entry. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
}

/** Without what came with Prometheus 3, which also names the parameter of a range query that is wrong. */
function withoutNews(body: unknown): unknown {
  const news = new Set(['groupNextToken', 'keepFiringFor', 'keepFiringSince'])
  return JSON.parse(JSON.stringify(body), (key, value: unknown) => {
    if (key === 'error') return String(value).replace('invalid parameter "query": ', '')
    return news.has(key) ? undefined : value
  }) as unknown
}

describe('Grafana is answered as by Prometheus:', () => {
  test.each(recorded)('$what', async (asked) => {
    const [own, other] = await Promise.all([ask(ours.url, asked), ask(theirs.url, asked)])
    expect(own.status).toBe(other.status)
    expect(own.headers['content-type']).toBe(other.headers['content-type'])
    if (asked.isOwn === true) expect(shapeOf(withoutNews(own.body))).toMatchObject(shapeOf(withoutNews(other.body)) as object)
    else expect(withoutNews(own.body)).toEqual(withoutNews(other.body))
    for (const name of [
      'access-control-allow-origin',
      'access-control-allow-methods',
      'access-control-allow-headers',
      'access-control-expose-headers',
    ]) {
      expect(own.headers[name], name).toBe(other.headers[name])
    }
  })

  test('the version lets label values be filtered, which Grafana wants 2.24 for', async () => {
    const { body } = await ask(ours.url, { what: '', path: 'status/buildinfo' })
    const [major] = (body as { data: { version: string } }).data.version.split('.').map(Number)
    expect(major).toBe(3)
  })
})
