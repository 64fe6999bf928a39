import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { findPeerDifferences, isBetween, type ComparedValue, type PeerExceptions } from '@narthex/exporter-kit/peer-differences'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collectorFactories } from './collectors.ts'
import { nodeExporterFlags } from './flags.ts'
import { portCounters } from './infiniband-counters.ts'
import { createTestExporter, parseText } from './test-exporter.ts'
import { startPeer, type Peer } from './test-peer.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

// Debian's node_exporter 1.5.0 beside ours, on this machine and on the test trees. Filters whose defaults changed since, or that Debian
// changed, are given to both.
const sharedFlags: Readonly<Record<string, string>> = Object.fromEntries(
  ['filesystem.mount-points-exclude', 'filesystem.fs-types-exclude', 'diskstats.device-exclude', 'netstat.fields'].map((name) => {
    const flag = `collector.${name}`
    return [flag, String(nodeExporterFlags.find((spec) => spec.name === flag)!.default)]
  }),
)

/** Collectors that came after 1.5.0. */
const newerCollectors = ['bcachefs', 'dmmultipath', 'kernel_hung', 'watchdog']
/** Families that came after it. */
const newerFamilies =
  '^node_(cpu_online|cpu_isolated|filesystem_mount_info|md_degraded|md_raid_disks|os_support_end_.*|pressure_irq_.*|hwmon_freq_.*|' +
  'bcachefs_.*|dmmultipath_.*|infiniband_lifespan_seconds|btrfs_(.*commit.*|device_(errors_total|unused_bytes))|cpu_frequency_avg_hertz|cpu_scaling_governor|edac_channel_.*|kernel_hung_.*|' +
  'nvme_namespace_.*|softnet_(backlog_len|cpu_collision_total|flow_limit_count_total|received_rps_total)|watchdog_.*|' +
  'zfs_(arc_arc_need_free|arc_memory_available_bytes|dbuf_.*))$'
const newerAdapterCounters = portCounters.filter(({ file }) => file.startsWith('hw_counters/')).map(({ name }) => name)
/** Families that went after it: fields of meminfo that its fixed list lacks. */
const olderFamilies = /^node_memory_(Balloon|FileHugePages|FilePmdMapped|Hugetlb|KReclaimable|SecPageTables|Unaccepted)_bytes$/
/** Labels that came after it, by family. */
const newerLabels: readonly (readonly [RegExp, string])[] = [
  [/^node_filesystem_/, 'device_error'],
  [/^node_disk_info$/, 'rotational'],
  [/^node_exporter_build_info$/, 'tags'],
  [/^node_network_info$/, 'adminstate'],
  [/^node_nvme_info$/, 'cntlid'],
]

