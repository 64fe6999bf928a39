import { nginxExporterEnvironment, nginxExporterFlags } from '@narthex/exporter-nginx/flags'
import { createNginxExporter, type NginxExporter } from '@narthex/exporter-nginx/nginx-exporter'
import { pickGivenFlags } from '@narthex/exporter-kit/command-flags'
import { parseFlags } from '@narthex/service/plain-flags'
import type { MainContext } from '@narthex/service/lifecycle'
import type { Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { version, versionText } from '../version.ts'
import { listenAddressFlag, systemdSocketFlag, webConfigFileFlag } from './exporter-flags.ts'
import { describeFlagsWithEnvironment } from './flag-environment.ts'
import { serveExporter, startExporterLog } from './serve-exporter.ts'
import { logFlags } from './server-flags.ts'
import { findSystemdSockets } from './systemd-sockets.ts'

// narthex exporter nginx: nginx-prometheus-exporter's flags, environment variables, port and metrics.

const listenerFlags = {
  listenAddress: { ...listenAddressFlag(':9113'), env: 'LISTEN_ADDRESS' },
  systemdSocket: { ...systemdSocketFlag, env: 'SYSTEMD_SOCKET' },
  webConfigFile: { ...webConfigFileFlag, env: 'CONFIG_FILE' },
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
  const log = startExporterLog(context, { level: values.logLevel, format: values.logFormat }, nginxExporterFlags, given)
  const exporter = buildNginxExporter(pickGivenFlags(nginxExporterFlags, values, given), log)
  const { systemdSocket, webConfigFile } = values
  const listenAddress = systemdSocket ? findSystemdSockets() : values.listenAddress
  await serveExporter(context, log, exporter, { name: 'NGINX exporter', listenAddress, webConfigFile, closes: 'connections' })
}

/** The exporter with this program's build information; a flag value that cannot be used is a user's error. */
function buildNginxExporter(flags: Readonly<Record<string, unknown>>, log: Logger): NginxExporter {
  try {
    return createNginxExporter({ flags, log, buildInfo: { version, revision: 'narthex', branch: 'narthex' } })
  } catch (cause) {
    throw new UserError(`nginx-prometheus-exporter: ${(cause as Error).message}`, 1, { cause })
  }
}
