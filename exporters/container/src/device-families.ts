import type { Family } from './container-families.ts'
import { diskColumn, type DiskColumn } from './disk-table.ts'
import type { Filesystem } from './filesystems.ts'

/** A family with one figure per block device. */
export interface DiskFamily extends Family {
  /** Column of the cgroup's table. */
  readonly fromCgroup: number | undefined
  /** Column of /proc/diskstats behind the name, for filesystems that are shown with the cgroup. */
  readonly fromDisk: number | undefined
  /** What that column is divided by. */
  readonly divisor: number
}

const millisecondsPerSecond = 1000

const disk = (name: string, help: string, from: DiskColumn | undefined, fromDisk?: number, divisor = 1): DiskFamily => ({
  name: `container_fs_${name}`,
  help,
  type: name === 'io_current' ? 'gauge' : 'counter',
  kind: 'diskIO',
  fromCgroup: from === undefined ? undefined : diskColumn[from],
  fromDisk,
  divisor,
})

export const diskFamilies: readonly DiskFamily[] = [
  disk('io_cost_indebt_seconds_total', 'Seconds in debt to the I/O cost controller.', 'costIndebt'),
  disk('io_cost_indelay_seconds_total', 'Seconds delayed by the I/O cost controller.', 'costIndelay'),
  disk('io_cost_usage_seconds_total', 'Device time in use by the I/O cost model, seconds.', 'costUsage'),
  disk('io_cost_wait_seconds_total', 'Seconds of waiting for the I/O cost controller.', 'costWait'),
  disk('io_current', 'I/Os in progress.', 'queuedTotal', 8),
  disk('io_time_seconds_total', 'Seconds spent doing I/O.', 'timeTotal', 9, millisecondsPerSecond),
  disk(
    'io_time_weighted_seconds_total',
    'Seconds spent doing I/O, weighted by the I/Os in progress.',
    undefined,
    10,
    millisecondsPerSecond,
  ),
  disk('read_seconds_total', 'Seconds spent by all reads.', 'timeRead', 3, millisecondsPerSecond),
  disk('reads_bytes_total', 'Bytes read.', 'bytesRead'),
  disk('reads_merged_total', 'Reads merged.', 'mergedRead', 1),
  disk('reads_total', 'Reads completed.', 'operationsRead', 0),
  disk('sector_reads_total', 'Sectors read.', undefined, 2),
  disk('sector_writes_total', 'Sectors written.', undefined, 6),
  disk('write_seconds_total', 'Seconds spent by all writes.', 'timeWrite', 7, millisecondsPerSecond),
  disk('writes_bytes_total', 'Bytes written.', 'bytesWrite'),
  disk('writes_merged_total', 'Writes merged.', 'mergedWrite', 5),
  disk('writes_total', 'Writes completed.', 'operationsWrite', 4),
]

/** Operations of `container_blkio_device_usage_total`, sorted. */
export const operationColumns: readonly (readonly [operation: string, column: number])[] = [
  ['Async', diskColumn.bytesAsync],
  ['Discard', diskColumn.bytesDiscard],
  ['Read', diskColumn.bytesRead],
  ['Sync', diskColumn.bytesSync],
  ['Total', diskColumn.bytesTotal],
  ['Write', diskColumn.bytesWrite],
]

export interface FilesystemFamily extends Family {
  /** NaN: not shown. */
  value(filesystem: Filesystem): number
}

const filesystem = (name: string, help: string, value: FilesystemFamily['value']): FilesystemFamily => ({
  name: `container_fs_${name}`,
  help,
  type: 'gauge',
  kind: 'disk',
  value,
})

export const filesystemFamilies: readonly FilesystemFamily[] = [
  filesystem('inodes_free', 'File nodes free.', ({ inodesFree }) => inodesFree),
  filesystem('inodes_total', 'File nodes.', ({ inodes }) => inodes),
  filesystem('limit_bytes', 'Bytes that the container may use on this filesystem.', ({ limitBytes }) => limitBytes),
  filesystem('usage_bytes', 'Bytes that the container uses on this filesystem.', ({ usageBytes }) => usageBytes),
]

const network = (name: string, help: string): Family => ({
  name: `container_network_${name}_total`,
  help,
  type: 'counter',
  kind: 'network',
})

/** In the order of `InterfaceRow.values`. */
export const networkFamilies: readonly Family[] = [
  network('receive_bytes', 'Bytes received.'),
  network('receive_packets', 'Packets received.'),
  network('receive_errors', 'Errors while receiving.'),
  network('receive_packets_dropped', 'Packets dropped while receiving.'),
  network('transmit_bytes', 'Bytes sent.'),
  network('transmit_packets', 'Packets sent.'),
  network('transmit_errors', 'Errors while sending.'),
  network('transmit_packets_dropped', 'Packets dropped while sending.'),
]

/** States of TCP sockets in the order of the kernel's numbers from 1. */
export const tcpStates = [
  'established',
  'synsent',
  'synrecv',
  'finwait1',
  'finwait2',
  'timewait',
  'close',
  'closewait',
  'lastack',
  'listen',
  'closing',
] as const

export const udpFigures = ['listen', 'dropped', 'rxqueued', 'txqueued'] as const
