import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { compareLabels } from './compare-labels.ts'
import { BtrfsDeviceReader } from './btrfs-devices.ts'
import { readFilesystem, type BtrfsFilesystem } from './btrfs-filesystem.ts'
import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'
import type { LoadSystemCalls } from './kernel-calls.ts'

type Samples = [value: number, labels: readonly string[]][]

export function createBtrfsCollector(environment: NodeEnvironment, _?: unknown, loadCalls?: LoadSystemCalls): Collector {
  const root = environment.sysPath('fs/btrfs')
  const reader = new BtrfsDeviceReader(environment, loadCalls)

  function collect({ writer }: CollectContext): void {
    // Beside the file systems stands `features`, which has no dash.
    const names = listSorted(root).filter((name) => name.includes('-'))
    if (names.length === 0) return
    const asked = reader.read()
    const filesystems = names.map((name) => {
      const filesystem = readFilesystem(environment, `${root}/${name}`, name)
      const devices = asked.get(filesystem.uuid.replaceAll('-', ''))
      return devices === undefined ? filesystem : { ...filesystem, devices }
    })
    writeFilesystems(writer, filesystems)
    writeAllocation(writer, filesystems)
    writeDevices(writer, filesystems)
  }

  return { name: 'btrfs', defaultOn: true, collect }
}

function writeFilesystems(writer: MetricWriter, filesystems: readonly BtrfsFilesystem[]): void {
  const write = (name: string, help: string, type: 'counter' | 'gauge', valueOf: (filesystem: BtrfsFilesystem) => number): void => {
    writer.family(`node_btrfs_${name}`, help, type)
    for (const filesystem of filesystems) writer.sample(valueOf(filesystem), ['uuid', filesystem.uuid])
  }
  write('commit_seconds_total', 'Seconds spent by all commits.', 'counter', ({ commits }) => commits.totalMs / 1000)
  write('commits_total', 'Commits.', 'counter', ({ commits }) => commits.count)
  write('global_rsv_size_bytes', 'Size of the global reserve.', 'gauge', ({ globalReserveBytes }) => globalReserveBytes)
  writer.family('node_btrfs_info', 'Label of the file system.', 'gauge')
  for (const { label, uuid } of filesystems) writer.sample(1, ['label', label, 'uuid', uuid])
  write('last_commit_seconds', 'Seconds that the last commit took.', 'gauge', ({ commits }) => commits.lastMs / 1000)
  write('max_commit_seconds', 'Seconds that the slowest commit took.', 'gauge', ({ commits }) => commits.maxMs / 1000)
}

function writeAllocation(writer: MetricWriter, filesystems: readonly BtrfsFilesystem[]): void {
  const ratios: Samples = []
  const reserved: Samples = []
  const sizes: Samples = []
  const used: Samples = []
  for (const { uuid, groups } of filesystems) {
    for (const { type, reservedBytes, layouts } of groups) {
      reserved.push([reservedBytes, ['block_group_type', type, 'uuid', uuid]])
      for (const { mode, ratio, totalBytes, usedBytes } of layouts) {
        const labels = ['block_group_type', type, 'mode', mode, 'uuid', uuid]
        ratios.push([ratio, labels])
        sizes.push([totalBytes, labels])
        used.push([usedBytes, labels])
      }
    }
  }
  writeSamples(writer, 'allocation_ratio', 'Bytes on disk for each byte of the layout.', 'gauge', ratios)
  writeSamples(writer, 'reserved_bytes', 'Bytes reserved for the type.', 'gauge', reserved)
  writeSamples(writer, 'size_bytes', 'Bytes allocated to the layout.', 'gauge', sizes)
  writeSamples(writer, 'used_bytes', 'Bytes of the layout in use.', 'gauge', used)
}

function writeDevices(writer: MetricWriter, filesystems: readonly BtrfsFilesystem[]): void {
  const errors: Samples = []
  const sizes: Samples = []
  const unused: Samples = []
  for (const { uuid, devices } of filesystems) {
    for (const device of devices) {
      const identity = device.uuid === undefined ? [] : ['btrfs_dev_uuid', device.uuid]
      const labels = [...identity, 'device', device.name]
      sizes.push([device.sizeBytes, [...labels, 'uuid', uuid]])
      if (device.unusedBytes !== undefined) unused.push([device.unusedBytes, [...labels, 'uuid', uuid]])
      for (const [type, count] of device.errors) errors.push([count, [...labels, 'type', type, 'uuid', uuid]])
    }
  }
  writeSamples(writer, 'device_errors_total', 'Errors of the device by type.', 'counter', errors)
  writeSamples(writer, 'device_size_bytes', 'Size of the device.', 'gauge', sizes)
  writeSamples(writer, 'device_unused_bytes', 'Bytes of the device that are not allocated.', 'gauge', unused)
}

function writeSamples(writer: MetricWriter, name: string, help: string, type: 'counter' | 'gauge', samples: Samples): void {
  writer.family(`node_btrfs_${name}`, help, type)
  for (const [value, labels] of samples.sort(([, a], [, b]) => compareLabels(a, b))) writer.sample(value, labels)
}
