import { rmSync, writeFileSync } from 'node:fs'
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { join, resolve } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'
import { createAgent, type Agent } from '@narthex/agent/agent'
import { EmbeddedExporters } from '@narthex/agent/embedded/embedded-exporters'
import { InProcessTargets } from '@narthex/agent/scrape/in-process'
import { parsePrometheusConfig, type PrometheusConfig } from '@narthex/config/prometheus-config'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { Labels } from '@narthex/model/labels'
import { parseListenAddress } from '@narthex/http/listen-address'
import { createHttpServer } from '@narthex/http/server'
import type { Server, ServerSettings } from '@narthex/server/server'
import { ServerOpening } from '@narthex/server/start/server-opening'
import { createScrapeView } from '@narthex/server/targets-view'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { prometheusHttpMetrics } from '@narthex/service/http-instruments'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { processMetrics } from '@narthex/service/process-metrics'
import { UserError } from '@narthex/service/user-error'
import { registerWebAssets } from '../assets.ts'
import { ConfigFile } from '../config-file.ts'
import { ConfigMetrics } from '../config-metrics.ts'
import { embeddedFactories } from '../embedded-factories.ts'
import { externalPath } from '../external-path.ts'
import { createPasswordVerifier } from '../password-verifier.ts'
import { toStorageError } from '../storage-error.ts'
import { compatibleVersion, version, versionText } from '../version.ts'
import { findOwnAddress } from './agent.ts'
import { agentSource, mountAgent, mountEmbeddedExporters } from './agent-routes.ts'
import { buildNodeExporter } from './node-exporter.ts'
import { mountExporter } from './mount-exporter.ts'
import { guessExternalUrl, httpGraceMs, ownPort, requestHeadBytesMax, toServerSettings, warnOfFlags, watchConfig } from './server.ts'
import { serverFlags } from './server-flags.ts'

// narthex up: server, agent and node exporter of this machine in one process, one listener, loopback by default. Samples
// take the whole way that a fleet uses: agent → frame log → remote write over loopback → receiver.

const upFlags = {
  ...serverFlags,
  configFile: flag.text('config.file', 'Configuration file in place of the built-in one.', ''),
  listenAddress: flag.list('web.listen-address', 'Address to listen on. Repeatable.', { group: 'Web:', default: ['127.0.0.1:9090'] }),
  storagePath: flag.text('storage.path', 'Holds server/ (a Prometheus data directory), agent/ and alertmanager/.', 'data', {
    group: 'Storage:',
  }),
  logLevel: flag.choice('log.level', 'Only log messages with the given severity or above.', ['debug', 'info', 'warn', 'error'], 'warn'),
}

const exporterPath = '/exporters/node/metrics'

// Local discovery reads the proc file system, which Linux alone has.
const localJob = process.platform === 'linux' ? '  - job_name: local\n    local_sd_configs: [{}]\n' : ''

// The built-in configuration: this machine, the program itself, and what else runs here: MySQL, Redis, NGINX, known exporters.
const builtinConfig = (address: string, prefix: string) => `global:
  scrape_interval: 5s
  scrape_timeout: 5s
  evaluation_interval: 10s
scrape_configs:
  - job_name: node
    metrics_path: ${prefix}${exporterPath}
    static_configs:
      - targets: ['${address}']
  - job_name: narthex
    metrics_path: ${prefix}/metrics
    static_configs:
      - targets: ['${address}']
${localJob}`

