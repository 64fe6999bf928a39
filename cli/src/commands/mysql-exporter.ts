import { createMysqlExporter, type MysqlExporter } from '@narthex/exporter-mysql/mysql-exporter'
import { mysqlExporterFlags } from '@narthex/exporter-mysql/flags'
import { describeFlags, pickGivenFlags } from '@narthex/exporter-kit/command-flags'
import { parseFlags } from '@narthex/service/plain-flags'
import type { MainContext } from '@narthex/service/lifecycle'
import type { Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { version, versionText } from '../version.ts'
import { listenAddressFlag, systemdSocketFlag, webConfigFileFlag } from './exporter-flags.ts'
import { getPage, reloadPage, serveExporter, startExporterLog } from './serve-exporter.ts'
import { logFlags } from './server-flags.ts'
import { findSystemdSockets } from './systemd-sockets.ts'

// narthex exporter mysql: mysqld_exporter's flags, port and metrics.

const listenerFlags = {
  listenAddress: listenAddressFlag(':9104'),
  systemdSocket: systemdSocketFlag,
  webConfigFile: webConfigFileFlag,
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
  const log = startExporterLog(context, { level: values.logLevel, format: values.logFormat }, mysqlExporterFlags, given)
  const exporter = buildMysqlExporter(pickGivenFlags(mysqlExporterFlags, values, given), log)
  await serveExporter(context, log, exporter, {
    name: 'MySQL exporter',
    listenAddress: values.systemdSocket ? findSystemdSockets() : values.listenAddress,
    webConfigFile: values.webConfigFile,
    closes: 'connections',
    pages: [
      getPage('/probe', (request) => exporter.handleProbe(request)),
      reloadPage(['POST', 'PUT'], () => context.reload(), 'config', ''),
    ],
  })
}

/** The exporter with this program's build information; flags and option files that cannot be used are a user's error. */
function buildMysqlExporter(flags: Readonly<Record<string, unknown>>, log: Logger): MysqlExporter {
  try {
    return createMysqlExporter({ flags, log, buildInfo: { version, revision: 'narthex', branch: 'narthex' } })
  } catch (cause) {
    throw new UserError(`mysqld_exporter: ${(cause as Error).message}`, 1, { cause })
  }
}
