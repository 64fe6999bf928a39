import { nginxExporterEnvironment, nginxExporterFlags } from '@narthex/exporter-nginx/flags'
import { createNginxExporter, type NginxExporter } from '@narthex/exporter-nginx/nginx-exporter'
import { pickGivenFlags, warnOfFlagsWithoutEffect } from '@narthex/exporter-kit/command-flags'
import { createHttpServer } from '@narthex/http/server'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { createPasswordVerifier } from '../password-verifier.ts'
import { version, versionText } from '../version.ts'
import { describeFlagsWithEnvironment } from './flag-environment.ts'
import { mountExporter } from './node-exporter.ts'
import { logFlags } from './server-flags.ts'

// narthex exporter nginx: nginx-prometheus-exporter's flags, environment variables, port and metrics.

const listenerFlags = {
  listenAddress: flag.list('web.listen-address', 'Addresses on which to expose metrics and web interface.', {
    default: [':9113'],
    env: 'LISTEN_ADDRESS',
  }),
  webConfigFile: flag.text('web.config.file', 'Path to configuration file that can enable TLS or authentication.', '', {
    env: 'CONFIG_FILE',
  }),
  logLevel: { ...logFlags.logLevel, env: 'LOG_LEVEL' },
  logFormat: { ...logFlags.logFormat, env: 'LOG_FORMAT' },
}

export async function runNginxExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const { values, given } = parseFlags(
    {
      name: 'nginx-prometheus-exporter',
      help: 'Prometheus metrics of NGINX servers.',
      version: versionText('nginx-prometheus-exporter'),
      flags: { ...describeFlagsWithEnvironment(nginxExporterFlags, nginxExporterEnvironment), ...listenerFlags },
      acceptsSingleDash: true,
      exitCodes: { usage: 1, value: 1 },
    },
    argv,
  )
  const log = createLogger({ level: values.logLevel, format: values.logFormat })
  context.setLog(log)
  for (const warning of warnOfFlagsWithoutEffect(nginxExporterFlags, given)) log.warn(warning)
  const exporter = buildNginxExporter(pickGivenFlags(nginxExporterFlags, values, given), log)
  const http = await createHttpServer({
    listenAddress: values.listenAddress,
    ...(values.webConfigFile === '' ? {} : { webConfigFile: values.webConfigFile }),
    log,
    name: 'NGINX exporter',
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
  context.onStop('connections', () => exporter.close())
  context.onStop('HTTP server', (graceMs) => http.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })
}

/** The exporter with this program's build information; a flag value that cannot be used is a user's error. */
function buildNginxExporter(flags: Readonly<Record<string, unknown>>, log: Logger): NginxExporter {
  try {
    return createNginxExporter({ flags, log, buildInfo: { version, revision: 'narthex', branch: 'narthex' } })
  } catch (cause) {
    throw new UserError(`nginx-prometheus-exporter: ${(cause as Error).message}`, 1, { cause })
  }
}
