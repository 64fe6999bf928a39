import type { MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestExporter, parseText } from './test-exporter.ts'
import { startPeer } from './test-peer.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

// The collectors that are off by default beside Debian's node_exporter 1.5.0, on this machine and on the test trees. Those that need another
// service (systemd, logind, ntp, supervisord, runit) have tests of their own.

const treeCollectors = 'buddyinfo cgroups drbd interrupts ksmd lnstat meminfo_numa mountstats processes slabinfo sysctl zoneinfo'.split(' ')
const machineCollectors = [...treeCollectors, 'ethtool', 'network_route', 'qdisc', 'tcpstat']

/** Families that came after 1.5.0. */
const newerFamilies = /^node_ksmd_general_profit_bytes$/
/** Families that go up and down from one scrape to the next. */
const movingFamilies =
  /^node_(sysctl_fs_file_nr|buddyinfo_|slabinfo_(active_)?objects$|processes_|tcp_connection_states|qdisc_(backlog|current)|zoneinfo_nr_|memory_numa_)/

/** Samples of the trees that differ, and why. */
const otherSamples: readonly RegExp[] = [
  // 1.5.0 wants a blank behind the name, and fails.
  /^node_interrupts_total\{|^node_scrape_collector_success\{collector="interrupts"/,
  // It does not know several transports of a mount, nor where an export is mounted.
  /^node_mountstats_nfs_(transport_|mountpoint_info)/,
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

type Families = ReadonlyMap<string, MetricFamily>

async function compare(collectors: readonly string[], values: FlagValues, exceptions: readonly RegExp[]): Promise<string[]> {
  const switches = Object.fromEntries(collectors.map((name) => [`collector.${name}`, true]))
  const flags = { 'collector.disable-defaults': true, 'web.disable-exporter-metrics': true, ...switches, ...values }
  const peer = await startPeer(flags)
  const exporter = createTestExporter(flags)
  try {
    await exporter.handleMetrics()
    const before = parseText(await peer.scrape())
    const ours = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
    const after = parseText(await peer.scrape())
    return findDifferences(ours, before, after).filter((text) => !exceptions.some((pattern) => pattern.test(text)))
  } finally {
    await exporter.close()
    peer.stop()
  }
}

function findDifferences(ours: Families, before: Families, after: Families): string[] {
  const differences: string[] = []
  const isCompared = (name: string): boolean => !/^(go_|promhttp_|node_exporter_build_info|node_scrape_collector_duration)/.test(name)
  for (const name of new Set([...ours.keys(), ...before.keys()])) {
    if (!isCompared(name) || newerFamilies.test(name)) continue
    const own = ours.get(name)
    const theirs = before.get(name)
    if (own === undefined || theirs === undefined) differences.push(`${name}: ${own === undefined ? 'missing' : 'not in the original'}`)
    else if (own.type !== theirs.type) differences.push(`${name}: want type ${theirs.type}, got ${own.type}`)
    else differences.push(...compareSamples(own, theirs, after.get(name) ?? theirs))
  }
  return differences
}

function compareSamples(own: MetricFamily, theirs: MetricFamily, later: MetricFamily): string[] {
  const [ownValues, lows, highs] = [own, theirs, later].map(valuesByKey) as [Map<string, number>, Map<string, number>, Map<string, number>]
  const differences: string[] = []
  const isMoving = movingFamilies.test(own.name)
  // A process or a socket may come in a state of its own between two scrapes.
  const hasMovingKeys = /^node_(processes_|tcp_connection_states)/.test(own.name)
  for (const key of new Set([...ownValues.keys(), ...lows.keys()])) {
    const value = ownValues.get(key)
    const low = lows.get(key)
    if (value === undefined || low === undefined) {
      if (!hasMovingKeys) differences.push(`${key}: ${value === undefined ? 'missing' : 'not in the original'}`)
    } else if (!isMoving && !(value >= Math.min(low, highs.get(key) ?? low) && value <= Math.max(low, highs.get(key) ?? low))) {
      differences.push(`${key}: want ${low} to ${highs.get(key)}, got ${value}`)
    }
  }
  return differences
}

function valuesByKey(family: MetricFamily): Map<string, number> {
  return new Map(
    family.samples.map(({ labels, value }) => {
      const pairs = labels.flatMap((label, index) => (index % 2 === 0 ? `${label}="${labels[index + 1]}"` : []))
      return [`${family.name}{${pairs.join()}}`, value]
    }),
  )
}
