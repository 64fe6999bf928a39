import type { Scene } from './assess.ts'
import { playScene } from './scene.ts'

/**
 * Collectors of node_exporter 1.5.0 that are off by default. Left out: what asks other programs that no test starts (ntp, runit, supervisord,
 * logind) or hardware that no test has (drbd, drm, wifi).
 */
const offByDefault = (
  'buddyinfo cgroups ethtool interrupts ksmd lnstat meminfo_numa mountstats network_route perf processes qdisc slabinfo sysctl ' +
  'systemd tcpstat zoneinfo'
).split(' ')

const options = [
  'cpu.info',
  'stat.softirq',
  'netdev.address-info',
  'sysctl.include=kernel.threads-max',
  'sysctl.include=fs.file-nr:total,current,max',
  'sysctl.include-info=kernel.seccomp.actions_avail',
]

// Debian leaves out the loopback interface.
const originalFlags = ['--collector.netdev.device-exclude=']

/** This machine, with default flags, with all collectors, and with the kernel's names of network counters. */
export async function playNodeScenes(): Promise<Scene[]> {
  const setup = { exporter: 'node', original: 'prometheus-node-exporter', originalFlags }
  const all = [...offByDefault, ...options].map((name) => `--collector.${name}`)
  return [
    await playScene({ ...setup, name: 'default flags', isDefault: true, flags: [] }),
    await playScene({ ...setup, name: 'all collectors', isDefault: false, flags: all }),
    await playScene({ ...setup, name: 'detailed names', isDefault: false, flags: ['--collector.netdev.enable-detailed-metrics'] }),
  ]
}
