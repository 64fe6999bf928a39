import { createHash } from 'node:crypto'
import { sendCompressed } from '@narthex/http/compress'
import { addCors } from '@narthex/http/cors'
import { compileRegex } from '@narthex/model/regex'
import type { Expression } from '@narthex/promql/parse/ast'
import { extractSelectors } from '@narthex/promql/parse/extract-selectors'
import { parseAnySelector, parseExpression, parseMetricSelector, type ParseOptions } from '@narthex/promql/parse/parse'
import { prettifyExpression } from '@narthex/promql/parse/prettify'
import { describeTree } from '@narthex/promql/parse/tree-json'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { registerAdmin } from './admin.ts'
import { abortOnClose } from './abort-on-close.ts'
import type { ApiBackend, EncodedAnswer, Explain, QueryClient, RuleGroupsView, SeriesQuery } from './backend.ts'
import { ApiError, encodeError, encodeSuccess } from './envelope.ts'
import { earliestMs, invalidParameter, latestMs, Parameters, parseFlag, parseSpan, readInteger } from './parameters.ts'
import { registerExport } from './export.ts'
import { registerFederation } from './federation.ts'
import { registerQueryBook } from './query-book.ts'
import { registerRemoteRead } from './remote-read.ts'

/** Undefined: 204. */
type Answer = string | EncodedAnswer | undefined
type Handler = (parameters: Parameters, signal: AbortSignal, path: Record<string, string>, client: QueryClient) => Answer | Promise<Answer>

/** Points per series that one range query may return, as Prometheus' API limits it. */
const pointsMax = 11_000
/** As Go's `ParseForm`. */
const formBytesMax = 10 * 1024 * 1024
/** Texts up to this length are parsed in this thread to refuse them early; longer ones by the query's own thread alone. */
const earlyParseLengthMax = 64 * 1024

/** Adds /api/v1/… and /-/… to an HTTP server. Throws when `corsOrigin` is no expression. */
export function registerApi(server: FastifyInstance, backend: ApiBackend): void {
  // Scopes of their own: their way with bodies and their headers are not for other routes.
  void server.register((scope, _options, done) => {
    readForms(scope)
    registerLifecycle(scope, backend)
    registerFederation(scope, backend)
    registerProgram(scope, backend)
    void scope.register((api, _apiOptions, apiDone) => {
      addCors(api, backend.corsOrigin)
      registerRoutes(api, backend)
      registerRemoteRead(api, backend)
      apiDone()
    })
    done()
  })
}

// Form fields count as parameters; a body of any other type is read and left alone, as Go's `Request.Form` does.
function readForms(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  const options = { parseAs: 'string', bodyLimit: formBytesMax } as const
  scope.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, body, done) => done(null, body))
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: formBytesMax }, (_request, _body, done) => done(null, undefined))
}

function registerRoutes(server: FastifyInstance, backend: ApiBackend): void {
  const both = (path: string, handler: Handler) => {
    server.get(path, (request, reply) => answer(backend, request, reply, handler))
    server.post(path, (request, reply) => answer(backend, request, reply, handler))
  }
  const get = (path: string, handler: Handler) => {
    server.get(path, (request, reply) => answer(backend, request, reply, handler))
  }
  registerQueries(both, get, backend)
  registerState(get, backend)
  registerQueryBook(get, (path, handler) => server.post(path, (request, reply) => answer(backend, request, reply, handler)), backend)
  registerAdmin((path, handler) => {
    server.route({ method: ['POST', 'PUT'], url: path, handler: (request, reply) => answer(backend, request, reply, handler) })
  }, backend)
  registerExport(server, backend, { readParameters, checkSelector: (selector) => checkSelector(selector, true) })
  for (const [path, what] of notBuilt) get(path, () => notBuiltYet(what))
  const isOn = (feature: string) => backend.state.features()['api']?.[feature] === true
  for (const kind of ['metric_names', 'label_names', 'label_values']) {
    both(`/api/v1/search/${kind}`, () => {
      if (!isOn('search')) throw new ApiError('unavailable', 'search API disabled')
      return notBuiltYet('the search')
    })
  }
  server.post('/api/v1/otlp/v1/metrics', (request, reply) => {
    if (isOn('otlp_write_receiver')) return answer(backend, request, reply, () => notBuiltYet('OTLP'))
    const refusal = 'otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n'
    return reply.code(404).type('text/plain; charset=utf-8').send(refusal)
  })
  // What browsers ask before a request from another origin; the CORS headers are the answer.
  server.options('/api/v1/*', (_request, reply) => reply.code(204).send())
}

