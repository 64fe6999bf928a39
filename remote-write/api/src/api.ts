import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseExpression, parseMetricSelector, type ParseOptions } from '@narthex/promql/parse/parse'
import { printExpression } from '@narthex/promql/parse/print'
import type { ApiBackend, EncodedAnswer, SeriesQuery } from './backend.ts'
import { ApiError, encodeError, encodeSuccess } from './envelope.ts'
import { earliestMs, invalidParameter, latestMs, Parameters } from './parameters.ts'

type Answer = string | EncodedAnswer
type Handler = (parameters: Parameters, signal: AbortSignal, path: Record<string, string>) => Answer | Promise<Answer>

/** Points per series that one range query may return, as Prometheus' API limits it. */
const pointsMax = 11_000
const formBytesMax = 16 * 1024 * 1024

/** Adds /api/v1/… and /-/… to an HTTP server (optionally under a route prefix). */
export function registerApi(server: FastifyInstance, backend: ApiBackend, prefix = ''): void {
  if (!server.hasContentTypeParser('application/x-www-form-urlencoded')) {
    const options = { parseAs: 'string', bodyLimit: formBytesMax } as const
    server.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, body, done) => done(null, body))
  }
  const both = (path: string, handler: Handler) => {
    server.get(prefix + path, (request, reply) => answer(backend, request, reply, handler))
    server.post(prefix + path, (request, reply) => answer(backend, request, reply, handler))
  }
  const get = (path: string, handler: Handler) => {
    server.get(prefix + path, (request, reply) => answer(backend, request, reply, handler))
  }
  registerQueries(both, get, backend)
  registerState(get, backend)
  for (const [path, what] of notBuilt) both(path, () => notBuiltYet(what))
  server.all(`${prefix}/api/v1/*`, (_request, reply) => send(reply, 404, encodeError('not_found', 'no such API endpoint')))
  registerLifecycle(server, backend, prefix)
}

// Endpoints of Prometheus that answer with one clear error until their part is built.
const notBuilt: readonly [path: string, what: string][] = [
  ['/api/v1/query_exemplars', 'exemplar queries'],
  ['/api/v1/read', 'remote read'],
  ['/api/v1/parse_query', 'the syntax tree of a query'],
  ['/api/v1/notifications', 'notifications'],
  ['/api/v1/targets/relabel_steps', 'relabel steps'],
  ['/api/v1/scrape_pools/config', 'the configuration of a scrape pool'],
  ['/api/v1/status/tsdb/blocks', 'blocks'],
  ['/api/v1/admin/tsdb/delete_series', 'deleting series'],
  ['/api/v1/admin/tsdb/clean_tombstones', 'cleaning tombstones'],
  ['/api/v1/admin/tsdb/snapshot', 'snapshots'],
  ['/api/v1/otlp/v1/metrics', 'OTLP'],
  ['/federate', 'federation'],
]

function notBuiltYet(what: string): never {
  throw new ApiError('not_acceptable', `cannot answer: ${what} is not built yet`)
}

type Register = (path: string, handler: Handler) => void

