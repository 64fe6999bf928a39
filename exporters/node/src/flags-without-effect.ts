import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

// Collectors of the original that are not built yet, and the flags that only they read. They are accepted so that existing command lines
// start; the command prints one warning for each that is given.

const defaultOff = (
  'buddyinfo cgroups cpu_vulnerabilities drbd drm ethtool interrupts ksmd lnstat logind meminfo_numa mountstats ' +
  'network_route ntp nvmesubsystem pcidevice perf processes qdisc runit slabinfo softirqs supervisord swap sysctl systemd ' +
  'tcpstat wifi xfrm zoneinfo'
).split(' ')

const booleans = [
  'ethtool.linkinfo-sorted',
  'ntp.server-is-local',
  'pcidevice.names',
  'systemd.enable-restarts-metrics',
  'systemd.enable-start-time-metrics',
  'systemd.enable-task-metrics',
  'systemd.private',
]

const texts = [
  'ethtool.device-exclude',
  'ethtool.device-include',
  'ethtool.metrics-include',
  'interrupts.name-exclude',
  'interrupts.name-include',
  'ntp.ip-ttl',
  'ntp.local-offset-tolerance',
  'ntp.max-distance',
  'ntp.protocol-version',
  'ntp.server',
  'ntp.server-port',
  'pcidevice.idsfile',
  'perf.cache-profilers',
  'perf.cpus',
  'perf.hardware-profilers',
  'perf.software-profilers',
  'qdisc.device-exclude',
  'qdisc.device-include',
  'qdisc.fixtures',
  'qdisk.device-exclude',
  'qdisk.device-include',
  'runit.servicedir',
  'slabinfo.slabs-exclude',
  'slabinfo.slabs-include',
  'supervisord.url',
  'systemd.unit-blacklist',
  'systemd.unit-exclude',
  'systemd.unit-include',
  'systemd.unit-whitelist',
  'wifi.fixtures',
]

const repeatables = ['perf.tracepoint', 'sysctl.include', 'sysctl.include-info']

const reason = 'this collector is not built yet'

export const flagsWithoutEffect: readonly FlagSpec[] = [
  ...defaultOff.map((name) => switchFlag(name)),
  ...booleans.map((name): FlagSpec => ({ ...common(name), type: 'boolean' })),
  ...texts.map((name): FlagSpec => ({ ...common(name), type: 'string' })),
  ...repeatables.map((name): FlagSpec => ({ ...common(name), type: 'string', repeatable: true })),
  { name: 'runtime.gomaxprocs', type: 'number', hidden: true, help: 'Threads of the Go runtime.', withoutEffect: 'there is no Go runtime' },
]

function switchFlag(name: string): FlagSpec {
  return { ...common(name), type: 'boolean' }
}

function common(name: string): Omit<FlagSpec, 'type'> {
  return { name: `collector.${name}`, help: `Accepted; ${reason}.`, hidden: true, withoutEffect: reason }
}
