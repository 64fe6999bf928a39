import { hostname } from 'node:os'
import { createAgent, type Agent, type AgentOptions } from '@narthex/agent/agent'
import { EmbeddedExporters } from '@narthex/agent/embedded/embedded-exporters'
import { InProcessTargets } from '@narthex/agent/scrape/in-process'
import { createHttpServer } from '@narthex/http/server'
import { splitFeatures } from '@narthex/server/feature-flags'
import { parseFlags, type ParsedFlags } from '@narthex/service/flags'
import { prometheusHttpMetrics } from '@narthex/service/http-instruments'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { processMetrics } from '@narthex/service/process-metrics'
import { registerWebAssets } from '../assets.ts'
import { ConfigFile } from '../config-file.ts'
import { ConfigMetrics } from '../config-metrics.ts'
import { embeddedFactories } from '../embedded-factories.ts'
import { externalPath } from '../external-path.ts'
import { createPasswordVerifier } from '../password-verifier.ts'
import { readShard } from '../shard.ts'
import { compatibleVersion, version, versionText } from '../version.ts'
import { agentFlags, agentWithoutEffectNames, readAgentFeatures, type AgentFeatures } from './agent-flags.ts'
import { runAgentInspect } from './agent-inspect.ts'
import { mountAgent, mountEmbeddedExporters } from './agent-routes.ts'
import { toStorageError } from '../storage-error.ts'

// narthex agent: what `prometheus --agent` runs, with a log that loses nothing.

export async function runAgent(argv: readonly string[], context: MainContext): Promise<void> {
  if (argv[0] === 'inspect') return runAgentInspect(argv.slice(1))
  const parsed = parseFlags(
    {
      name: 'narthex agent',
      help: 'The Narthex agent: discovers, scrapes, keeps on disk and remote-writes. `narthex agent inspect DIR` shows what it keeps.',
      version: versionText('narthex agent'),
      flags: agentFlags,
      exitCodes: { usage: 1, value: 2 },
    },
    argv,
  )
  const { values, effective } = parsed
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  const features = readAgentFeatures(splitFeatures(values.features))
  warnOfFlags(parsed, features, log)
  const shard = readShard(values, hostname())

  const registry = new Registry()
  processMetrics(registry)
  const configMetrics = new ConfigMetrics(registry)
  const configFile = new ConfigFile({ path: values.configFile, mode: 'agent', log, metrics: configMetrics })
  const config = configFile.load()
  log.info('Starting Narthex Agent', {
    version,
    mode: 'agent',
    ...(shard === undefined ? {} : { shard: `${shard.index} of ${shard.count}` }),
  })
  registerWebAssets()
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'agent',
    routePrefix: values.routePrefix ?? externalPath(values.externalUrl),
    connectionsMax: values.maxConnections,
    readTimeoutMs: values.readTimeoutMs,
    instruments: prometheusHttpMetrics(registry),
    verifyPassword: createPasswordVerifier(),
  })
  // Both are made once the address is known, which the targets of exporters in this process show.
  const running: { agent?: Agent; embedded?: EmbeddedExporters } = {}
  http.routes((app, _options, done) => {
    const reload = () =>
      context.reload().catch((error: unknown) => {
        log.error('Error reloading config', { err: error })
        throw error
      })
    mountAgent(app, '', {
      agent: () => running.agent,
      registry,
      flags: effective,
      config: configMetrics,
      prefix: http.routePrefix,
      pageTitle: values.pageTitle,
      lifecycle: values.enableLifecycle ? { reload, quit: () => context.stop() } : undefined,
    })
    mountEmbeddedExporters(app, () => running.embedded)
    done()
  })
  const urls = await http.listen()
  context.onStop('HTTP server', (graceMs) => http.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })

  const inProcessTargets = new InProcessTargets()
  const embedded = new EmbeddedExporters({
    factories: embeddedFactories,
    inProcess: inProcessTargets,
    address: findOwnAddress(urls),
    pathPrefix: http.routePrefix,
    log,
    registry,
  })
  running.embedded = embedded
  context.onStop('exporters', () => embedded.close())
  const agent = openAgent({
    config,
    storagePath: values.storagePath,
    log,
    registry,
    inProcessTargets,
    embedded,
    userAgent: `Prometheus/${compatibleVersion} Narthex/${version}`,
    limits: {
      ...(values.bytesMax === undefined ? {} : { bytesMax: values.bytesMax }),
      ...(values.ageMaxMs === 0 ? {} : { ageMaxMs: values.ageMaxMs }),
      syncIntervalMs: values.fsyncIntervalMs,
    },
    holdMs: values.holdMs,
    ...(values.deadLetterBytesMax === undefined ? {} : { deadLetterBytesMax: values.deadLetterBytesMax }),
    lock: !values.noLockfile,
    startTimestamps: features.startTimestamps,
    ...(shard === undefined ? {} : { shard }),
  })
  context.onStop('agent', (graceMs) => agent.stop(Math.min(graceMs, values.flushDeadlineMs)))
  context.onReload(() => configFile.reload((next) => agent.reload(next)))
  agent.start()
  running.agent = agent
  configMetrics.loaded(true)
  if (values.autoReload || features.autoReload) {
    context.onStop(
      'config watch',
      configFile.watch(values.autoReloadIntervalMs, () => context.reload()),
    )
  }
}

/** Throws UserError when the storage path cannot be used. */
function openAgent(options: AgentOptions): Agent {
  try {
    return createAgent(options)
  } catch (cause) {
    throw toStorageError(cause, 'narthex agent', 'storage.agent.path', options.storagePath)
  }
}

function warnOfFlags({ given }: ParsedFlags<typeof agentFlags>, { withoutEffect }: AgentFeatures, log: Logger): void {
  for (const name of agentWithoutEffectNames) if (given.has(name)) log.warn(`flag --${name} is accepted and has no effect on the agent`)
  for (const feature of withoutEffect) log.warn(`feature ${feature} is accepted and has no effect on the agent`)
}

/** `host:port` of the first listener that has one; a program on a socket alone has none, and a name stands for it. */
export function findOwnAddress(urls: readonly string[]): string {
  const url = urls.find((one) => /^https?:/.test(one))
  return url === undefined ? 'localhost:9090' : new URL(url).host
}
