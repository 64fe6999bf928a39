import { createConnection, type AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { Labels } from '@narthex/model/labels'
import { fastify, type FastifyInstance, type InjectOptions } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { answerWithoutRoute } from '@narthex/http/no-route'
import { registerApi } from './api.ts'
import type { AdminBackend, ApiBackend, EncodedAnswer, MetadataEntry, RuleFilter } from './backend.ts'
import { ApiError } from './envelope.ts'
import { earliestMs, latestMs } from './parameters.ts'

const nowMs = 1_700_000_000_000
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const apps: FastifyInstance[] = []

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

class FakeServer {
  readonly app = fastify({ exposeHeadRoutes: false })
  apiFeatures: Record<string, boolean> = {}
  /** Calls of the query backend: kind and arguments. */
  readonly calls: [string, Record<string, unknown>][] = []
  readonly bugs: unknown[] = []
  ready = true
  stopping = false
  answers: (signal: AbortSignal) => Promise<EncodedAnswer> = () => Promise.resolve(encoded('{"status":"success","data":[]}'))
  metadata = new Map<string, MetadataEntry[]>()
  ruleFilter: RuleFilter | undefined
  reload: (() => Promise<void>) | undefined
  admin: AdminBackend | undefined
  keepsExemplars = false
  federationErrors = 0

  constructor(corsOrigin = '.*') {
    const ask = (kind: string) => (query: object, signal: AbortSignal) => {
      this.calls.push([kind, { ...query }])
      return this.answers(signal)
    }
    const isReady = () => this.ready
    const isStopping = () => this.stopping
    const reload = () => this.reload
    const admin = () => this.admin
    const keepsExemplars = () => this.keepsExemplars
    const backend: ApiBackend = {
      query: {
        instant: ask('instant'),
        range: ask('range'),
        series: ask('series'),
        labelNames: ask('labelNames'),
        labelValues: (name, query, signal) => ask('labelValues')({ name, ...query }, signal),
        exemplars: ask('exemplars'),
        federate: ask('federate'),
        export: (query, onPart) => {
          this.calls.push(['export', { ...query }])
          onPart(Buffer.from('line\n'), () => {})
          return Promise.resolve()
        },
        headStatistics: (limit, signal) => ask('headStatistics')({ limit }, signal),
      },
      remoteRead: {
        concurrencyMax: 0,
        externalLabels: () => Labels.empty,
        read: () => Promise.resolve(),
        onCount: () => {},
      },
      queries: {
        active: () => [{ id: 7 }],
        cancel: (id) => id === 7,
        top: (order, limit) => [{ order, limit }],
      },
      federation: { onError: () => void this.federationErrors++ },
      selfMetrics: (isWanted) => Promise.resolve(['a_total', 'b'].filter(isWanted).map((name) => ({ name }))),
      state: {
        targets: (state, scrapePool) => ({ state, scrapePool }),
        scrapePools: () => ({ scrapePools: [] }),
        relabelSteps: (scrapePool, labels) => {
          if (scrapePool === '') throw new Error('no scrapePool parameter provided')
          return { steps: [], labels }
        },
        scrapePoolConfig: () => ({ yaml: '' }),
        blocks: () => ({ blocks: [] }),
        targetMetadata: (matchTarget, metric, limit) => [{ matchTarget, metric, limit }],
        metadata: () => this.metadata,
        rules: (filter) => {
          this.ruleFilter = filter
          return { groups: ['a', 'b', 'c'].map((name) => ({ name, file: 'rules.yml' })) }
        },
        alerts: () => ({ alerts: [] }),
        alertmanagers: () => ({ activeAlertmanagers: [], droppedAlertmanagers: [] }),
        configYaml: () => 'global: {}\n',
        flags: () => ({ 'web.page-title': 'x' }),
        runtimeInformation: () => ({ CWD: '/' }),
        buildInformation: () => ({ version: '3' }),
        walReplay: () => ({ min: 0, max: 1, current: 1 }),
        features: () => ({ api: this.apiFeatures }),
      },
      get admin() {
        return admin()
      },
      lifecycle: {
        isReady,
        isStopping,
        get reload() {
          return reload()
        },
        quit: undefined,
      },
      limits: { timeoutMs: 120_000 },
      corsOrigin,
      reportBug: (error) => void this.bugs.push(error),
      parse: {},
      get keepsExemplars() {
        return keepsExemplars()
      },
      now: () => nowMs,
    }
    answerWithoutRoute(this.app)
    registerApi(this.app, backend)
    apps.push(this.app)
  }

  async ask(
    url: string,
    options: Partial<InjectOptions> = {},
  ): Promise<{ status: number; body: unknown; headers: Record<string, unknown> }> {
    const { statusCode, payload, headers } = await this.app.inject({ method: 'GET', url, ...options })
    const isJson = String(headers['content-type']).startsWith('application/json')
    return { status: statusCode, body: isJson ? JSON.parse(payload) : payload, headers: { ...headers } }
  }

  async errorOf(url: string, options: Partial<InjectOptions> = {}): Promise<string> {
    const { status, body } = await this.ask(url, options)
    const { errorType, error } = body as { errorType: string; error: string }
    return `${status} ${errorType}: ${error}`
  }
}

function encoded(text: string): EncodedAnswer {
  return { status: 200, body: Buffer.from(text) }
}

describe('queries', () => {
  it('take parameters from the URL and from a form, the form first', async () => {
    const server = new FakeServer()
    await server.ask('/api/v1/query?query=up&time=5&timeout=10s&limit=3&stats=all&lookback_delta=2m')
    await server.ask('/api/v1/query?query=down', { method: 'POST', headers: form, payload: 'query=up&timeout=1h&lookback_delta=0' })
    expect(server.calls).toEqual([
      ['instant', { query: 'up', timeMs: 5_000, timeoutMs: 10_000, limit: 3, stats: 'all', explain: '', lookbackMs: 120_000 }],
      ['instant', { query: 'up', timeMs: nowMs, timeoutMs: 120_000, limit: 0, stats: '', explain: '', lookbackMs: undefined }],
    ])
  })

  it('are explained, or analyzed, if they say so', async () => {
    const server = new FakeServer()
    await server.ask('/api/v1/query?query=up&explain=plan')
    await server.ask('/api/v1/query_range?query=up&start=0&end=1&step=1&explain=analyze')
    expect(server.calls.map(([, query]) => (query as { explain: string }).explain)).toEqual(['plan', 'analyze'])
    expect(await server.errorOf('/api/v1/query?query=up&explain=true')).toBe(
      '400 bad_data: invalid parameter "explain": want plan or analyze, got "true"',
    )
  })

  it('read a form whose content type names a charset, and leave bodies of other types alone', async () => {
    const server = new FakeServer()
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }
    await server.ask('/api/v1/query', { method: 'POST', headers, payload: 'query=a' })
    const json = { 'content-type': 'application/json' }
    const { status } = await server.ask('/api/v1/query?query=b', { method: 'POST', headers: json, payload: '{"query":' })
    await server.ask('/api/v1/query?query=c', { method: 'POST', headers: { 'content-type': 'text/plain' }, payload: 'query=x' })
    expect(status).toBe(200)
    expect(server.calls.map(([, query]) => query['query'])).toEqual(['a', 'b', 'c'])
  })

  it('allow 11,000 steps and refuse one more', async () => {
    const server = new FakeServer()
    const range = (end: number) => `/api/v1/query_range?query=up&start=0&step=1&end=${end}`
    expect((await server.ask(range(11_000))).status).toBe(200)
    expect((await server.ask(range(11_000.5))).status).toBe(200)
    expect(await server.errorOf(range(11_001))).toBe(
      '400 bad_data: exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    )
  })

  it("refuse wrong parameters with Prometheus' texts", async () => {
    const server = new FakeServer()
    expect(await server.errorOf('/api/v1/query_range?query=up&start=2&end=1&step=1')).toBe(
      '400 bad_data: invalid parameter "end": end timestamp must not be before start time',
    )
    expect(await server.errorOf('/api/v1/query_range?query=up&start=1&end=2&step=0')).toBe(
      '400 bad_data: invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    )
    expect(await server.errorOf('/api/v1/query?query=up&lookback_delta=x')).toBe(
      '400 bad_data: error parsing lookback delta duration: cannot parse "x" to a valid duration',
    )
    expect(await server.errorOf('/api/v1/query?query=up%7B')).toMatch(/^400 bad_data: invalid parameter "query": 1:4: parse error: /)
    expect(await server.errorOf('/api/v1/series')).toBe('400 bad_data: no match[] parameter provided')
    expect(await server.errorOf('/api/v1/labels?match[]=up%20or%20up')).toMatch(/^400 bad_data: 1:\d+: parse error: /)
    expect(await server.errorOf('/api/v1/series?match[]=%7Ba%3D~%22.*%22%7D')).toBe(
      '400 bad_data: invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    )
    expect(server.calls).toEqual([])
  })

  it('leave the parsing of very long texts to the thread of the query', async () => {
    const server = new FakeServer()
    const payload = new URLSearchParams({ query: `${'('.repeat(70_000)}` }).toString()
    expect((await server.ask('/api/v1/query', { method: 'POST', headers: form, payload })).status).toBe(200)
    expect(await server.errorOf('/api/v1/format_query', { method: 'POST', headers: form, payload })).toContain('400 bad_data')
  })

  it('ask for label values in the whole of time unless start and end are given', async () => {
    const server = new FakeServer()
    await server.ask('/api/v1/label/job/values')
    await server.ask('/api/v1/label/U__a_2e_b/values?start=1&end=2&match[]=up&match[]=down&limit=9')
    expect(server.calls).toEqual([
      ['labelValues', { name: 'job', matchers: [], startMs: earliestMs, endMs: latestMs, limit: 0 }],
      ['labelValues', { name: 'a.b', matchers: ['up', 'down'], startMs: 1_000, endMs: 2_000, limit: 9 }],
    ])
  })

  it.each([
    ['bad_data', 400],
    ['execution', 422],
    ['canceled', 499],
    ['timeout', 503],
    ['internal', 500],
    ['unavailable', 500],
    ['not_found', 404],
    ['not_acceptable', 406],
  ] as const)('answer a failure of kind %s with %i', async (kind, status) => {
    const server = new FakeServer()
    server.answers = () => Promise.reject(new ApiError(kind, 'why'))
    expect(await server.errorOf('/api/v1/query?query=up')).toBe(`${status} ${kind}: why`)
  })

  it('answer a bug as an internal error and report it', async () => {
    const server = new FakeServer()
    const bug = new TypeError('x is not a function')
    server.answers = () => Promise.reject(bug)
    expect(await server.errorOf('/api/v1/query?query=up')).toBe('500 internal: x is not a function')
    expect(server.bugs).toEqual([bug])
  })

  it('end when their client goes away', async () => {
    const server = new FakeServer()
    const aborted = Promise.withResolvers<void>()
    server.answers = (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new ApiError('canceled', 'query was canceled'))
          aborted.resolve()
        })
      })
    const url = await server.app.listen({ host: '127.0.0.1', port: 0 })
    const client = new AbortController()
    const asked = fetch(`${url}/api/v1/query?query=up`, { signal: client.signal }).catch(() => undefined)
    while (server.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    client.abort()
    await asked
    await aborted.promise
  })

  it('end half a second after their client has closed its side, which may still want what comes before', async () => {
    const server = new FakeServer()
    const aborted = Promise.withResolvers<void>()
    server.answers = async (signal) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      if (server.calls.length === 1) return encoded('{"status":"success","data":"early"}')
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new ApiError('canceled', 'query was canceled'))
          aborted.resolve()
        })
      })
    }
    Object.assign(server.app.server, { httpAllowHalfOpen: true })
    await server.app.listen({ host: '127.0.0.1', port: 0 })
    const ask = () =>
      new Promise<string>((resolve) => {
        let answer = ''
        const socket = createConnection({ port: (server.app.server.address() as AddressInfo).port, allowHalfOpen: true })
        socket.on('data', (chunk) => (answer += chunk.toString())).on('end', () => resolve(answer))
        socket.end('GET /api/v1/query?query=up HTTP/1.1\r\nHost: x\r\n\r\n')
      })
    expect(await ask()).toMatch(/^HTTP\/1.1 200 OK[^]*early/)
    const late = ask()
    await aborted.promise
    expect(await late).toMatch(/^HTTP\/1.1 499 [^]*query was canceled/)
  })

  it('are out of time at once with a timeout of nothing', async () => {
    const server = new FakeServer()
    for (const timeout of ['0', '-1', '0s', '1e-9']) {
      expect(await server.errorOf(`/api/v1/query?query=up&timeout=${timeout}`)).toBe('503 timeout: query timed out in query queue')
    }
    expect(server.calls).toEqual([])
  })

  it('compress long answers for clients that take it, and say that the answer depends on it', async () => {
    const server = new FakeServer('http://a')
    const text = `{"status":"success","data":"${'x'.repeat(5_000)}"}`
    server.answers = () => Promise.resolve(encoded(text))
    const url = '/api/v1/query?query=up'
    const { rawPayload, headers } = await server.app.inject({ url, headers: { 'accept-encoding': 'gzip' } })
    expect(gunzipSync(rawPayload).toString()).toBe(text)
    expect(headers['vary']).toBe('Origin, Accept-Encoding')
  })
})

