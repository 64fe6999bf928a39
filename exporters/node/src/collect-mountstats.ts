import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'
import { parseNfsMountStats, type NfsMountStats } from './nfs-mount-stats.ts'

/** A family with the position of its number. */
type Column = readonly [name: string, help: string, at: number]

const byteColumns: readonly Column[] = [
  ['read_bytes_total', 'Bytes read with read(2).', 0],
  ['write_bytes_total', 'Bytes written with write(2).', 1],
  ['direct_read_bytes_total', 'Bytes read with O_DIRECT.', 2],
  ['direct_write_bytes_total', 'Bytes written with O_DIRECT.', 3],
  ['total_read_bytes_total', 'Bytes read from the server.', 4],
  ['total_write_bytes_total', 'Bytes written to the server.', 5],
  ['read_pages_total', 'Pages read by mmap(2).', 6],
  ['write_pages_total', 'Pages written by mmap(2).', 7],
]

// In the kernel's order (include/linux/nfs_iostat.h); the 19th, waits for congestion, is not shown.
const eventColumns: readonly Column[] = (
  'inode_revalidate dnode_revalidate data_invalidate attribute_invalidate vfs_open vfs_lookup vfs_access vfs_update_page vfs_read_page ' +
  'vfs_read_pages vfs_write_page vfs_write_pages vfs_getdents vfs_setattr vfs_flush vfs_fsync vfs_lock vfs_file_release - truncation ' +
  'write_extension silly_rename short_read short_write jukebox_delay pnfs_read pnfs_write'
)
  .split(' ')
  .map((name, at): Column => [`event_${name}_total`, `Events ${name.replaceAll('_', ' ')}.`, at])
  .filter(([name]) => name !== 'event_-_total')

const transportColumns: readonly Column[] = [
  ['transport_bind_total', 'Times a connection was bound to a port.', 1],
  ['transport_connect_total', 'Times a connection was made.', 2],
  ['transport_sends_total', 'Requests sent.', 5],
  ['transport_receives_total', 'Answers received.', 6],
  ['transport_bad_transaction_ids_total', 'Answers with an unknown transaction id.', 7],
  ['transport_backlog_queue_total', 'Items added to the backlog queue.', 9],
  ['transport_sending_queue_total', 'Items added to the sending queue.', 11],
  ['transport_pending_queue_total', 'Items added to the pending queue.', 12],
]

const transportGauges: readonly Column[] = [
  ['transport_idle_time_seconds', 'Seconds since the last request.', 4],
  ['transport_maximum_rpc_slots', 'Most simultaneous requests so far.', 10],
]

const operationColumns: readonly Column[] = [
  ['operations_requests_total', 'Requests.', 0],
  ['operations_transmissions_total', 'Requests sent, repetitions included.', 1],
  ['operations_major_timeouts_total', 'Major timeouts.', 2],
  ['operations_sent_bytes_total', 'Bytes sent.', 3],
  ['operations_received_bytes_total', 'Bytes received.', 4],
]

/** Milliseconds in the file. */
const operationTimes: readonly Column[] = [
  ['operations_queue_time_seconds_total', 'Seconds that requests waited to be sent.', 5],
  ['operations_response_time_seconds_total', 'Seconds that requests waited for their answers.', 6],
  ['operations_request_time_seconds_total', 'Seconds that requests took in all.', 7],
]

interface Export {
  readonly labels: readonly string[]
  readonly stats: NfsMountStats
}

export function createMountstatsCollector(environment: NodeEnvironment): Collector {
  const { files } = environment
  const statsPath = environment.procPath('self/mountstats')
  const infoPath = environment.procPath('self/mountinfo')

  // The kernel prints both files from memory: a server that hangs does not stop them.
  function collect({ writer }: CollectContext): void {
    const mounts = parseNfsMountStats(files.read(statsPath).toString('utf8'))
    const addresses = mounts.length === 0 ? [] : readAddresses(files.read(infoPath).toString('utf8'))
    const mountPoints = new Map<string, readonly string[]>()
    const exports = new Map<string, Export>()
    for (const stats of mounts) {
      const address = addresses[stats.position] ?? ''
      for (const { protocol } of stats.transports) {
        const labels = ['export', stats.device, 'mountaddr', address, 'protocol', protocol]
        const key = labels.join('\0')
        mountPoints.set(`${key}\0${stats.mountPoint}`, [...labels.slice(0, 4), 'mountpoint', stats.mountPoint, ...labels.slice(4)])
        // Several mounts of one export share their statistics.
        if (exports.has(key)) break
        exports.set(key, { labels, stats })
      }
    }
    writer.family('node_mountstats_nfs_mountpoint_info', 'Mount points of the export.', 'gauge')
    for (const labels of mountPoints.values()) writer.sample(1, labels)
    writeExports(writer, [...exports.values()])
  }

  return { name: 'mountstats', defaultOn: false, collect }
}

/** The option `addr` of each mount, as the file system sees it. */
function readAddresses(mountinfo: string): string[] {
  return mountinfo
    .trimEnd()
    .split('\n')
    .map((line) => /(?:^|,)addr=([^,]*)/.exec(line.split(' ').at(-1)!)?.[1] ?? '')
}

function writeExports(writer: MetricWriter, exports: readonly Export[]): void {
  startFamily(writer, 'age_seconds_total', 'Seconds since the mount.', 'counter')
  for (const { labels, stats } of exports) writer.sample(stats.ageSeconds, labels)
  for (const [name, help, at] of byteColumns) {
    startFamily(writer, name, help, 'counter')
    for (const { labels, stats } of exports) writer.sample(stats.bytes[at]!, labels)
  }
  for (const [name, help, at] of eventColumns) {
    startFamily(writer, name, help, 'counter')
    for (const { labels, stats } of exports) writer.sample(stats.events[at]!, labels)
  }
  for (const column of transportColumns) writeTransports(writer, column, 'counter', exports)
  for (const column of transportGauges) writeTransports(writer, column, 'gauge', exports)
  for (const column of operationColumns) writeOperations(writer, column, 1, exports)
  for (const column of operationTimes) writeOperations(writer, column, 1000, exports)
}

function writeTransports(writer: MetricWriter, [name, help, at]: Column, type: 'counter' | 'gauge', exports: readonly Export[]): void {
  startFamily(writer, name, help, type)
  for (const { labels, stats } of exports) {
    stats.transports.forEach(({ values }, index) => writer.sample(values[at]!, [...labels, 'transport', String(index)]))
  }
}

function writeOperations(writer: MetricWriter, [name, help, at]: Column, divisor: number, exports: readonly Export[]): void {
  startFamily(writer, name, help, 'counter')
  for (const { labels, stats } of exports) {
    for (const operation of stats.operations) {
      writer.sample(operation.values[at]! / divisor, [...labels.slice(0, 4), 'operation', operation.name, ...labels.slice(4)])
    }
  }
}

function startFamily(writer: MetricWriter, name: string, help: string, type: 'counter' | 'gauge'): void {
  writer.family(`node_mountstats_nfs_${name}`, help, type)
}