export async function runUp(argv: readonly string[], context: MainContext): Promise<void> {
  const flags = parseFlags(
    {
      name: 'narthex up',
      help: 'Everything in one process: server, agent and node exporter of this machine.',
      version: versionText('narthex up'),
      flags: upFlags,
      exitCodes: { usage: 1, value: 2 },
    },
    argv,
  )
  const { values } = flags
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  warnOfFlags(flags, log)
  const registry = new Registry()
  processMetrics(registry)
  const configMetrics = new ConfigMetrics(registry)
  const configFile =
    values.configFile === '' ? undefined : new ConfigFile({ path: values.configFile, mode: 'server', log, metrics: configMetrics })
  const given = configFile?.load()
  const directory = makeStorageDirectory(values.storagePath)

  registerWebAssets()
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'up',
    routePrefix: values.routePrefix ?? externalPath(values.externalUrl),
    connectionsMax: values.maxConnections,
    headBytesMax: requestHeadBytesMax,
    readTimeoutMs: values.readTimeoutMs,
    instruments: prometheusHttpMetrics(registry),
    verifyPassword: createPasswordVerifier(),
  })
  const exporter = buildNodeExporter({}, log)
  const address = values.listenAddress[0] ?? '127.0.0.1:9090'
  const { routePrefix } = http
  const settings: ServerSettings = {
    ...toServerSettings(flags, {
      receiverRefusal: undefined,
      exemplarsMax: given?.storage.maxExemplars ?? parseBuiltinConfig(address, routePrefix).storage.maxExemplars,
      externalUrl: describeExternalUrl(values, routePrefix),
    }),
    directory: join(directory, 'server'),
    alertmanager: {
      configFile: values.alertmanagerConfigFile,
      storagePath: values.alertmanagerStoragePath === '' ? join(directory, 'alertmanager') : values.alertmanagerStoragePath,
      builtinRules: given === undefined,
    },
  }
  const toUserError = (cause: unknown): never => {
    throw toStorageError(cause, 'narthex up', 'storage.path', directory)
  }
  const parts = { http, log, registry, settings, reload: () => context.reload(), quit: () => context.stop() }
  const opening = await ServerOpening.begin(parts).catch(toUserError)
  context.onStop('storage', (graceMs, prolong) => opening.stop(graceMs, prolong))
  context.onStop('HTTP server', (graceMs) => http.close(Math.min(graceMs, httpGraceMs)))
  const { urls } = opening
  const server = await opening.finish().catch(toUserError)
  context.onStop('requests', () => server.beginStop())

  // The agent is made once the address is known; its pages are registered before.
  const running: { agent?: Agent; embedded?: EmbeddedExporters } = {}
  const agentRegistry = new Registry()
  processMetrics(agentRegistry)
  http.routes((app, _options, done) => {
    mountExporter(app, exporterPath, exporter)
    mountAgent(app, '/agent', {
      agent: () => running.agent,
      registry: agentRegistry,
      flags: flags.effective,
      config: configMetrics,
      prefix: routePrefix,
      pageTitle: 'Narthex Agent',
      lifecycle: undefined,
    })
    mountEmbeddedExporters(app, () => running.embedded)
    done()
  })
  server.setScrapeView(
    createScrapeView(
      agentSource(() => running.agent),
      { externalUrl: settings.externalUrl, port: ownPort(values.listenAddress) },
    ),
  )
  const parse = (config: PrometheusConfig | undefined, listening: string) => config ?? parseBuiltinConfig(listening, routePrefix)
  await server.apply(parse(given, address))
  const url = `${urls[0]!}${routePrefix}`
  const remote = await openLoopbackRemote({ url, isGuarded: values.webConfigFile !== '', server, log, context })
  await opening.serve()

  const listening = new URL(urls[0]!).host
  // Only now the port is known that the built-in configuration names.
  server.state.setConfig(parse(given, listening))
  const inProcessTargets = new InProcessTargets()
  inProcessTargets.register(listening, `${routePrefix}${exporterPath}`, async ({ timeoutMs }) => {
    const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000) }
    const { status, headers: answered, body } = await exporter.handleMetrics({ headers })
    return { status, contentType: answered['content-type'] ?? '', body }
  })
  inProcessTargets.register(listening, `${routePrefix}/metrics`, async () => {
    return { status: 200, contentType: 'text/plain; version=0.0.4', body: await server.renderMetrics() }
  })
  const embedded = new EmbeddedExporters({
    factories: embeddedFactories,
    inProcess: inProcessTargets,
    address: findOwnAddress(urls),
    pathPrefix: routePrefix,
    log,
    registry: agentRegistry,
  })
  running.embedded = embedded
  context.onStop('exporters', () => embedded.close())
  const agent = createAgent({
    config: addRemote(parse(given, listening), remote),
    storagePath: join(directory, 'agent'),
    log,
    registry: agentRegistry,
    inProcessTargets,
    embedded,
    userAgent: `Prometheus/${compatibleVersion} Narthex/${version}`,
  })
  context.onStop('exporter', () => exporter.close())
  running.agent = agent
  context.onStop('agent', (graceMs) => agent.stop(Math.min(graceMs, 2_000)))
  agent.start()
  context.onReload(async () => {
    const apply = async (next: PrometheusConfig): Promise<void> => {
      await server.apply(next)
      await agent.reload(addRemote(next, remote))
    }
    try {
      if (configFile === undefined) await apply(parse(undefined, listening))
      else await configFile.reload(apply)
    } catch (error) {
      server.state.reloadSucceeded = false
      throw error
    }
  })
  configMetrics.loaded(true)
  if (configFile !== undefined) watchConfig(configFile, flags, context)
  greet(url, directory)
}

