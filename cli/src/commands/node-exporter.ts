import { spawn } from 'node:child_process'
import { isSea } from 'node:sea'
import { createNodeExporter, type NodeExporter } from '@narthex/exporter-node/node-exporter'
import { nodeExporterFlags } from '@narthex/exporter-node/flags'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import { describeFlags, pickGivenFlags, warnOfFlagsWithoutEffect } from '@narthex/exporter-kit/command-flags'
import { createHttpServer } from '@narthex/http/server'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import type { FastifyInstance } from 'fastify'
import { createPasswordVerifier } from '../password-verifier.ts'
import { version, versionText } from '../version.ts'
import { logFlags } from './server-flags.ts'

// narthex exporter node: node_exporter's flags, port and metrics.

const listenerFlags = {
  listenAddress: flag.list('web.listen-address', 'Addresses on which to expose metrics and web interface.', { default: [':9100'] }),
  webConfigFile: flag.text('web.config.file', 'Path to configuration file that can enable TLS or authentication.', ''),
  ...logFlags,
}

export async function runNodeExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const { values, given } = parseFlags(
    {
      name: 'node_exporter',
      help: 'Prometheus metrics of this machine.',
      version: versionText('node_exporter'),
      flags: { ...describeFlags(nodeExporterFlags), ...listenerFlags },
      exitCodes: { usage: 1, value: 1 },
    },
    argv,
  )
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  for (const warning of warnOfFlagsWithoutEffect(nodeExporterFlags, given)) log.warn(warning)
  const chosen = pickGivenFlags(nodeExporterFlags, values, given)
  const exporter = buildNodeExporter(chosen, log)
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'node exporter',
    verifyPassword: createPasswordVerifier(),
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
