import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { createDiskFilter } from '../collect-diskstats.ts'
import type { NodeEnvironment } from '../environment.ts'
import { parseBlockStorage, type BlockStorage } from './block-storage.ts'
import type { Machine } from './machine.ts'

type Column = readonly [name: string, help: string, statistic: string, factor: number]

const columns: readonly Column[] = [
  ['read_bytes_total', 'Bytes read.', 'Bytes (Read)', 1],
  ['read_errors_total', 'Reads that failed.', 'Errors (Read)', 1],
  ['read_retries_total', 'Reads that were tried again.', 'Retries (Read)', 1],
  ['read_time_seconds_total', 'Seconds spent by all reads.', 'Total Time (Read)', 1e-9],
  ['reads_completed_total', 'Reads completed.', 'Operations (Read)', 1],
  ['write_errors_total', 'Writes that failed.', 'Errors (Write)', 1],
  ['write_retries_total', 'Writes that were tried again.', 'Retries (Write)', 1],
  ['write_time_seconds_total', 'Seconds spent by all writes.', 'Total Time (Write)', 1e-9],
  ['writes_completed_total', 'Writes completed.', 'Operations (Write)', 1],
  ['written_bytes_total', 'Bytes written.', 'Bytes (Write)', 1],
]
const sectors: readonly Column[] = [
  ['read_sectors_total', 'Sectors read.', 'Bytes (Read)', 1],
  ['written_sectors_total', 'Sectors written.', 'Bytes (Write)', 1],
]

/** The disks of macOS, from the registry of its drivers; the library adds up all disks. */
export function createDiskstatsCollector(environment: NodeEnvironment, { run }: Machine): Collector {
  const filter = createDiskFilter(environment.flags)

  async function collect({ signal, writer }: CollectContext): Promise<void> {
    const text = await run('/usr/sbin/ioreg', ['-c', 'IOBlockStorageDriver', '-r', '-l', '-w0'], signal)
    const disks = parseBlockStorage(text)
      .filter(({ device }) => !filter.isIgnored(device))
      .sort((a, b) => (a.device < b.device ? -1 : 1))
    const write = ([name, help, statistic, factor]: Column, divisorOf: (disk: BlockStorage) => number): void => {
      writer.family(`node_disk_${name}`, help, 'counter')
      for (const disk of disks) {
        const value = disk.statistics.get(statistic)
        if (value !== undefined && divisorOf(disk) > 0) writer.sample((value * factor) / divisorOf(disk), ['device', disk.device])
      }
    }
    for (const column of columns) write(column, () => 1)
    for (const column of sectors) write(column, ({ blockBytes }) => blockBytes)
  }

  return { name: 'diskstats', defaultOn: true, collect }
}
