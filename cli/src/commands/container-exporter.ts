import { containerExporterFlags } from '@narthex/exporter-container/flags'
import { createContainerExporter, type ContainerExporter } from '@narthex/exporter-container/container-exporter'
import { describeFlags, pickGivenFlags } from '@narthex/exporter-kit/command-flags'
import { flag } from '@narthex/service/flag-spec'
import type { FlagValues } from '@narthex/service/flag-reading'
import { parseFlags } from '@narthex/service/plain-flags'
import type { MainContext } from '@narthex/service/lifecycle'
import type { Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { ownHelper } from '../statfs-helper-command.ts'
import { version, versionText } from '../version.ts'
import { webConfigFileFlag } from './exporter-flags.ts'
import { healthPage, serveExporter, startExporterLog } from './serve-exporter.ts'
import { logFlags } from './server-flags.ts'

// narthex exporter container: cAdvisor's flags, port and metrics.

const listenerFlags = {
  listenIp: flag.text('listen_ip', 'IP to listen on, all if empty.', ''),
  port: flag.integer('port', 'Port to listen on.', 8080),
  listenAddress: flag.list('web.listen-address', 'Addresses on which to expose metrics, in place of listen_ip and port.'),
  webConfigFile: webConfigFileFlag,
  authFile: flag.text('http_auth_file', 'Refused: use --web.config.file.', '', { hidden: true }),
  digestFile: flag.text('http_digest_file', 'Refused: use --web.config.file.', '', { hidden: true }),
  authRealm: flag.text('http_auth_realm', 'Accepted.', '', { hidden: true }),
  digestRealm: flag.text('http_digest_realm', 'Accepted.', '', { hidden: true }),
  logLevel: logFlags.logLevel,
  logFormat: logFlags.logFormat,
}

export async function runContainerExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const { values, given } = parseFlags(
    {
      name: 'cadvisor',
      help: 'Prometheus metrics of containers.',
      version: versionText('cadvisor'),
      flags: { ...describeFlags(containerExporterFlags), ...listenerFlags },
      acceptsSingleDash: true,
      exitCodes: { usage: 2, value: 2 },
    },
    argv,
  )
  refuseAuthFiles(values)
  const log = startExporterLog(context, { level: values.logLevel, format: values.logFormat }, containerExporterFlags, given)
  const exporter = buildContainerExporter(pickGivenFlags(containerExporterFlags, values, given), log)
  await serveExporter(context, log, exporter, {
    name: 'container exporter',
    listenAddress: values.listenAddress.length > 0 ? values.listenAddress : [joinHostPort(values.listenIp, values.port)],
    webConfigFile: values.webConfigFile,
    closes: 'connections and helper processes',
    pages: [healthPage(`${exporter.basePath}/healthz`)],
  })
}

/** The exporter with this program's build information; a flag value that cannot be used is a user's error. */
function buildContainerExporter(flags: Readonly<Record<string, unknown>>, log: Logger): ContainerExporter {
  const buildInfo = { version, revision: 'narthex', branch: 'narthex' }
  try {
    return createContainerExporter({ flags, log, buildInfo, ...ownHelper() })
  } catch (cause) {
    throw new UserError(`cadvisor: ${(cause as Error).message}`, 1, { cause })
  }
}

// Whoever gave a password file wants the pages protected: going on without would open them.
function refuseAuthFiles({ authFile, digestFile }: FlagValues<typeof listenerFlags>): void {
  if (authFile === '' && digestFile === '') return
  const name = authFile === '' ? 'http_digest_file' : 'http_auth_file'
  throw new UserError(`cadvisor: cannot use flag --${name}: put basic_auth_users into a file for --web.config.file`, 2)
}

function joinHostPort(host: string, port: number): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}