/** Samples of the test trees that differ, and why. */
const otherSamples: readonly RegExp[] = [
  new RegExp(`^node_scrape_collector_\\w+\\{collector="(${newerCollectors.join('|')})"`),
  // It shows this one even without any.
  /^node_bcache_cache_readaheads_total\{backing_device="bdev0"/,
  // Published addresses count in 1.5.0, which reads the file; newer ones ask netlink, which does not list them, and so do we.
  /^node_arp_entries\{device="eth0"/,
  // It knows no third copy, and asks for a device's identity by ioctl alone.
  /^node_btrfs_allocation_ratio\{.*mode="raid1c3"/,
  /^node_btrfs_device_size_bytes\{.*device="sdx1"/,
  // It misses two operations, and takes the last ones from wrong columns.
  /^node_nfsd_requests_total\{method="(RelLockOwner|SetClientID|SetClientIDConfirm|Verify|WdelegGetattr|Write)",proto="4"/,
  // It numbers the rows, whatever CPU they say they are of.
  /^node_softnet_\w+\{cpu="(2|3|10)"/,
  // It cuts a data set's name at the first blank, and does not know the state.
  /^node_zfs_zpool_dataset_\w+\{dataset="pool1\/data/,
  /^node_zfs_zpool_state\{state="suspended"/,
  // 1.5.0 shows CPUs that are offline with zeros when one with a higher number is online.
  /^node_cpu_(guest_)?seconds_total\{cpu="3"/,
  // It does not take SCSI_IDENT_SERIAL for the serial.
  /^node_disk_info\{device="sdb"/,
  // It reads `mounts`, which cannot have an empty device; it leaves \134 in the path as it is, and so cannot ask for its size.
  /^node_filesystem_\w+\{.*mountpoint="\/mnt\/(tab|back)/,
  // It has no readonly for a mount with an error.
  /^node_filesystem_readonly\{.*mountpoint="\/mnt\/gone"/,
  // It does not know frequency sensors and the disk state `down`.
  /^node_hwmon_sensor_label\{.*sensor="freq1"/,
  /^node_md_disks\{.*state="down"/,
]

const exceptions: PeerExceptions = {
  newerFamilies: new RegExp(`${newerFamilies}|^node_infiniband_(${newerAdapterCounters.join('|')})_total$`),
  olderFamilies,
  newerLabels,
  // The peer asks uname(2) itself, whatever --path.procfs says: on the trees only label names can be compared.
  otherLabelValues: /^node_(exporter_build_info|uname_info)$/,
  otherSamples,
  isRight,
}

let trees: TestTrees
beforeAll(() => {
  trees = unpackTestTrees()
})
afterAll(() => trees.remove())

test('on this machine families, types and labels are those of node_exporter 1.5.0, and values lie between two of its scrapes', async () => {
  await compare({ ...sharedFlags }, { 'collector.netdev.device-exclude': '' })
})

test('on the test trees everything is as node_exporter 1.5.0 has it', async () => {
  const flags = {
    ...sharedFlags,
    ...trees.flags,
    'collector.netdev.netlink': false,
    'collector.cpu.info': true,
    'collector.stat.softirq': true,
  }
  const directory = `${trees.directory}/rootfs/textfile`
  await compare(
    { ...flags, 'collector.textfile.directory': [directory] },
    {
      'collector.netdev.device-exclude': '',
      'collector.textfile.directory': directory,
    },
  )
})

async function compare(flags: FlagValues, peerOnlyFlags: FlagValues): Promise<void> {
  const peer = await startPeerOf(flags, peerOnlyFlags)
  const exporter = createTestExporter(flags)
  try {
    await peer.scrape() // collectors that keep state warm up
    await exporter.handleMetrics()
    const before = parseText(await peer.scrape())
    const ours = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
    const after = parseText(await peer.scrape())
    expect(findPeerDifferences(ours, before, after, exceptions)).toEqual([])
  } finally {
    await exporter.close()
    peer.stop()
  }
}

/** Gauges that move from one moment to the next. */
const movingGauges =
  /^node_(memory_|load|procs_|sockstat_|filefd_|entropy_|filesystem_|time_seconds|disk_io_now|scrape_collector_duration|nf_conntrack_)/

function isRight(compared: ComparedValue): boolean {
  const { name, type } = compared.family
  if (type === 'gauge' && movingGauges.test(name)) return Number.isFinite(compared.value)
  if (name.endsWith('Tcp_CurrEstab')) return compared.value >= 0
  // Two ticks: the peer's file may be read a moment after its other files.
  return isBetween(compared, name.endsWith('_seconds_total') ? 0.03 : 0)
}

/** With exactly the collectors that it has of ours. */
async function startPeerOf(flags: FlagValues, peerOnlyFlags: FlagValues): Promise<Peer> {
  const names = [...collectorFactories.keys()].filter((name) => !newerCollectors.includes(name))
  const switches = Object.fromEntries(names.map((name) => [`collector.${name}`, true]))
  const values = Object.fromEntries(Object.entries(flags).filter(([, value]) => !Array.isArray(value)))
  return startPeer({ 'collector.disable-defaults': true, ...switches, ...values, ...peerOnlyFlags })
}