// Endpoints of Prometheus that answer with one clear error until their part is built.
const notBuilt: readonly [path: string, what: string][] = [
  ['/api/v1/notifications', 'notifications'],
  ['/api/v1/notifications/live', 'notifications'],
  ['/api/v1/openapi.yaml', 'the description of the API'],
]

function notBuiltYet(what: string): never {
  throw new ApiError('not_acceptable', `cannot answer: ${what} is not built yet`)
}

type Register = (path: string, handler: Handler) => void

function registerQueries(both: Register, get: Register, backend: ApiBackend): void {
  both('/api/v1/query', (parameters, signal, _path, client) => {
    const timeMs = parameters.timeMs('time', backend.now())
    return backend.query.instant({ ...queryOptions(parameters, backend), timeMs }, signal, client)
  })
  both('/api/v1/query_range', (parameters, signal, _path, client) => {
    const startMs = parameters.requiredTimeMs('start')
    const endMs = parameters.requiredTimeMs('end')
    if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time')
    const stepMs = parameters.requiredDurationMs('step')
    if (stepMs <= 0)
      throw invalidParameter('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer')
    if (Math.floor((endMs - startMs) / stepMs) > pointsMax) {
      const advice = 'Try decreasing the query resolution (?step=XX)'
      throw new ApiError('bad_data', `exceeded maximum resolution of ${pointsMax.toLocaleString('en-US')} points per timeseries. ${advice}`)
    }
    return backend.query.range({ ...queryOptions(parameters, backend), startMs, endMs, stepMs }, signal, client)
  })
  both('/api/v1/query_exemplars', (parameters, signal, _path, client) => {
    const startMs = parameters.timeMs('start', earliestMs)
    const endMs = parameters.timeMs('end', latestMs)
    if (endMs < startMs) throw new ApiError('bad_data', 'end timestamp must not be before start timestamp')
    const query = parameters.get('query')
    if (query.length <= earlyParseLengthMax && !hasSelector(query, backend.parse)) return undefined
    return backend.keepsExemplars ? backend.query.exemplars({ query, startMs, endMs }, signal, client) : encodeSuccess([])
  })
  both('/api/v1/format_query', (parameters) => {
    return encodeSuccess(prettifyExpression(parseShortQuery(parameters, backend.parse)))
  })
  both('/api/v1/parse_query', (parameters) => encodeSuccess(describeTree(parseShortQuery(parameters, backend.parse))))
  both('/api/v1/series', (parameters, signal, _path, client) => {
    if (parameters.all('match[]').length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
    return backend.query.series(seriesQuery(parameters, true), signal, client)
  })
  both('/api/v1/labels', (parameters, signal, _path, client) => backend.query.labelNames(seriesQuery(parameters), signal, client))
  get('/api/v1/label/:name/values', (parameters, signal, path, client) => {
    const name = unescapeLabelName(path['name'] ?? '')
    if (name === '') throw new ApiError('bad_data', `invalid label name: ${JSON.stringify(name)}`)
    return backend.query.labelValues(name, seriesQuery(parameters), signal, client)
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
    const matchTarget = parameters.get('match_target')
    if (matchTarget !== '') checkTargetSelector(matchTarget)
    return encodeSuccess(state.targetMetadata(matchTarget, parameters.get('metric'), metadataLimit(parameters, 'limit')))
  })
  get('/api/v1/targets/relabel_steps', (parameters) => {
    return encodeSuccess(orBadData(() => state.relabelSteps(parameters.get('scrapePool'), parameters.get('labels'))))
  })
  get('/api/v1/scrape_pools/config', (parameters) => encodeSuccess(orBadData(() => state.scrapePoolConfig(parameters.get('scrapePool')))))
  get('/api/v1/status/tsdb/blocks', () => encodeSuccess(state.blocks()))
  get('/api/v1/scrape_pools', () => encodeSuccess(state.scrapePools()))
  get('/api/v1/rules', (parameters) => {
    const type = parameters.get('type').toLowerCase()
    if (!['', 'alert', 'record'].includes(type)) throw invalidParameter('type', `not supported value ${JSON.stringify(type)}`)
    const filter = { type, names: parameters.all('rule_name[]'), groups: parameters.all('rule_group[]'), files: parameters.all('file[]') }
    const excludeAlerts = readFlag(parameters, 'exclude_alerts')
    const matcherSets = parameters.all('match[]').map((selector) => {
      checkSelector(selector, false)
      return parseMetricSelector(selector)
    })
    return encodeSuccess(selectPage(state.rules({ ...filter, excludeAlerts, matcherSets }), parameters))
  })
  get('/api/v1/alerts', () => encodeSuccess(state.alerts()))
  get('/api/v1/alertmanagers', () => encodeSuccess(state.alertmanagers()))
  get('/api/v1/status/config', () => encodeSuccess({ yaml: state.configYaml() }))
  get('/api/v1/status/flags', () => encodeSuccess(state.flags()))
  get('/api/v1/status/runtimeinfo', () => encodeSuccess(state.runtimeInformation()))
  get('/api/v1/status/buildinfo', () => encodeSuccess(state.buildInformation()))
  get('/api/v1/status/walreplay', () => encodeSuccess(state.walReplay()))
  get('/api/v1/status/self_metrics', async (parameters) => {
    const pattern = parameters.get('metric_name_pattern')
    return encodeSuccess(await backend.selfMetrics(pattern === '' ? () => true : compileNamePattern(pattern)))
  })
  get('/api/v1/features', () => encodeSuccess(state.features()))
  get('/api/v1/status/tsdb', (parameters, signal, _path, client) => {
    const limit = parameters.integer('limit', 10)
    if (limit === undefined || limit < 1) throw new ApiError('bad_data', 'limit must be a positive number')
    if (limit > 10_000) throw new ApiError('bad_data', 'limit must not exceed 10000')
    return backend.query.headStatistics(limit, signal, client)
  })
}

function compileNamePattern(pattern: string): (name: string) => boolean {
  try {
    const regex = compileRegex(pattern)
    return (name) => regex.test(name)
  } catch (error) {
    throw invalidParameter('metric_name_pattern', error instanceof Error ? error.message : String(error))
  }
}

/** Of what throws texts for whoever asked. */
function orBadData<T>(view: () => T): T {
  try {
    return view()
  } catch (cause) {
    throw new ApiError('bad_data', cause instanceof Error ? cause.message : String(cause))
  }
}

function registerLifecycle(server: FastifyInstance, backend: ApiBackend): void {
  const { lifecycle } = backend
  const text = (reply: FastifyReply, status: number, body: string) => reply.code(status).type('text/plain; charset=utf-8').send(body)
  server.route({ method: ['GET', 'HEAD'], url: '/-/healthy', handler: (_request, reply) => text(reply, 200, 'Narthex is Healthy.\n') })
  server.route({
    method: ['GET', 'HEAD'],
    url: '/-/ready',
    handler: (_request, reply) => {
      if (lifecycle.isReady()) return text(reply, 200, 'Narthex is Ready.\n')
      void reply.header('X-Prometheus-Stopping', String(lifecycle.isStopping()))
      return text(reply, 503, 'Service Unavailable')
    },
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
    server.route({ method, url: '/-/reload', handler: (_request, reply) => reload(reply) })
    const quit = (reply: FastifyReply) => act(reply, lifecycle.quit, 'Requesting termination... Goodbye!', 'failed to stop')
    server.route({ method, url: '/-/quit', handler: (_request, reply) => quit(reply) })
  }
  for (const path of ['/-/reload', '/-/quit']) server.get(path, (_request, reply) => text(reply, 405, 'Only POST or PUT requests allowed'))
}

/** What Prometheus says of its program beside the API. */
function registerProgram(server: FastifyInstance, { state }: ApiBackend): void {
  // With the type that Go finds for it.
  server.get('/version', (_request, reply) => reply.type('text/plain; charset=utf-8').send(`${JSON.stringify(state.buildInformation())}\n`))
  // Go's profiles; `promtool debug` asks for them.
  const refusal = 'cannot profile: this server is no Go program and has no /debug/pprof\n'
  for (const url of ['/debug/pprof', '/debug/pprof/*'])
    server.get(url, (_request, reply) => reply.code(501).type('text/plain; charset=utf-8').send(refusal))
}

async function answer(backend: ApiBackend, request: FastifyRequest, reply: FastifyReply, handler: Handler): Promise<FastifyReply> {
  if (!backend.lifecycle.isReady()) {
    void reply.header('X-Prometheus-Stopping', String(backend.lifecycle.isStopping()))
    return reply.code(503).type('text/plain; charset=utf-8').send('Service Unavailable')
  }
  // A client that goes away cancels its query.
  const abort = abortOnClose(reply)
  try {
    const client = { clientAddress: request.ip, method: request.method, path: request.url.split('?', 1)[0]! }
    const result = await handler(readParameters(request), abort.signal, request.params as Record<string, string>, client)
    if (result === undefined) return await reply.code(204).send()
    if (typeof result !== 'string' && result.release !== undefined) {
      if (reply.raw.closed) result.release()
      else reply.raw.once('close', result.release)
    }
    return await (typeof result === 'string' ? send(request, reply, 200, result) : send(request, reply, result.status, result.body))
  } catch (error) {
    if (error instanceof ApiError) return send(request, reply, error.status, encodeError(error.kind, error.message))
    backend.reportBug(error)
    return send(request, reply, 500, encodeError('internal', error instanceof Error ? error.message : String(error)))
  } finally {
    abort.end()
  }
}

function send(request: FastifyRequest, reply: FastifyReply, status: number, body: string | Uint8Array): Promise<FastifyReply> {
  return sendCompressed(request, reply.code(status), 'application/json', body)
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
  if (query.length <= earlyParseLengthMax) parseQuery(query, backend.parse)
  const asked = parameters.durationMs('timeout')
  if (asked !== undefined && asked <= 0) throw new ApiError('timeout', 'query timed out in query queue')
  const timeoutMs = asked === undefined ? backend.limits.timeoutMs : Math.min(asked, backend.limits.timeoutMs)
  const [limit, stats, explain] = [parameters.limit(), parameters.get('stats'), readExplain(parameters)]
  return { query, timeoutMs, lookbackMs: readLookback(parameters), limit, stats, explain }
}

function readExplain(parameters: Parameters): Explain {
  const text = parameters.get('explain')
  if (text === '' || text === 'plan' || text === 'analyze') return text
  throw invalidParameter('explain', `want plan or analyze, got ${JSON.stringify(text)}`)
}

/** Undefined stands for the server's own; so does what is not positive, as in Prometheus. */
function readLookback(parameters: Parameters): number | undefined {
  const text = parameters.get('lookback_delta')
  if (text === '') return undefined
  const lookbackMs = parseSpan(text)
  if (typeof lookbackMs === 'string') throw new ApiError('bad_data', `error parsing lookback delta duration: ${lookbackMs}`)
  return lookbackMs > 0 ? lookbackMs : undefined
}

// The text is parsed here only to answer a malformed query before it takes a place in the queue; the worker parses it again.
function parseQuery(query: string, options: ParseOptions) {
  try {
    return parseExpression(query, options)
  } catch (error) {
    throw invalidParameter('query', error instanceof Error ? error.message : String(error))
  }
}

/** For what is answered by this thread. */
function parseShortQuery(parameters: Parameters, options: ParseOptions): Expression {
  const query = parameters.get('query')
  if (query.length > earlyParseLengthMax) throw invalidParameter('query', `want at most ${earlyParseLengthMax} characters`)
  return parseQuery(query, options)
}

/** Prometheus' text about a wrong expression does not name the parameter here. */
function hasSelector(query: string, options: ParseOptions): boolean {
  try {
    return extractSelectors(parseExpression(query, options)).length > 0
  } catch (error) {
    throw new ApiError('bad_data', error instanceof Error ? error.message : String(error))
  }
}

/** `isWrapped`: whether the text about a wrong selector names the parameter; Prometheus does so for /series alone. */
function seriesQuery(parameters: Parameters, isWrapped = false): SeriesQuery {
  const matchers = parameters.all('match[]')
  const totalLength = matchers.reduce((sum, selector) => sum + selector.length, 0)
  if (totalLength <= earlyParseLengthMax) for (const selector of matchers) checkSelector(selector, isWrapped)
  const startMs = parameters.timeMs('start', earliestMs)
  const endMs = parameters.timeMs('end', latestMs)
  return { matchers, startMs, endMs, limit: parameters.limit() }
}

/** Of `match_target`: it may take every target, and those without a label. */
function checkTargetSelector(selector: string): void {
  if (selector.length > earlyParseLengthMax) throw invalidParameter('match_target', `want at most ${earlyParseLengthMax} characters`)
  try {
    parseAnySelector(selector)
  } catch (error) {
    throw invalidParameter('match_target', error instanceof Error ? error.message : String(error))
  }
}

function checkSelector(selector: string, isWrapped: boolean): void {
  try {
    parseMetricSelector(selector)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const reason = text.endsWith(nothingSelectedText) ? `match[] ${nothingSelectedText}` : text
    throw isWrapped ? invalidParameter('match[]', reason) : new ApiError('bad_data', reason)
  }
}

const nothingSelectedText = 'must contain at least one non-empty matcher'

/** Negative = all. */
function metadataLimit(parameters: Parameters, name: string): number {
  const limit = parameters.integer(name, -1)
  if (limit === undefined) throw new ApiError('bad_data', `${name} must be a number`)
  return limit
}

function selectMetadata(backend: ApiBackend, parameters: Parameters): Record<string, unknown> {
  const wanted = parameters.get('metric')
  const limit = metadataLimit(parameters, 'limit')
  const perMetric = metadataLimit(parameters, 'limit_per_metric')
  // Without a prototype: a metric may be called __proto__.
  const selected = Object.create(null) as Record<string, unknown>
  let count = 0
  for (const [metric, entries] of backend.state.metadata()) {
    if (limit >= 0 && count >= limit) break
    if (wanted !== '' && metric !== wanted) continue
    selected[metric] = perMetric > 0 ? entries.slice(0, perMetric) : entries
    count++
  }
  return selected
}

function readFlag(parameters: Parameters, name: string): boolean {
  const text = parameters.get(name).toLowerCase()
  const value = parseFlag(text)
  if (value === undefined)
    throw invalidParameter(name, `error converting ${name}: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
  return value
}

/** The `group_limit` groups from the one that `group_next_token` names on, and the token of the group behind them. */
function selectPage(view: RuleGroupsView, parameters: Parameters): RuleGroupsView & { groupNextToken?: string } {
  const token = parameters.get('group_next_token')
  const limitText = parameters.get('group_limit')
  if (limitText === '') {
    if (token === '') return view
    throw invalidParameter('group_next_token', 'group_limit needs to be present in order to paginate over the groups')
  }
  const limit = readInteger(limitText)
  if (typeof limit === 'string') {
    const reason = `strconv.ParseInt: parsing ${JSON.stringify(limitText)}: ${limit}`
    throw invalidParameter('group_limit', `group_limit needs to be a valid number: ${reason}`)
  }
  if (limit <= 0) throw invalidParameter('group_limit', 'group_limit needs to be greater than 0')
  const first = token === '' ? 0 : view.groups.findIndex((group) => groupToken(group) === token)
  if (first < 0) {
    throw invalidParameter('group_next_token', `invalid group_next_token '${token}'. were rule groups changed?`)
  }
  const next = view.groups[first + limit]
  const groups = view.groups.slice(first, first + limit)
  return next ? { groups, groupNextToken: groupToken(next) } : { groups }
}

function groupToken({ file, name }: { file: string; name: string }): string {
  return createHash('sha256').update(`${file};${name}`).digest('hex')
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
