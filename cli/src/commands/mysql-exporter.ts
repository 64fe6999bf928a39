import { createMysqlExporter, type MysqlExporter } from '@narthex/exporter-mysql/mysql-exporter'
import { mysqlExporterFlags } from '@narthex/exporter-mysql/flags'
import { describeFlags, pickGivenFlags, warnOfFlagsWithoutEffect } from '@narthex/exporter-kit/command-flags'
import type { MetricsResponse } from '@narthex/exporter-kit/metrics-answer'
import { createHttpServer } from '@narthex/http/server'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { createPasswordVerifier } from '../password-verifier.ts'
import { version, versionText } from '../version.ts'
import { mountExporter } from './node-exporter.ts'
import { logFlags } from './server-flags.ts'

// narthex exporter mysql: mysqld_exporter's flags, port and metrics.

const listenerFlags = {
  listenAddress: flag.list('web.listen-address', 'Addresses on which to expose metrics and web interface.', { default: [':9104'] }),
  webConfigFile: flag.text('web.config.file', 'Path to configuration file that can enable TLS or authentication.', ''),
  ...logFlags,
}

export async function runMysqlExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const { values, given } = parseFlags(
    {
      name: 'mysqld_exporter',
      help: 'Prometheus metrics of MySQL and MariaDB servers.',
      version: versionText('mysqld_exporter'),
      flags: { ...describeFlags(mysqlExporterFlags), ...listenerFlags },
      exitCodes: { usage: 1, value: 1 },
    },
    argv,
  )
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  for (const warning of warnOfFlagsWithoutEffect(mysqlExporterFlags, given)) log.warn(warning)
  const exporter = buildMysqlExporter(pickGivenFlags(mysqlExporterFlags, values, given), log)
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'MySQL exporter',
    verifyPassword: createPasswordVerifier(),
  })
  context.onReload(() => exporter.reload())
  http.routes((app, _options, done) => {
    mountMysqlExporter(app, exporter, () => context.reload())
    done()
  })
  const urls = await http.listen()
  context.onStop('connections', () => exporter.close())
  context.onStop('HTTP server', (graceMs) => http.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })
}

/** The exporter with this program's build information; flags and option files that cannot be used are a user's error. */
function buildMysqlExporter(flags: Readonly<Record<string, unknown>>, log: Logger): MysqlExporter {
  try {
    return createMysqlExporter({ flags, log, buildInfo: { version, revision: 'narthex', branch: 'narthex' } })
  } catch (cause) {
    throw new UserError(`mysqld_exporter: ${(cause as Error).message}`, 1, { cause })
  }
}

function mountMysqlExporter(app: FastifyInstance, exporter: MysqlExporter, reload: () => Promise<void>): void {
  mountExporter(app, exporter.telemetryPath, exporter)
  app.get('/probe', async (request, reply) => {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '')
    return sendAnswer(reply, await exporter.handleProbe({ query, headers: request.headers }))
  })
  for (const method of ['POST', 'PUT'] as const) {
    app.route({
      method,
      url: '/-/reload',
      handler: async (_request, reply) => {
        try {
          await reload()
          return await reply.code(200).send()
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          return reply.code(500).type('text/plain; charset=utf-8').send(`failed to reload config: ${reason}\n`)
        }
      },
    })
  }
  if (exporter.telemetryPath !== '/') {
    app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(exporter.landingPage))
  }
}

function sendAnswer(reply: FastifyReply, answer: MetricsResponse): FastifyReply {
  return reply
    .code(answer.status)
    .headers({ ...answer.headers })
    .send(Buffer.from(answer.body))
}
