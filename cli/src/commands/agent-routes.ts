import { hostname } from 'node:os'
import type { Agent } from '@narthex/agent/agent'
import type { EmbeddedExporters } from '@narthex/agent/embedded/embedded-exporters'
import { collectUnsupported } from '@narthex/config/unsupported'
import { readScrapeTimeoutMs } from '@narthex/exporter-kit/scrape-timeout'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { registerPages } from '@narthex/server/pages'
import { createScrapeView, type ScrapeSource } from '@narthex/server/targets-view'
import type { Registry } from '@narthex/service/metrics'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ConfigMetrics } from '../config-metrics.ts'
import { compatibleVersion, version } from '../version.ts'

// The agent's HTTP side: pages, the part of Prometheus' API that an agent has, metrics, health, reload.

export interface AgentRoutes {
  /** Undefined until it is made, which is after its address is known. */
  agent(): Agent | undefined
  readonly registry: Registry
  readonly flags: Readonly<Record<string, string>>
  readonly config: ConfigMetrics
  /** Route prefix of the listener. */
  readonly prefix: string
  readonly pageTitle: string
  /** Undefined: `--web.enable-lifecycle` is off. */
  readonly lifecycle: { reload(): Promise<void>; quit(): void } | undefined
}

/** Errors of a request that makes no sense; every other error is a bug. */
const requestErrors: ReadonlySet<string> = new Set(['ParseError', 'RelabelRequestError'])

/** An agent's targets and metadata in the form the Targets API shows. */
export function agentSource(agent: () => Agent | undefined): ScrapeSource {
  return {
    targets: () => agent()?.status().targets ?? { active: [], dropped: [], droppedCounts: {}, otherShardCounts: {} },
    metadata: () => agent()?.metadata() ?? [],
    jobConfig: (jobName) => agent()?.jobConfig(jobName),
  }
}

/** Adds the agent's pages and API below `path`. */
export function mountAgent(app: FastifyInstance, path: string, routes: AgentRoutes): void {
  mountApi(app, path, routes)
  mountOperations(app, path, routes)
  registerPages(app, { prefix: routes.prefix, title: routes.pageTitle, program: 'agent', path })
}

function mountApi(app: FastifyInstance, path: string, { agent, flags, config }: AgentRoutes): void {
  const view = createScrapeView(agentSource(agent))
  const startTime = new Date()
  const get = (route: string, data: (query: URLSearchParams) => unknown) => {
    app.get(path + route, (request, reply) => {
      try {
        return sendJson(reply, 200, { status: 'success', data: data(new URLSearchParams(request.url.split('?')[1] ?? '')) })
      } catch (error) {
        if (!(error instanceof Error) || !requestErrors.has(error.name)) throw error
        return sendJson(reply, 400, { status: 'error', errorType: 'bad_data', error: error.message })
      }
    })
  }
  get('/api/v1/targets', (query) => view.targets(query.get('state') ?? 'any', query.get('scrapePool') ?? ''))
  get('/api/v1/targets/relabel_steps', (query) => view.relabelSteps(query.get('scrapePool') ?? '', query.get('labels') ?? ''))
  get('/api/v1/scrape_pools', () => view.scrapePools())
  get('/api/v1/targets/metadata', (query) =>
    view.targetMetadata(query.get('match_target') ?? '', query.get('metric') ?? '', Number(query.get('limit') ?? -1)),
  )
  get('/api/v1/metadata', () => Object.fromEntries(view.metadata()))
  get('/api/v1/status/remote_write', () => agent()?.status().remoteWrite ?? { remotes: [] })
  get('/api/v1/status/config', () => ({ yaml: agent()?.status().config.redactedYaml() ?? '' }))
  get('/api/v1/status/flags', () => flags)
  get('/api/v1/status/runtimeinfo', () => ({
    startTime: startTime.toISOString(),
    CWD: process.cwd(),
    hostname: hostname(),
    serverTime: new Date().toISOString(),
    reloadConfigSuccess: config.isLoaded,
    lastConfigTime: new Date(config.loadedMs).toISOString(),
    // Ours: what the configuration asks for and gets no effect.
    warnings: listWarnings(agent()),
  }))
  get('/api/v1/status/buildinfo', () => ({
    version: compatibleVersion,
    revision: `narthex-${version}`,
    branch: 'narthex',
    buildUser: '',
    buildDate: '',
    goVersion: `node ${process.version}`,
  }))
  app.all(`${path}/api/v1/*`, (_request, reply) =>
    sendJson(reply, 422, { status: 'error', errorType: 'execution', error: 'unavailable with Prometheus Agent' }),
  )
}

function listWarnings(agent: Agent | undefined): string[] {
  if (agent === undefined) return []
  const { config, warnings } = agent.status()
  return [...collectUnsupported(config), ...warnings]
}

function mountOperations(app: FastifyInstance, path: string, { agent, registry, lifecycle }: AgentRoutes): void {
  const writer = new FamilyWriter()
  app.get(`${path}/metrics`, async (_request, reply) => {
    await registry.prepare()
    writer.reset()
    registry.write(writer)
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(Buffer.from(writer.finish()))
  })
  app.route({
    method: ['GET', 'HEAD'],
    url: `${path}/-/healthy`,
    handler: (_request, reply) => sendText(reply, 200, 'Narthex is Healthy.\n'),
  })
  app.route({
    method: ['GET', 'HEAD'],
    url: `${path}/-/ready`,
    handler: (_request, reply) => sendText(reply, agent() ? 200 : 503, agent() ? 'Narthex is Ready.\n' : 'Service Unavailable'),
  })
  for (const method of ['POST', 'PUT'] as const) {
    app.route({
      method,
      url: `${path}/-/reload`,
      handler: async (_request, reply) => {
        if (!lifecycle) return sendText(reply, 403, 'Lifecycle API is not enabled.')
        try {
          await lifecycle.reload()
          return await sendText(reply, 200, '')
        } catch (error) {
          return sendText(reply, 500, `failed to reload config: ${error instanceof Error ? error.message : String(error)}\n`)
        }
      },
    })
    app.route({
      method,
      url: `${path}/-/quit`,
      handler: (_request, reply) => {
        if (!lifecycle) return sendText(reply, 403, 'Lifecycle API is not enabled.')
        lifecycle.quit()
        return sendText(reply, 200, 'Requesting termination... Goodbye!')
      },
    })
  }
}

/** Serves the exporters of this process under the paths that their targets show: `/exporters/<kind>/<name>/metrics`. */
export function mountEmbeddedExporters(app: FastifyInstance, embedded: () => EmbeddedExporters | undefined): void {
  app.get('/exporters/:kind/:name/metrics', async (request, reply) => {
    const [path = '', query = ''] = request.url.split('?')
    const header = request.headers['x-prometheus-scrape-timeout-seconds']
    const timeoutMs = readScrapeTimeoutMs(typeof header === 'string' ? header : undefined, 250)
    const answer = await embedded()?.handle(path, new URLSearchParams(query), timeoutMs)
    if (answer === undefined) return sendText(reply, 404, 'there is no such exporter\n')
    return reply.code(answer.status).type(answer.contentType).send(Buffer.from(answer.body))
  })
}

function sendText(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply.code(status).type('text/plain; charset=utf-8').send(body)
}

function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply.code(status).type('application/json').send(JSON.stringify(body))
}
