import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { arpFlags } from './collect-arp.ts'
import { bcacheFlags } from './collect-bcache.ts'
import { cpuFlags } from './collect-cpu.ts'
import { createDiskstatsFlags } from './collect-diskstats.ts'
import { createFilesystemFlags } from './collect-filesystem.ts'
import { hwmonFlags } from './collect-hwmon.ts'
import { infinibandFlags } from './collect-infiniband.ts'
import { ipvsFlags } from './collect-ipvs.ts'
import { netclassFlags } from './collect-netclass.ts'
import { netdevFlags } from './collect-netdev.ts'
import { netstatFlags } from './collect-netstat.ts'
import { powersupplyclassFlags } from './collect-powersupplyclass.ts'
import { raplFlags } from './collect-rapl.ts'
import { statFlags } from './collect-stat.ts'
import { tapestatsFlags } from './collect-tapestats.ts'
import { textfileFlags } from './collect-textfile.ts'
import { vmstatFlags } from './collect-vmstat.ts'
import { pathFlags } from './environment.ts'
import { flagsWithoutEffect } from './flags-without-effect.ts'
import { optionalCollectorFactories } from './optional-collectors.ts'
import { optionalCollectorFlags } from './optional-flags.ts'
import { factoriesOf } from './other-systems/factories.ts'
import { thisMachine } from './other-systems/machine.ts'

const exporterFlags: readonly FlagSpec[] = [
  { name: 'web.telemetry-path', type: 'string', default: '/metrics', help: 'Path under which to expose metrics.' },
  {
    name: 'web.disable-exporter-metrics',
    type: 'boolean',
    default: false,
    help: 'Exclude metrics about the exporter itself (promhttp_*, process_*).',
  },
  { name: 'web.max-requests', type: 'number', default: 40, help: 'Maximum number of parallel scrape requests. Use 0 to disable.' },
  { name: 'collector.disable-defaults', type: 'boolean', default: false, help: 'Set all collectors to disabled by default.' },
]

// Without defaults, so that `--collector.cpu` that was given can be told from one that was not.
function createSwitchFlags(platform: NodeJS.Platform): readonly FlagSpec[] {
  return [...factoriesOf({ ...thisMachine, platform }).keys()].sort().map((name) => ({
    name: `collector.${name}`,
    type: 'boolean',
    help: `Enable the ${name} collector (default: ${optionalCollectorFactories.has(name) ? 'disabled' : 'enabled'}).`,
  }))
}

/**
 * The node exporter's own flags with the original's names and defaults. Those of every listener and logger (`web.listen-address`,
 * `web.config.file`, `log.level`, …) belong to the command. Values are wanted as given, without defaults filled in.
 */
export const nodeExporterFlags: readonly FlagSpec[] = createNodeExporterFlags(process.platform)

/** Those of a platform: its collectors, and its defaults. */
export function createNodeExporterFlags(platform: NodeJS.Platform): readonly FlagSpec[] {
  return [
    ...arpFlags,
    ...bcacheFlags,
    ...cpuFlags,
    ...createDiskstatsFlags(platform),
    ...createFilesystemFlags(platform),
    ...hwmonFlags,
    ...infinibandFlags,
    ...ipvsFlags,
    ...netclassFlags,
    ...netdevFlags,
    ...netstatFlags,
    ...powersupplyclassFlags,
    ...raplFlags,
    ...statFlags,
    ...tapestatsFlags,
    ...textfileFlags,
    ...vmstatFlags,
    ...optionalCollectorFlags,
    ...pathFlags,
    ...createSwitchFlags(platform),
    ...exporterFlags,
    ...flagsWithoutEffect,
  ]
}