describe('state', () => {
  it('selects metadata by metric and limits, whatever the metric is called', async () => {
    const server = new FakeServer()
    const entry = { type: 'gauge', help: 'h', unit: '' }
    server.metadata = new Map([
      ['__proto__', [entry, { ...entry, help: 'i' }]],
      ['b', [entry]],
    ])
    const names = async (query: string) => {
      const { payload } = await server.app.inject({ url: `/api/v1/metadata?${query}` })
      return payload
    }
    expect(await names('metric=__proto__&limit_per_metric=1')).toBe(
      '{"status":"success","data":{"__proto__":[{"type":"gauge","help":"h","unit":""}]}}',
    )
    expect(await names('limit=0')).toBe('{"status":"success","data":{}}')
    expect(Object.keys((JSON.parse(await names('limit=-1')) as { data: object }).data)).toEqual(['__proto__', 'b'])
    expect(await server.errorOf('/api/v1/metadata?limit=x')).toBe('400 bad_data: limit must be a number')
    expect(await server.errorOf('/api/v1/metadata?limit_per_metric=x')).toBe('400 bad_data: limit_per_metric must be a number')
  })

  it('takes a match_target that selects every target, or those without a label', async () => {
    const server = new FakeServer()
    for (const selector of ['{}', '{job!="x"}', '{job=""}']) {
      const { statusCode } = await server.app.inject({ url: '/api/v1/targets/metadata', query: { match_target: selector } })
      expect([selector, statusCode]).toEqual([selector, 200])
    }
  })

  it('refuses a wrong match_target and a wrong limit of targets/metadata', async () => {
    const server = new FakeServer()
    expect(await server.errorOf('/api/v1/targets/metadata?match_target=%7B')).toMatch(/^400 bad_data: invalid parameter "match_target": /)
    expect(await server.errorOf('/api/v1/targets/metadata?limit=x')).toBe('400 bad_data: limit must be a number')
    expect((await server.ask('/api/v1/targets/metadata?limit=2')).body).toMatchObject({ data: [{ limit: 2 }] })
  })

  it('gives the own metrics whose whole name a pattern matches', async () => {
    const server = new FakeServer()
    const namesOf = async (query: string) => (await server.ask(`/api/v1/status/self_metrics${query}`)).body
    expect(await namesOf('')).toEqual({ status: 'success', data: [{ name: 'a_total' }, { name: 'b' }] })
    expect(await namesOf('?metric_name_pattern=a_.*')).toEqual({ status: 'success', data: [{ name: 'a_total' }] })
    expect(await namesOf('?metric_name_pattern=a')).toEqual({ status: 'success', data: [] })
    expect(await server.errorOf('/api/v1/status/self_metrics?metric_name_pattern=(')).toMatch(
      /^400 bad_data: invalid parameter "metric_name_pattern": /,
    )
  })

  it('hands the rule filter on, matchers included', async () => {
    const server = new FakeServer()
    await server.ask('/api/v1/rules?type=alert&rule_name[]=a&rule_group[]=g&file[]=f&exclude_alerts=1&match[]=%7Bseverity%3D%22page%22%7D')
    expect(server.ruleFilter).toMatchObject({ type: 'alert', names: ['a'], groups: ['g'], files: ['f'], excludeAlerts: true })
    expect(server.ruleFilter?.matcherSets.map((set) => set.map(String))).toEqual([['severity="page"']])
    expect(await server.errorOf('/api/v1/rules?type=x')).toBe('400 bad_data: invalid parameter "type": not supported value "x"')
    expect(await server.errorOf('/api/v1/rules?exclude_alerts=x')).toContain('400 bad_data: invalid parameter "exclude_alerts"')
  })

  it('pages through rule groups', async () => {
    const server = new FakeServer()
    const page = async (query: string) => {
      const { data } = (await server.ask(`/api/v1/rules?${query}`)).body as {
        data: { groups: { name: string }[]; groupNextToken?: string }
      }
      return { names: data.groups.map(({ name }) => name).join(''), token: data.groupNextToken }
    }
    const first = await page('group_limit=2')
    expect(first).toMatchObject({ names: 'ab', token: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(await page(`group_limit=2&group_next_token=${first.token}`)).toEqual({ names: 'c', token: undefined })
    expect(await server.errorOf('/api/v1/rules?group_limit=0')).toContain('group_limit needs to be greater than 0')
    expect(await server.errorOf('/api/v1/rules?group_next_token=x')).toContain('group_limit needs to be present')
    expect(await server.errorOf('/api/v1/rules?group_limit=1&group_next_token=x')).toBe(
      `400 bad_data: invalid parameter "group_next_token": invalid group_next_token 'x'. were rule groups changed?`,
    )
  })

  it('shows the head statistics for limits from 1 to 10,000', async () => {
    const server = new FakeServer()
    await server.ask('/api/v1/status/tsdb')
    await server.ask('/api/v1/status/tsdb?limit=10000')
    expect(server.calls.map(([, { limit }]) => limit)).toEqual([10, 10_000])
    for (const limit of ['0', 'x']) {
      expect(await server.errorOf(`/api/v1/status/tsdb?limit=${limit}`)).toBe('400 bad_data: limit must be a positive number')
    }
    expect(await server.errorOf('/api/v1/status/tsdb?limit=10001')).toBe('400 bad_data: limit must not exceed 10000')
  })

  it('finds no exemplars while none are kept', async () => {
    const server = new FakeServer()
    expect((await server.ask('/api/v1/query_exemplars?query=up&start=1&end=1')).body).toEqual({ status: 'success', data: [] })
    expect(await server.errorOf('/api/v1/query_exemplars?query=up&start=2&end=1')).toBe(
      '400 bad_data: end timestamp must not be before start timestamp',
    )
    expect(await server.errorOf('/api/v1/query_exemplars?query=(')).toBe('400 bad_data: 1:2: parse error: unclosed left parenthesis')
    expect((await server.app.inject('/api/v1/query_exemplars?query=1')).statusCode).toBe(204)
    expect(server.calls).toEqual([])
  })

  it('asks for the exemplars of an expression, of all times unless told otherwise', async () => {
    const server = new FakeServer()
    server.keepsExemplars = true
    await server.ask('/api/v1/query_exemplars?query=up&start=1&end=2.5')
    await server.app.inject({
      method: 'POST',
      url: '/api/v1/query_exemplars',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'query=sum(up)',
    })
    expect(server.calls).toEqual([
      ['exemplars', { query: 'up', startMs: 1000, endMs: 2500 }],
      ['exemplars', { query: 'sum(up)', startMs: -8.64e15, endMs: 8.64e15 }],
    ])
  })

  it('says of an endpoint that is not switched on that it is not, and of one that is not built, too', async () => {
    const server = new FakeServer()
    const headers = { 'content-type': 'application/x-protobuf' }
    const { status, body } = await server.ask('/api/v1/otlp/v1/metrics', { method: 'POST', headers, payload: Buffer.from([1, 2]) })
    expect([status, body]).toEqual([404, 'otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n'])
    expect(await server.errorOf('/api/v1/search/label_names')).toBe('500 unavailable: search API disabled')
    server.apiFeatures = { search: true, otlp_write_receiver: true }
    expect(await server.errorOf('/api/v1/search/label_names')).toBe('406 not_acceptable: cannot answer: the search is not built yet')
    expect(await server.errorOf('/api/v1/otlp/v1/metrics', { method: 'POST', headers, payload: Buffer.from([1, 2]) })).toBe(
      '406 not_acceptable: cannot answer: OTLP is not built yet',
    )
    expect(await server.ask('/api/v1/nothing')).toMatchObject({ status: 404, body: '404 page not found\n' })
    expect(await server.ask('/api/v1/labels', { method: 'PUT' })).toMatchObject({ status: 405, body: 'Method Not Allowed\n' })
  })

  it('answers HEAD of the health pages alone', async () => {
    const server = new FakeServer()
    const head = async (url: string) => {
      const { status, body, headers } = await server.ask(url, { method: 'HEAD' })
      return [status, body, headers['allow']]
    }
    for (const page of ['healthy', 'ready']) expect(await head(`/-/${page}`)).toEqual([200, '', undefined])
    for (const url of ['/version', '/federate', '/api/v1/label/job/values', '/api/v1/rules', '/api/v1/status/tsdb'])
      expect([url, ...(await head(url))]).toEqual([url, 405, '', 'GET, OPTIONS'])
    for (const url of ['/api/v1/query?query=1', '/api/v1/series', '/api/v1/labels'])
      expect([url, ...(await head(url))]).toEqual([url, 405, '', 'GET, OPTIONS, POST'])
    expect(await head('/api/v1/admin/tsdb/snapshot')).toEqual([405, '', 'OPTIONS, POST, PUT'])
    expect(await head('/api/v1/nothing')).toEqual([404, '', undefined])
  })
})

describe('the book of queries', () => {
  it('lists those that run and ends one by its number', async () => {
    const server = new FakeServer()
    const success = (data: unknown) => ({ status: 200, body: { status: 'success', data } })
    expect(await server.ask('/api/v1/status/active_queries')).toMatchObject(success({ queries: [{ id: 7 }] }))
    const cancel = (id: string) => server.ask(`/api/v1/status/active_queries/${id}/cancel`, { method: 'POST' })
    expect(await cancel('7')).toMatchObject(success({ id: 7 }))
    expect(await cancel('8')).toMatchObject({ status: 404, body: { error: 'cannot cancel query 8: no such query runs or waits' } })
    expect(await cancel('x')).toMatchObject({ status: 400, body: { errorType: 'bad_data' } })
  })

  it('lists the greatest by an order, 20 unless told otherwise and 1,000 at most', async () => {
    const server = new FakeServer()
    const top = (parameters: string) => server.ask(`/api/v1/status/top_queries${parameters}`)
    expect(await top('')).toMatchObject({ body: { data: { order: 'duration', queries: [{ limit: 20 }] } } })
    expect(await top('?order=memory&limit=1000')).toMatchObject({ body: { data: { order: 'memory', queries: [{ limit: 1000 }] } } })
    expect([(await top('?limit=1001')).status, (await top('?limit=0')).status, (await top('?order=x')).status]).toEqual([400, 400, 400])
  })
})

describe('other origins', () => {
  it('may read the API and ask before', async () => {
    const server = new FakeServer()
    const headers = { origin: 'https://grafana.test' }
    expect((await server.ask('/api/v1/alerts', { headers })).headers).toMatchObject({ 'access-control-allow-origin': '*' })
    const asked = await server.ask('/api/v1/query', { method: 'OPTIONS', headers })
    expect(asked).toMatchObject({ status: 204, headers: { 'access-control-allow-methods': 'GET, POST, OPTIONS' } })
  })

  it('are only those that the expression names, and never read the health pages', async () => {
    const server = new FakeServer('https?://a\\.test')
    const origin = async (url: string, given: string) =>
      (await server.ask(url, { headers: { origin: given } })).headers['access-control-allow-origin']
    expect(await origin('/api/v1/alerts', 'https://a.test')).toBe('https://a.test')
    expect(await origin('/api/v1/alerts', 'https://a.test.evil')).toBeUndefined()
    expect(await origin('/-/healthy', 'https://a.test')).toBeUndefined()
  })
})

describe('the lifecycle', () => {
  it('answers 503 until ready and says whether it is stopping', async () => {
    const server = new FakeServer()
    server.ready = false
    for (const url of ['/api/v1/query?query=up', '/-/ready']) {
      const { status, body, headers } = await server.ask(url)
      expect([status, body, headers['x-prometheus-stopping']]).toEqual([503, 'Service Unavailable', 'false'])
    }
    server.stopping = true
    expect((await server.ask('/-/ready')).headers['x-prometheus-stopping']).toBe('true')
    expect((await server.ask('/-/healthy')).status).toBe(200)
    expect(server.calls).toEqual([])
  })

  it('reloads by POST or PUT when it is allowed to', async () => {
    const server = new FakeServer()
    expect(await server.ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 403, body: 'Lifecycle API is not enabled.' })
    server.reload = () => Promise.resolve()
    expect(await server.ask('/-/reload', { method: 'PUT', headers: form, payload: 'x' })).toMatchObject({ status: 200, body: '' })
    server.reload = () => Promise.reject(new Error('line 3'))
    expect(await server.ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 500, body: 'failed to reload config: line 3\n' })
    expect((await server.ask('/-/quit')).status).toBe(405)
  })
})