function registerQueries(both: Register, get: Register, backend: ApiBackend): void {
  both('/api/v1/query', (parameters, signal) => {
    const timeMs = parameters.timeMs('time', backend.now())
    return backend.query.instant({ ...queryOptions(parameters, backend), timeMs }, signal)
  })
  both('/api/v1/query_range', (parameters, signal) => {
    const startMs = parameters.requiredTimeMs('start')
    const endMs = parameters.requiredTimeMs('end')
    if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time')
    const stepMs = parameters.requiredDurationMs('step')
    if (stepMs <= 0)
      throw invalidParameter('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer')
    if ((endMs - startMs) / stepMs > pointsMax) {
      const advice = 'Try decreasing the query resolution (?step=XX)'
      throw new ApiError('bad_data', `exceeded maximum resolution of ${pointsMax.toLocaleString('en-US')} points per timeseries. ${advice}`)
    }
    return backend.query.range({ ...queryOptions(parameters, backend), startMs, endMs, stepMs }, signal)
  })
  both('/api/v1/format_query', (parameters) => encodeSuccess(printExpression(parseQuery(parameters.get('query'), backend.parse))))
  both('/api/v1/series', (parameters, signal) => {
    if (parameters.all('match[]').length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
    return backend.query.series(seriesQuery(parameters), signal)
  })
  both('/api/v1/labels', (parameters, signal) => backend.query.labelNames(seriesQuery(parameters), signal))
  get('/api/v1/label/:name/values', (parameters, signal, path) => {
    const name = unescapeLabelName(path['name'] ?? '')
    if (name === '') throw new ApiError('bad_data', `invalid label name: ${JSON.stringify(name)}`)
    return backend.query.labelValues(name, seriesQuery(parameters), signal)
  })
}

function registerState(get: Register, backend: ApiBackend): void {
  const { state } = backend
  get('/api/v1/metadata', (parameters) => encodeSuccess(selectMetadata(backend, parameters)))
  get('/api/v1/targets', (parameters) => {
    const wanted = parameters.get('state').toLowerCase()
    return encodeSuccess(state.targets(wanted === '' ? 'any' : wanted, parameters.get('scrapePool')))
  })
  get('/api/v1/targets/metadata', (parameters) => {
    const limit = parameters.get('limit') === '' ? -1 : parameters.limit()
    return encodeSuccess(state.targetMetadata(parameters.get('match_target'), parameters.get('metric'), limit))
  })
  get('/api/v1/scrape_pools', () => encodeSuccess(state.scrapePools()))
  get('/api/v1/rules', (parameters) => {
    const type = parameters.get('type').toLowerCase()
    if (!['', 'alert', 'record'].includes(type)) throw invalidParameter('type', `not supported value ${JSON.stringify(type)}`)
    const filter = { type, names: parameters.all('rule_name[]'), groups: parameters.all('rule_group[]'), files: parameters.all('file[]') }
    return encodeSuccess(state.rules({ ...filter, excludeAlerts: parameters.get('exclude_alerts').toLowerCase() === 'true' }))
  })
  get('/api/v1/alerts', () => encodeSuccess(state.alerts()))
  get('/api/v1/alertmanagers', () => encodeSuccess(state.alertmanagers()))
  get('/api/v1/status/config', () => encodeSuccess({ yaml: state.configYaml() }))
  get('/api/v1/status/flags', () => encodeSuccess(state.flags()))
  get('/api/v1/status/runtimeinfo', () => encodeSuccess(state.runtimeInformation()))
  get('/api/v1/status/buildinfo', () => encodeSuccess(state.buildInformation()))
  get('/api/v1/status/walreplay', () => encodeSuccess(state.walReplay()))
  get('/api/v1/features', () => encodeSuccess(state.features()))
  get('/api/v1/status/tsdb', (parameters, signal) => {
    const limit = parameters.get('limit') === '' ? 10 : parameters.limit()
    if (limit < 1 || limit > 10_000)
      throw new ApiError('bad_data', limit < 1 ? 'limit must be a positive number' : 'limit must not exceed 10000')
    return backend.query.headStatistics(limit, signal)
  })
}

function registerLifecycle(server: FastifyInstance, backend: ApiBackend, prefix: string): void {
  const { lifecycle } = backend
  const text = (reply: FastifyReply, status: number, body: string) => reply.code(status).type('text/plain; charset=utf-8').send(body)
  server.get(`${prefix}/-/healthy`, (_request, reply) => text(reply, 200, 'Narthex is Healthy.\n'))
  server.get(`${prefix}/-/ready`, (_request, reply) => {
    if (lifecycle.isReady()) return text(reply, 200, 'Narthex is Ready.\n')
    void reply.header('X-Prometheus-Stopping', String(lifecycle.isStopping()))
    return text(reply, 503, 'Service Unavailable')
  })
  const act = async (reply: FastifyReply, action: (() => Promise<void> | void) | undefined, done: string, failure: string) => {
    if (!action) return text(reply, 403, 'Lifecycle API is not enabled.')
    try {
      await action()
      return await text(reply, 200, done)
    } catch (error) {
      return text(reply, 500, `${failure}: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
  for (const method of ['POST', 'PUT'] as const) {
    const reload = (reply: FastifyReply) => act(reply, lifecycle.reload, '', 'failed to reload config')
    server.route({ method, url: `${prefix}/-/reload`, handler: (_request, reply) => reload(reply) })
    const quit = (reply: FastifyReply) => act(reply, lifecycle.quit, 'Requesting termination... Goodbye!', 'failed to stop')
    server.route({ method, url: `${prefix}/-/quit`, handler: (_request, reply) => quit(reply) })
  }
}

async function answer(backend: ApiBackend, request: FastifyRequest, reply: FastifyReply, handler: Handler): Promise<FastifyReply> {
  if (!backend.lifecycle.isReady()) {
    void reply.header('X-Prometheus-Stopping', String(backend.lifecycle.isStopping()))
    return reply.code(503).type('text/plain; charset=utf-8').send('Service Unavailable')
  }
  // A client that goes away cancels its query.
  const abort = new AbortController()
  const onClose = () => {
    if (!reply.raw.writableFinished) abort.abort()
  }
  reply.raw.once('close', onClose)
  try {
    const result = await handler(readParameters(request), abort.signal, request.params as Record<string, string>)
    if (typeof result === 'string') return send(reply, 200, result)
    return send(reply, result.status, result.body)
  } catch (error) {
    if (error instanceof ApiError) return send(reply, error.status, encodeError(error.kind, error.message))
    throw error
  }
}

function send(reply: FastifyReply, status: number, body: string | Uint8Array): FastifyReply {
  return reply.code(status).type('application/json').send(body)
}

function readParameters(request: FastifyRequest): Parameters {
  const queryStart = request.url.indexOf('?')
  const form = typeof request.body === 'string' ? request.body : ''
  // Form values stand before those of the URL, as in Go's Request.Form.
  const merged = new URLSearchParams(form)
  if (queryStart >= 0) for (const [name, value] of new URLSearchParams(request.url.slice(queryStart + 1))) merged.append(name, value)
  return new Parameters(merged)
}

function queryOptions(parameters: Parameters, backend: ApiBackend) {
  const query = parameters.get('query')
  parseQuery(query, backend.parse)
  const asked = parameters.durationMs('timeout')
  const timeoutMs = asked === undefined ? backend.limits.timeoutMs : Math.min(asked, backend.limits.timeoutMs)
  const lookbackMs = parameters.durationMs('lookback_delta')
  if (lookbackMs !== undefined && lookbackMs <= 0) throw new ApiError('bad_data', 'error parsing lookback delta duration: must be positive')
  return { query, timeoutMs, lookbackMs, limit: parameters.limit(), stats: parameters.get('stats') }
}

// The text is parsed here only to answer a malformed query before it takes a place in the queue; the worker parses it again.
function parseQuery(query: string, options: ParseOptions) {
  try {
    return parseExpression(query, options)
  } catch (error) {
    throw invalidParameter('query', error instanceof Error ? error.message : String(error))
  }
}

function seriesQuery(parameters: Parameters): SeriesQuery {
  const matchers = parameters.all('match[]')
  for (const selector of matchers) {
    try {
      parseMetricSelector(selector)
    } catch (error) {
      throw invalidParameter('match[]', error instanceof Error ? error.message : String(error))
    }
  }
  const startMs = parameters.timeMs('start', earliestMs)
  const endMs = parameters.timeMs('end', latestMs)
  return { matchers, startMs, endMs, limit: parameters.limit() }
}

function selectMetadata(backend: ApiBackend, parameters: Parameters): Record<string, unknown> {
  const wanted = parameters.get('metric')
  const limit = parameters.get('limit') === '' ? -1 : parameters.limit()
  const perMetric = parameters.get('limit_per_metric') === '' ? -1 : parameters.limit('limit_per_metric')
  const selected: Record<string, unknown> = {}
  let count = 0
  for (const [metric, entries] of backend.state.metadata()) {
    if (limit >= 0 && count >= limit) break
    if (wanted !== '' && metric !== wanted) continue
    selected[metric] = perMetric > 0 ? entries.slice(0, perMetric) : entries
    count++
  }
  return selected
}

/** `U__a_2e_b` → `a.b`: the escaping of names that do not fit into a URL path (Prometheus' "values" escaping scheme). */
function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name
  const rest = name.slice(3)
  let out = ''
  for (let i = 0; i < rest.length; i++) {
    if (rest[i] !== '_') {
      out += rest[i]
    } else if (rest[i + 1] === '_') {
      out += '_'
      i++
    } else {
      const end = rest.indexOf('_', i + 1)
      const code = rest.slice(i + 1, end)
      if (end < 0 || !/^[0-9a-fA-F]{1,6}$/.test(code) || Number.parseInt(code, 16) > 0x10ffff) return name
      out += String.fromCodePoint(Number.parseInt(code, 16))
      i = end
    }
  }
  return out
}
