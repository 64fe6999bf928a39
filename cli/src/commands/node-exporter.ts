import { createNodeExporter, type NodeExporter } from '@narthex/exporter-node/node-exporter'
import { nodeExporterFlags } from '@narthex/exporter-node/flags'
import { describeFlags, pickGivenFlags } from '@narthex/exporter-kit/command-flags'
import { parseFlags } from '@narthex/service/plain-flags'
import type { MainContext } from '@narthex/service/lifecycle'
import type { Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { ownHelper } from '../statfs-helper-command.ts'
import { version, versionText } from '../version.ts'
import { listenAddressFlag, systemdSocketFlag, webConfigFileFlag } from './exporter-flags.ts'
import { serveExporter, startExporterLog } from './serve-exporter.ts'
import { logFlags } from './server-flags.ts'
import { findSystemdSockets } from './systemd-sockets.ts'

// narthex exporter node: node_exporter's flags, port and metrics.

const listenerFlags = {
  listenAddress: listenAddressFlag(':9100'),
  systemdSocket: systemdSocketFlag,
  webConfigFile: webConfigFileFlag,
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
  const log = startExporterLog(context, { level: values.logLevel, format: values.logFormat }, nodeExporterFlags, given)
  const exporter = buildNodeExporter(pickGivenFlags(nodeExporterFlags, values, given), log)
  const { systemdSocket, webConfigFile } = values
  const listenAddress = systemdSocket ? findSystemdSockets() : values.listenAddress
  await serveExporter(context, log, exporter, { name: 'node exporter', listenAddress, webConfigFile, closes: 'collectors' })
}

/** The exporter with this program's build information and helper processes; a flag value that cannot be used is a user's error. */
export function buildNodeExporter(flags: Readonly<Record<string, unknown>>, log: Logger): NodeExporter {
  try {
    return createNodeExporter({
      flags,
      log,
      buildInfo: { version, revision: 'narthex', branch: 'narthex' },
      ...ownHelper(),
    })
  } catch (cause) {
    throw new UserError((cause as Error).message, 1, { cause })
  }
}