describe('the admin API', () => {
  const actions = ['delete_series', 'clean_tombstones', 'snapshot']

  /** A storage that notes what is asked of it. */
  function enable(server: FakeServer, fails = false): string[] {
    const asked: string[] = []
    const note = (text: string): Promise<void> => {
      asked.push(text)
      return fails ? Promise.reject(new Error('no room')) : Promise.resolve()
    }
    server.admin = {
      deleteSeries: (sets, startMs, endMs) => note(`delete ${sets.map(String).join(' | ')} ${startMs} ${endMs}`),
      cleanTombstones: () => note('clean'),
      snapshot: (withHead) => note(`snapshot ${withHead}`).then(() => 'a-name'),
    }
    return asked
  }

  it('is off unless it was asked for', async () => {
    const server = new FakeServer()
    for (const action of actions) {
      expect(await server.errorOf(`/api/v1/admin/tsdb/${action}?match[]=up`, { method: 'POST' })).toBe(
        '500 unavailable: admin APIs disabled',
      )
    }
  })

  it('takes POST and PUT, with parameters in the URL and in a form', async () => {
    const server = new FakeServer()
    const asked = enable(server)
    const url = '/api/v1/admin/tsdb/delete_series'
    const done = await server.ask(`${url}?start=5`, {
      method: 'PUT',
      headers: form,
      payload: 'match[]=up{a="b"}&match[]={c=~"d|e"}&end=7.5',
    })
    expect(done).toMatchObject({ status: 204, body: '' })
    expect((await server.ask(`${url}?match[]=up`, { method: 'POST' })).status).toBe(204)
    expect((await server.ask('/api/v1/admin/tsdb/clean_tombstones', { method: 'POST' })).status).toBe(204)
    for (const query of ['', '?skip_head=true', '?skip_head=0']) {
      const { body } = await server.ask(`/api/v1/admin/tsdb/snapshot${query}`, { method: 'POST' })
      expect(body).toEqual({ status: 'success', data: { name: 'a-name' } })
    }
    expect(asked).toEqual([
      'delete a="b",__name__="up" | c=~"d|e" 5000 7500',
      `delete __name__="up" ${earliestMs} ${latestMs}`,
      'clean',
      'snapshot true',
      'snapshot false',
      'snapshot true',
    ])
  })

  it('refuses other methods', async () => {
    const server = new FakeServer()
    enable(server)
    for (const action of actions) {
      for (const method of ['GET', 'DELETE', 'PATCH'] as const) {
        const { status, body, headers } = await server.ask(`/api/v1/admin/tsdb/${action}`, { method })
        expect([status, body, headers['allow']]).toEqual([405, 'Method Not Allowed\n', 'OPTIONS, POST, PUT'])
      }
    }
  })

  it('deletes nothing if one selector is wrong, and nothing for one without matchers', async () => {
    const server = new FakeServer()
    const asked = enable(server)
    const errorOf = (query: string): Promise<string> => server.errorOf(`/api/v1/admin/tsdb/delete_series${query}`, { method: 'POST' })
    expect(await errorOf('')).toBe('400 bad_data: no match[] parameter provided')
    expect(await errorOf('?match[]=up&match[]=a{')).toBe(
      '400 bad_data: invalid parameter "match[]": 1:3: parse error: unexpected end of input inside braces',
    )
    const long = (length: number): string => `?match[]=${'a'.repeat(length)}`
    expect(await errorOf(long(64 * 1024 + 1))).toBe('400 bad_data: invalid parameter "match[]": want at most 65536 characters')
    expect(asked).toEqual([])
    expect((await server.ask(`/api/v1/admin/tsdb/delete_series${long(64 * 1024)}`, { method: 'POST' })).status).toBe(204)
    await server.ask('/api/v1/admin/tsdb/delete_series?match[]={}&start=1&end=2', { method: 'POST' })
    expect(asked[1]).toBe('delete  1000 2000')
  })

  it('tells what the storage could not do, as an internal error that is no bug', async () => {
    const server = new FakeServer()
    enable(server, true)
    const errorOf = (action: string): Promise<string> => server.errorOf(`/api/v1/admin/tsdb/${action}`, { method: 'POST' })
    expect(await errorOf('delete_series?match[]=up')).toBe('500 internal: no room')
    expect(await errorOf('clean_tombstones')).toBe('500 internal: no room')
    expect(await errorOf('snapshot')).toBe('500 internal: create snapshot: no room')
    expect(await errorOf('snapshot?skip_head=x')).toBe(
      '400 bad_data: invalid parameter "skip_head": unable to parse boolean: strconv.ParseBool: parsing "x": invalid syntax',
    )
    expect(server.bugs).toEqual([])
  })
})