/** The address that the user gave, or this host's name where that names none. */
function describeExternalUrl(values: { externalUrl: string; listenAddress: readonly string[] }, routePrefix: string): string {
  if (values.externalUrl !== '') return values.externalUrl.replace(/\/$/, '')
  const [first = '127.0.0.1:9090'] = values.listenAddress
  const { host } = parseListenAddress(first)
  const isAny = host === undefined || host === '0.0.0.0' || host === '::'
  return isAny ? guessExternalUrl(values.listenAddress, routePrefix) : `http://${first}${routePrefix}`
}

function greet(url: string, directory: string): void {
  const lines = [
    `Narthex ${version} is running, its data is in ${directory}`,
    `  pages          ${url}/`,
    `  remote write   ${url}/api/v1/write`,
    `  node exporter  ${url}${exporterPath}`,
    `  agent          ${url}/agent/`,
    `  alertmanager   ${url}/alertmanager/api/v2/alerts`,
    'Ctrl-C stops it.',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function makeStorageDirectory(path: string): string {
  const directory = resolve(path)
  try {
    makeDirectory(directory)
    const probe = join(directory, '.write-probe')
    writeFileSync(probe, '')
    rmSync(probe)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new UserError(
      `narthex up: cannot write to storage directory ${directory} (${reason}): choose another with --storage.path=DIR`,
      1,
      { cause },
    )
  }
  return directory
}

function parseBuiltinConfig(listening: string, routePrefix: string): PrometheusConfig {
  return parsePrometheusConfig(builtinConfig(listening, routePrefix), { path: 'built-in configuration', mode: 'server' })
}

/** The configuration with one more remote: the server beside. External labels are for the other remotes; without one they are left out, as Prometheus stores none. */
function addRemote(config: PrometheusConfig, remote: RemoteWriteConfig): PrometheusConfig {
  const global = config.remoteWrite.length === 0 ? { ...config.global, externalLabels: Labels.empty } : config.global
  return { ...config, global, remoteWrite: [remote, ...config.remoteWrite] }
}

interface LoopbackOptions {
  readonly url: string
  /** Whether the listener wants TLS or a password. */
  readonly isGuarded: boolean
  readonly server: Server
  readonly log: Logger
  readonly context: MainContext
}

/**
 * How the agent writes to the server beside it: to the listener itself, or, where that wants TLS or a password, to a
 * loopback listener of its own that takes nothing but remote write with a token of this process.
 */
async function openLoopbackRemote({ url, isGuarded, server, log, context }: LoopbackOptions): Promise<RemoteWriteConfig> {
  const parseRemote = (address: string, authorization: string) => {
    const queue = `send_exemplars: ${server.besideSamples.exemplars !== undefined}, queue_config: {batch_send_deadline: 1s}`
    const text = `remote_write: [{url: '${address}', name: loopback, ${queue}${authorization}}]\n`
    return parsePrometheusConfig(text, { path: 'built-in remote write', mode: 'agent' }).remoteWrite[0]!
  }
  if (!isGuarded) return parseRemote(`${url}/api/v1/write`, '')
  const token = randomBytes(32).toString('hex')
  const inner = await createHttpServer({ listenAddress: ['127.0.0.1:0'], log, name: 'loopback' })
  inner.routes((app, _options, done) => {
    app.addHook('onRequest', (request, reply, next) => {
      const given = Buffer.from(request.headers.authorization ?? '')
      const wanted = Buffer.from(`Bearer ${token}`)
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) next()
      else reply.code(401).send()
    })
    server.addWriteRoute(app)
    done()
  })
  const [innerUrl] = await inner.listen()
  context.onStop('loopback listener', (graceMs) => inner.close(graceMs))
  return parseRemote(`${innerUrl}/api/v1/write`, `, authorization: {credentials: '${token}'}`)
}
