import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createAgent } from '@narthex/agent/agent'
import { parsePrometheusConfig, type PrometheusConfig } from '@narthex/config/prometheus-config'
import { createNodeExporter } from '@narthex/exporter-node/node-exporter'
import { createHttpServer } from '@narthex/http/server'
import { Server } from '@narthex/server/server'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { prometheusHttpMetrics } from '@narthex/service/http-instruments'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { processMetrics } from '@narthex/service/process-metrics'
import { UserError } from '@narthex/service/user-error'
import { registerWebAssets } from '../assets.ts'
import { version, versionText } from '../version.ts'
import { mountAgent, agentView } from './agent.ts'
import { mountExporter } from './node-exporter.ts'
import { ConfigMetrics, loadConfigFile, toServerSettings, warnOfFlags } from './server.ts'
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

// The built-in configuration: this machine and the program itself.
const builtinConfig = (address: string) => `global:
  scrape_interval: 5s
  scrape_timeout: 5s
  evaluation_interval: 10s
scrape_configs:
  - job_name: node
    metrics_path: /exporters/node/metrics
    static_configs:
      - targets: ['${address}']
  - job_name: narthex
    static_configs:
      - targets: ['${address}']
`

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
  const given = values.configFile === '' ? undefined : loadConfigFile(values.configFile)
  const directory = makeStorageDirectory(values.storagePath)

  registerWebAssets()
  const registry = new Registry()
  processMetrics(registry)
  const configMetrics = new ConfigMetrics(registry)
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'up',
    routePrefix: values.routePrefix ?? '',
    connectionsMax: values.maxConnections,
    readTimeoutMs: values.readTimeoutMs,
    instruments: prometheusHttpMetrics(registry),
  })
  const settings = {
    ...toServerSettings(flags, { receiverRefusal: undefined, externalUrl: values.externalUrl.replace(/\/$/, '') }),
    directory: join(directory, 'server'),
  }
  const server = await Server.open({ http, log, registry, settings, reload: () => context.reload(), quit: () => context.stop() })
  context.onStop('storage', (graceMs) => server.stop(graceMs))
}
