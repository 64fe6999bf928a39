import { readFileSync } from 'node:fs'
import { createAgent, type Agent } from '@narthex/agent/agent'
import { parsePrometheusConfig, type PrometheusConfig } from '@narthex/config/prometheus-config'
import { collectUnsupported } from '@narthex/config/unsupported'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { createHttpServer } from '@narthex/http/server'
import { createScrapeView, type ScrapeSource } from '@narthex/server/targets-view'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { prometheusHttpMetrics } from '@narthex/service/http-instruments'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { processMetrics } from '@narthex/service/process-metrics'
import { UserError } from '@narthex/service/user-error'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ConfigMetrics } from '../config-metrics.ts'
import { createPasswordVerifier } from '../password-verifier.ts'
import { compatibleVersion, version, versionText } from '../version.ts'
import { logFlags, webFlags } from './server-flags.ts'

// narthex agent: what `prometheus --agent` runs, with a log that loses nothing.

const storage = 'Storage:'

const agentFlags = {
  configFile: flag.text('config.file', 'Configuration file path.', 'prometheus.yml'),
  listenAddress: flag.list('web.listen-address', 'Address to listen on. Repeatable.', { group: 'Web:', default: ['0.0.0.0:9090'] }),
  ...webFlags,
  storagePath: flag.text('storage.agent.path', 'Base path for the log of what is not delivered yet.', 'data-agent/', { group: storage }),
  bytesMax: flag.optionalBytes(
    'storage.agent.max-bytes',
    'Most bytes of the log on disk; beyond it the oldest samples go, counted. Default: 4GB.',
    {
      group: storage,
    },
  ),
  ageMaxMs: flag.durationMs(
    'storage.agent.retention.max-time',
    'Samples on disk for longer than this go, counted, whether they are delivered or not. 0: no such limit.',
    '0s',
    { group: storage },
  ),
  retentionMinMs: flag.durationMs('storage.agent.retention.min-time', 'Accepted; delivered samples go at once.', '0s', { group: storage }),
  fsyncIntervalMs: flag.durationMs(
    'storage.agent.fsync-interval',
    'What a power cut may cost at most: the log is synced this often.',
    '100ms',
    {
      group: storage,
    },
  ),
  noLockfile: flag.boolean('storage.agent.no-lockfile', 'Do not create a lock file in the data directory.', { group: storage }),
  deadLetterBytesMax: flag.optionalBytes(
    'storage.agent.dead-letter-max-bytes',
    'Keeps refused batches in DIR/dead-letters, at most this much per remote. Default: they are counted and not kept.',
    { group: storage },
  ),
  holdMs: flag.durationMs('storage.remote.hold-interval', 'Wait between attempts while a remote answers 401, 403 or 404.', '30s', {
    group: storage,
  }),
  flushDeadlineMs: flag.durationMs(
    'storage.remote.flush-deadline',
    'How long to send at shutdown; the rest stays on disk. At most 4s of it are used.',
    '1m',
    {
      group: storage,
    },
  ),
  features: flag.list('enable-feature', 'Feature flags of Prometheus; none has an effect on the agent yet.'),
  ...logFlags,
}

export async function runAgent(argv: readonly string[], context: MainContext): Promise<void> {
  const { values, effective } = parseFlags(
    {
      name: 'narthex agent',
      help: 'The Narthex agent: discovers, scrapes, keeps on disk and remote-writes.',
      version: versionText('narthex agent'),
      flags: agentFlags,
      exitCodes: { usage: 1, value: 2 },
    },
    argv,
  )
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  for (const feature of values.features) log.warn(`feature ${feature} is accepted and has no effect yet`)
  const loadConfig = () => loadAgentConfig(values.configFile)
  const config = loadConfig()
  for (const warning of collectUnsupported(config)) log.warn(warning)
  log.info('Starting Narthex Agent', { version, mode: 'agent' })

  const registry = new Registry()
  processMetrics(registry)
  const configMetrics = new ConfigMetrics(registry)
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'agent',
    routePrefix: values.routePrefix ?? '',
    connectionsMax: values.maxConnections,
    readTimeoutMs: values.readTimeoutMs,
    instruments: prometheusHttpMetrics(registry),
    verifyPassword: createPasswordVerifier(),
  })
  const agent = createAgent({
    config,
    storagePath: values.storagePath,
    log,
    registry,
    userAgent: `Prometheus/${compatibleVersion} Narthex/${version}`,
    limits: {
      ...(values.bytesMax === undefined ? {} : { bytesMax: values.bytesMax }),
      ...(values.ageMaxMs === 0 ? {} : { ageMaxMs: values.ageMaxMs }),
      syncIntervalMs: values.fsyncIntervalMs,
    },
    holdMs: values.holdMs,
    ...(values.deadLetterBytesMax === undefined ? {} : { deadLetterBytesMax: values.deadLetterBytesMax }),
    lock: !values.noLockfile,
  })
  context.onStop('agent', (graceMs) => agent.stop(Math.min(graceMs, values.flushDeadlineMs)))
  const reload = async () => {
    try {
      await agent.reload(loadConfig())
      configMetrics.loaded(true)
    } catch (error) {
      configMetrics.loaded(false)
      throw error
    }
  }
  context.onReload(reload)
  http.routes((app, _options, done) => {
    const lifecycle = values.enableLifecycle ? { reload: () => context.reload(), quit: () => context.stop() } : undefined
    mountAgent(app, '', { agent: () => agent, registry, flags: effective, lifecycle })
    done()
  })
  const urls = await http.listen()
  context.onStop('HTTP server', (graceMs) => http.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })
  agent.start()
  configMetrics.loaded(true)
}

