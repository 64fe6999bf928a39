import { expect, test } from 'vitest'
import { scrapeTree, valueOf } from './test-exporter.ts'

// Odd cases of the collectors of file systems and disks; the usual ones are in the recorded trees.

test('XFS statistics that are cut short fail, and a file system that is unmounted meanwhile is left out', async () => {
  const line = 'extent_alloc 1 2 3 4'
  const { families } = await scrapeTree('xfs', `/ sys/fs/xfs/sda1\n== sys/fs/xfs/sdb1/stats/stats\n${line}\nnew_in_linux_9 1\n`)
  expect(families.get('node_xfs_extent_allocation_blocks_freed_total')!.samples.map(({ labels, value }) => [labels, value])).toEqual([
    [['device', 'sdb1'], 4],
  ])
  expect(valueOf(families, 'node_xfs_vnode_remove_total', 'device', 'sdb1')).toBe(0)
  expect((await scrapeTree('xfs', `== sys/fs/xfs/sdb1/stats/stats\n${line.slice(0, -2)}\n`)).isSuccess).toBe(false)
  expect((await scrapeTree('xfs', '/ sys\n')).isSuccess).toBe(true)
})

const uuid = '0abb23a9-579b-43e6-ad30-227ef47fcb9d'
const btrfs = (files: Readonly<Record<string, string>>): string =>
  Object.entries(files)
    .map(([file, text]) => `== sys/fs/btrfs/${uuid}/${file}\n${text}\n`)
    .join('')

test('a Btrfs on several devices shows no errors, which no file ties to a name', async () => {
  const tree = btrfs({
    'devices/sda/size': '10',
    'devices/sdb/size': '20',
    'devinfo/1/error_stats': 'write_errs 1',
    'devinfo/2/error_stats': 'write_errs 2',
    'allocation/data/disk_total': '100',
    'allocation/data/raid5/total_bytes': '7',
    'allocation/metadata/raid6/total_bytes': '8',
  })
  const { families, isSuccess } = await scrapeTree('btrfs', tree)
  expect(isSuccess).toBe(true)
  expect(families.has('node_btrfs_device_errors_total')).toBe(false)
  expect(families.has('node_btrfs_device_unused_bytes')).toBe(false)
  expect(valueOf(families, 'node_btrfs_device_size_bytes', 'device', 'sdb', 'uuid', uuid)).toBe(10_240)
  expect(valueOf(families, 'node_btrfs_allocation_ratio', 'block_group_type', 'data', 'mode', 'raid5', 'uuid', uuid)).toBe(2)
  expect(valueOf(families, 'node_btrfs_commits_total', 'uuid', uuid)).toBe(0)
})

test('a Btrfs on one device shows its errors and what is not allocated', async () => {
  const tree = btrfs({
    'devices/sda/size': '1000',
    'devinfo/3/error_stats': 'write_errs 1\nread_errs 2\nhalf_errs\n',
    'allocation/data/disk_total': '100',
    'allocation/metadata/disk_total': '20',
    'allocation/system/disk_total': '3',
  })
  const { families } = await scrapeTree('btrfs', tree)
  expect(families.get('node_btrfs_device_errors_total')!.samples.map(({ labels, value }) => [labels[3], value])).toEqual([
    ['read', 2],
    ['write', 1],
  ])
  expect(valueOf(families, 'node_btrfs_device_unused_bytes', 'device', 'sda', 'uuid', uuid)).toBe(512_000 - 123)
})

test('machines without Btrfs succeed with nothing, as the original does', async () => {
  expect(await scrapeTree('btrfs', '/ sys/fs/btrfs/features\n')).toMatchObject({ isSuccess: true, samples: [] })
})

const kstat = 'proc/spl/kstat/zfs'

test.each(['name type data\nhits 4 x\n', '6 1 0x01 91 4368 5266997922\nhits 4 5\n', ''])('a kstat %j fails', async (text) => {
  expect((await scrapeTree('zfs', `== ${kstat}/arcstats\n${text}\n`)).isSuccess).toBe(false)
})

test('ZFS types other than 64-bit integers are left out, and a text beside them does no harm', async () => {
  const { samples } = await scrapeTree(
    'zfs',
    `== ${kstat}/zil\nname type data\na-b 3 -5\nb 4 18446744073709551615\nc 2 7\nd 7 some text\ne 4\n`,
  )
  expect(samples).toEqual(['node_zfs_zil_a_b -5', 'node_zfs_zil_b 1.8446744073709552e+19'])
})

test('pools that are exported meanwhile are left out', async () => {
  const tree = `/ ${kstat}/gone\n/ ${kstat}/half/state\n== ${kstat}/tank/state\nSUSPENDED\n== ${kstat}/odd/state\nBROKEN\n`
  const { isSuccess, samples } = await scrapeTree('zfs', tree)
  expect(isSuccess).toBe(true)
  expect(samples.filter((sample) => !sample.endsWith(' 0'))).toEqual(['node_zfs_zpool_state{state="suspended",zpool="tank"} 1'])
  expect(samples.filter((sample) => sample.includes('zpool="odd"'))).toHaveLength(7)
  expect((await scrapeTree('zfs', '/ proc\n')).isSuccess).toBe(false)
})

test('a table of a pool that is cut short fails', async () => {
  expect((await scrapeTree('zfs', `== ${kstat}/tank/io\nnread nwritten reads\n1 2\n`)).isSuccess).toBe(false)
})

