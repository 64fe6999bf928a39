import type { Collector } from '@narthex/exporter-kit/collector'
import { createBuddyinfoCollector } from './collect-buddyinfo.ts'
import { createCgroupsCollector } from './collect-cgroups.ts'
import { createCpuVulnerabilitiesCollector } from './collect-cpu-vulnerabilities.ts'
import { createDrbdCollector } from './collect-drbd.ts'
import { createDrmCollector } from './collect-drm.ts'
import { createEthtoolCollector } from './collect-ethtool.ts'
import { createInterruptsCollector } from './collect-interrupts.ts'
import { createKsmdCollector } from './collect-ksmd.ts'
import { createLnstatCollector } from './collect-lnstat.ts'
import { createLogindCollector } from './collect-logind.ts'
import { createMeminfoNumaCollector } from './collect-meminfo-numa.ts'
import { createMountstatsCollector } from './collect-mountstats.ts'
import { createNetworkRouteCollector } from './collect-network-route.ts'
import { createNtpCollector } from './collect-ntp.ts'
import { createNvmesubsystemCollector } from './collect-nvmesubsystem.ts'
import { createPcideviceCollector } from './collect-pcidevice.ts'
import { createProcessesCollector } from './collect-processes.ts'
import { createPerfCollector } from './collect-perf.ts'
import { createQdiscCollector } from './collect-qdisc.ts'
import { createRunitCollector } from './collect-runit.ts'
import { createSlabinfoCollector } from './collect-slabinfo.ts'
import { createSoftirqsCollector } from './collect-softirqs.ts'
import { createSupervisordCollector } from './collect-supervisord.ts'
import { createSwapCollector } from './collect-swap.ts'
import { createSysctlCollector } from './collect-sysctl.ts'
import { createSystemdCollector } from './collect-systemd.ts'
import { createTcpstatCollector } from './collect-tcpstat.ts'
import { createWifiCollector } from './collect-wifi.ts'
import { createXfrmCollector } from './collect-xfrm.ts'
import { createZoneinfoCollector } from './collect-zoneinfo.ts'
import { collectorFactories, type CreateCollector } from './collectors.ts'
import type { NodeEnvironment } from './environment.ts'

/** Collectors that are off unless `--collector.NAME` is given: first those that wait for something else. */
export const optionalCollectorFactories: ReadonlyMap<string, (environment: NodeEnvironment) => Collector> = new Map<
  string,
  (environment: NodeEnvironment) => Collector
>([
  ['systemd', createSystemdCollector],
  ['logind', createLogindCollector],
  ['ntp', createNtpCollector],
  ['supervisord', createSupervisordCollector],
  ['processes', createProcessesCollector],
  ['tcpstat', createTcpstatCollector],
  ['pcidevice', createPcideviceCollector],
  ['buddyinfo', createBuddyinfoCollector],
  ['cgroups', createCgroupsCollector],
  ['cpu_vulnerabilities', createCpuVulnerabilitiesCollector],
  ['drbd', createDrbdCollector],
  ['drm', createDrmCollector],
  ['ethtool', createEthtoolCollector],
  ['interrupts', createInterruptsCollector],
  ['ksmd', createKsmdCollector],
  ['lnstat', createLnstatCollector],
  ['meminfo_numa', createMeminfoNumaCollector],
  ['mountstats', createMountstatsCollector],
  ['network_route', createNetworkRouteCollector],
  ['nvmesubsystem', createNvmesubsystemCollector],
  ['perf', createPerfCollector],
  ['qdisc', createQdiscCollector],
  ['runit', createRunitCollector],
  ['slabinfo', createSlabinfoCollector],
  ['softirqs', createSoftirqsCollector],
  ['swap', createSwapCollector],
  ['sysctl', createSysctlCollector],
  ['xfrm', createXfrmCollector],
  ['zoneinfo', createZoneinfoCollector],
  ['wifi', createWifiCollector],
])

/** All collectors in the order in which they run; `textfile` stays the last. */
export const allCollectorFactories: ReadonlyMap<string, CreateCollector> = new Map<string, CreateCollector>([
  ...[...collectorFactories].filter(([name]) => name !== 'textfile'),
  ...optionalCollectorFactories,
  ...[...collectorFactories].filter(([name]) => name === 'textfile'),
])