function loadAgentConfig(path: string): PrometheusConfig {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file or directory' : (cause as Error).message
    throw new UserError(`Error loading config (--config.file=${path}): open ${path}: ${reason}`, 2, { cause })
  }
  return parsePrometheusConfig(text, { path, mode: 'agent' })
}

/** An agent's targets and metadata in the form the Targets API shows. */
export function agentSource(agent: () => Agent | undefined): ScrapeSource {
  return {
    targets: () => agent()?.status().targets ?? { active: [], dropped: [], droppedCounts: {} },
    metadata: () => agent()?.metadata() ?? [],
  }
}

export interface AgentPages {
  /** Undefined until it is made, which in `up` is after its address is known. */
  agent(): Agent | undefined
  readonly registry: Registry
  readonly flags: Readonly<Record<string, string>>
  /** Undefined: `--web.enable-lifecycle` is off. */
  readonly lifecycle: { reload(): Promise<void>; quit(): void } | undefined
}

/** Adds the agent's pages below `path`: targets, status, metrics, health. */
export function mountAgent(app: FastifyInstance, path: string, { agent, registry, flags, lifecycle }: AgentPages): void {
  const view = createScrapeView(agentSource(agent))
  const writer = new FamilyWriter()
  const text = (reply: FastifyReply, status: number, body: string) => reply.code(status).type('text/plain; charset=utf-8').send(body)
  const json = (reply: FastifyReply, data: unknown) => reply.type('application/json').send(JSON.stringify({ status: 'success', data }))
  const get = (route: string, data: (query: URLSearchParams) => unknown) => {
    app.get(path + route, (request, reply) => json(reply, data(new URLSearchParams(request.url.split('?')[1] ?? ''))))
  }
  app.get(`${path}/metrics`, async (_request, reply) => {
    await registry.prepare()
    writer.reset()
    registry.write(writer)
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(Buffer.from(writer.finish()))
  })
  app.get(`${path}/-/healthy`, (_request, reply) => text(reply, 200, 'Narthex is Healthy.\n'))
  app.get(`${path}/-/ready`, (_request, reply) => text(reply, agent() ? 200 : 503, agent() ? 'Narthex is Ready.\n' : 'Service Unavailable'))
  get('/api/v1/targets', (query) => view.targets(query.get('state') ?? 'any', query.get('scrapePool') ?? ''))
  get('/api/v1/scrape_pools', () => view.scrapePools())
  get('/api/v1/targets/metadata', (query) =>
    view.targetMetadata(query.get('match_target') ?? '', query.get('metric') ?? '', Number(query.get('limit') ?? -1)),
  )
  get('/api/v1/metadata', () => Object.fromEntries(view.metadata()))
  get('/api/v1/status/config', () => ({ yaml: agent()?.status().config.redactedYaml() ?? '' }))
  get('/api/v1/status/flags', () => flags)
  get('/api/v1/status/buildinfo', () => ({
    version: compatibleVersion,
    revision: `narthex-${version}`,
    goVersion: `node ${process.version}`,
  }))
  app.all(`${path}/api/v1/*`, (_request, reply) => {
    return reply
      .code(422)
      .type('application/json')
      .send(JSON.stringify({ status: 'error', errorType: 'execution', error: 'unavailable with Prometheus Agent' }))
  })
  for (const method of ['POST', 'PUT'] as const) {
    app.route({
      method,
      url: `${path}/-/reload`,
      handler: async (_request, reply) => {
        if (!lifecycle) return text(reply, 403, 'Lifecycle API is not enabled.')
        try {
          await lifecycle.reload()
          return await text(reply, 200, '')
        } catch (error) {
          return text(reply, 500, `failed to reload config: ${error instanceof Error ? error.message : String(error)}\n`)
        }
      },
    })
    app.route({
      method,
      url: `${path}/-/quit`,
      handler: (_request, reply) => {
        if (!lifecycle) return text(reply, 403, 'Lifecycle API is not enabled.')
        lifecycle.quit()
        return text(reply, 200, 'Requesting termination... Goodbye!')
      },
    })
  }
}
