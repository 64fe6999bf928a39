import { spawn } from 'node:child_process'
import { isSea } from 'node:sea'
import { createNodeExporter, type NodeExporter } from '@narthex/exporter-node/node-exporter'
import { nodeExporterFlags } from '@narthex/exporter-node/flags'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { createHttpServer } from '@narthex/http/server'
import { flag, type Flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import type { FastifyInstance } from 'fastify'
import { version, versionText } from '../version.ts'
import { logFlags } from './server-flags.ts'

// narthex exporter node: node_exporter's flags, port and metrics.

const listenerFlags = {
  listenAddress: flag.list('web.listen-address', 'Addresses on which to expose metrics and web interface.', { default: [':9100'] }),
  webConfigFile: flag.text('web.config.file', 'Path to configuration file that can enable TLS or authentication.', ''),
  ...logFlags,
}

export async function runNodeExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const own = toFlags(nodeExporterFlags)
  const { values, given } = parseFlags(
    {
      name: 'node_exporter',
      help: 'Prometheus metrics of this machine.',
      version: versionText('node_exporter'),
      flags: { ...own, ...listenerFlags },
      exitCodes: { usage: 1, value: 1 },
    },
    argv,
  )
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  for (const spec of nodeExporterFlags) {
    if (spec.withoutEffect !== undefined && given.has(spec.name))
      log.warn(`flag --${spec.name} is accepted and has no effect: ${spec.withoutEffect}`)
  }
  const chosen = Object.fromEntries(Object.entries(values as Record<string, unknown>).filter(([name]) => given.has(name)))
  const exporter = buildNodeExporter(chosen, log)
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'node exporter',
  })
  http.routes((app, _options, done) => {
    mountExporter(app, exporter.telemetryPath, exporter)
    if (exporter.telemetryPath !== '/') {
      app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(exporter.landingPage))
    }
    done()
  })
  const urls = await http.listen()
  context.onStop('collectors', () => exporter.close())
  context.onStop('HTTP server', (graceMs) => http.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })
}

/** The exporter with this program's build information and helper processes; a flag value that cannot be used is a user's error. */
export function buildNodeExporter(flags: Readonly<Record<string, unknown>>, log: Logger): NodeExporter {
  try {
    return createNodeExporter({
      flags,
      log,
      buildInfo: { version, revision: 'narthex', branch: 'narthex' },
      ...(isSea() ? { spawnHelper: spawnOwnHelper } : {}),
    })
  } catch (cause) {
    throw new UserError((cause as Error).message, 1, { cause })
  }
}

/** Hidden command of the single binary: see `runStatfsHelper`. */
export const statfsHelperCommand = 'internal-statfs-helper'

function spawnOwnHelper() {
  return spawn(process.execPath, [statfsHelperCommand], { stdio: ['pipe', 'pipe', 'ignore'] })
}

/** Adds an exporter's metrics page. */
export function mountExporter(app: FastifyInstance, path: string, exporter: Exporter): void {
  app.get(path, async (request, reply) => {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '')
    const answer = await exporter.handleMetrics({ query, headers: request.headers })
    return reply
      .code(answer.status)
      .headers({ ...answer.headers })
      .send(Buffer.from(answer.body))
  })
}

function toFlags(specs: readonly FlagSpec[]): Record<string, Flag<unknown>> {
  return Object.fromEntries(specs.map((spec) => [spec.name, toFlag(spec)]))
}

function toFlag(spec: FlagSpec): Flag<unknown> {
  const { name, help } = spec
  const options = spec.hidden === true ? { hidden: true } : {}
  const preset = spec.default
  if (spec.type === 'boolean') return flag.boolean(name, help, { ...options, default: preset === true })
  if (spec.repeatable === true)
    return flag.list(name, help, { ...options, ...(Array.isArray(preset) ? { default: preset as readonly string[] } : {}) })
  const text = preset === undefined ? {} : { default: String(preset) }
  if (spec.type === 'number') return flag.custom(name, help, parseNumber, { ...options, ...text })
  return flag.string(name, help, { ...options, ...text })
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  return value
}