test('a multipath path whose device is gone does not serve', async () => {
  const tree = `== sys/block/dm-0/dm/uuid
mpath-36
== sys/block/dm-0/dm/name
mpatha
/ sys/block/dm-0/slaves/sdz
/ sys/block/dm-1/dm
`
  const { families } = await scrapeTree('dmmultipath', tree)
  const labels = ['device', 'mpatha', 'sysfs_name', 'dm-0']
  expect(valueOf(families, 'node_dmmultipath_device_paths_failed', ...labels)).toBe(1)
  expect(valueOf(families, 'node_dmmultipath_path_state', 'device', 'mpatha', 'path', 'sdz', 'state', 'unknown')).toBe(1)
  expect((await scrapeTree('dmmultipath', '/ sys\n')).isSuccess).toBe(false)
})

test('counters of InfiniBand ports that are no numbers are left out', async () => {
  const port = 'sys/class/infiniband/mlx5_0/ports/1'
  const tree = `== ${port}/counters/port_rcv_data
N/A (no PMA)
== ${port}/counters/VL15_dropped
3
== ${port}/rate
broken
== ${port}/state
4: ACTIVE
`
  const { samples } = await scrapeTree('infiniband', tree)
  expect(samples).toEqual([
    'node_infiniband_info{board_id="",device="mlx5_0",firmware_version="",hca_type=""} 1',
    'node_infiniband_state_id{device="mlx5_0",port="1"} 4',
    'node_infiniband_vl15_dropped_total{device="mlx5_0",port="1"} 3',
  ])
  const excluded = await scrapeTree('infiniband', tree, { flags: { 'collector.infiniband.device-exclude': 'mlx' } })
  expect(excluded).toMatchObject({ isSuccess: true, samples: [] })
  expect((await scrapeTree('infiniband', '/ sys\n')).isSuccess).toBe(false)
})

test('a Fibre Channel port shows the counters that its adapter has', async () => {
  const { samples } = await scrapeTree(
    'fibrechannel',
    '== sys/class/fc_host/host1/statistics/rx_frames\n0x1f\n== sys/class/fc_host/host1/statistics/tx_frames\n0xffffffffffffffff\n',
  )
  expect(samples.slice(1)).toEqual(['node_fibrechannel_rx_frames_total{fc_host="host1"} 31'])
  expect((await scrapeTree('fibrechannel', '/ sys\n')).isSuccess).toBe(false)
})

test('tape drives are counted once, whatever modes they have', async () => {
  const tree =
    '== sys/class/scsi_tape/st0/stats/in_flight\n1\n== sys/class/scsi_tape/nst0/stats/in_flight\n1\n== sys/class/scsi_tape/st1/stats/in_flight\n2\n'
  expect((await scrapeTree('tapestats', tree)).samples).toEqual(['node_tape_io_now{device="st0"} 1', 'node_tape_io_now{device="st1"} 2'])
  const ignored = await scrapeTree('tapestats', tree, { flags: { 'collector.tapestats.ignored-devices': '1$' } })
  expect(ignored.samples).toEqual(['node_tape_io_now{device="st0"} 1'])
})

test('priority statistics of bcache are behind their flag', async () => {
  const tree = `== sys/fs/bcache/${uuid}/cache0/priority_stats
Unused:         99%
Metadata:       1%
Average:        10473
`
  const has = (samples: readonly string[]): string[] => samples.filter((sample) => sample.includes('priority'))
  expect(has((await scrapeTree('bcache', tree)).samples)).toEqual([])
  expect(has((await scrapeTree('bcache', tree, { flags: { 'collector.bcache.priorityStats': true } })).samples)).toEqual([
    `node_bcache_priority_stats_metadata_percent{cache_device="cache0",uuid="${uuid}"} 1`,
    `node_bcache_priority_stats_unused_percent{cache_device="cache0",uuid="${uuid}"} 99`,
  ])
})

test('bcachefs lines that are no rows are left out', async () => {
  const root = 'sys/fs/bcachefs/u-1'
  const tree = `== ${root}/compression_stats
type compressed uncompressed
lz4: 1.5k x
half
== ${root}/errors
checksum_err 10 1234567890
checksum_err2
== ${root}/counters/a.b
since mount: 5
== ${root}/counters/c-d
since mount: 5
since filesystem creation: 1k
== ${root}/dev-0/io_done
sb : 1
read:
sb : 2
user : x
`
  const { families, isSuccess, samples } = await scrapeTree('bcachefs', tree)
  expect(isSuccess).toBe(true)
  expect(samples).toContain('node_bcachefs_c_d_total{uuid="u-1"} 1024')
  expect(families.has('node_bcachefs_a_b_total')).toBe(false)
  expect(families.get('node_bcachefs_errors_total')!.samples).toHaveLength(1)
  expect(samples).toContain('node_bcachefs_compression_compressed_bytes{algorithm="lz4",uuid="u-1"} 1536')
  expect(families.has('node_bcachefs_compression_uncompressed_bytes')).toBe(false)
  expect(samples.filter((sample) => sample.includes('io_done'))).toEqual([
    'node_bcachefs_device_io_done_bytes_total{data_type="sb",device="0",operation="read",uuid="u-1"} 2',
  ])
  expect((await scrapeTree('bcachefs', '/ sys\n')).isSuccess).toBe(false)
})
