import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { findPeerDifferences, isBetween } from '@narthex/exporter-kit/peer-differences'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestExporter, parseText } from './test-exporter.ts'
import { startPeer } from './test-peer.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

// The collectors that are off by default beside Debian's node_exporter 1.5.0, on this machine and on the test trees. Those that need another
// service (systemd, logind, ntp, supervisord, runit) have tests of their own.

const treeCollectors = 'buddyinfo cgroups drbd interrupts ksmd lnstat meminfo_numa mountstats processes slabinfo sysctl zoneinfo'.split(' ')
const machineCollectors = [...treeCollectors, 'ethtool', 'network_route', 'qdisc', 'tcpstat']

/** Families that came after 1.5.0. */
const newerFamilies = /^node_(ksmd_general_profit_bytes|mountstats_nfs_mountpoint_info)$/
/** Families that go up and down from one scrape to the next. */
const movingFamilies =
  /^node_(sysctl_fs_file_nr|buddyinfo_|slabinfo_(active_)?objects$|processes_|tcp_connection_states|qdisc_(backlog|current)|zoneinfo_nr_|memory_numa_)/

/** Samples of the trees that differ, and why. */
const otherSamples: readonly RegExp[] = [
  // 1.5.0 wants a blank behind the name, and fails.
  /^node_interrupts_total\{|^node_scrape_collector_success\{collector="interrupts"/,
  // It does not know several transports of a mount.
  /^node_mountstats_nfs_transport_/,
]

const sysctls = {
  'collector.sysctl.include': ['fs.file-nr', 'fs.file-nr:total,current,max', 'kernel.threads-max'],
  'collector.sysctl.include-info': ['kernel.seccomp.actions_avail'],
}

let trees: TestTrees
beforeAll(() => {
  trees = unpackTestTrees('optional')
})
afterAll(() => trees.remove())

test('on this machine families, types and label sets are those of node_exporter 1.5.0, and values lie between two of its scrapes', async () => {
  expect(await compare(machineCollectors, sysctls, [])).toEqual([])
})

test('on the test trees every sample is as node_exporter 1.5.0 has it', async () => {
  expect(await compare(treeCollectors, { ...sysctls, ...trees.flags }, otherSamples)).toEqual([])
})

async function compare(collectors: readonly string[], values: FlagValues, otherSamples: readonly RegExp[]): Promise<string[]> {
  const switches = Object.fromEntries(collectors.map((name) => [`collector.${name}`, true]))
  const flags = { 'collector.disable-defaults': true, 'web.disable-exporter-metrics': true, ...switches, ...values }
  const peer = await startPeer(flags)
  const exporter = createTestExporter(flags)
  try {
    await exporter.handleMetrics()
    const before = parseText(await peer.scrape())
    const ours = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
    const after = parseText(await peer.scrape())
    return findPeerDifferences(ours, before, after, {
      ignoredFamilies: /^(go_|promhttp_|node_exporter_build_info|node_scrape_collector_duration)/,
      newerFamilies,
      otherSamples,
      // A process or a socket may come in a state of its own between two scrapes.
      passingSamples: /^node_(processes_|tcp_connection_states)/,
      isRight: (compared) => movingFamilies.test(compared.family.name) || isBetween(compared),
    })
  } finally {
    await exporter.close()
    peer.stop()
  }
}
