import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

export const tapestatsFlags: readonly FlagSpec[] = [
  { name: 'collector.tapestats.ignored-devices', type: 'string', default: '^$', help: 'Regexp of devices to ignore for tapestats.' },
]

const nanosecond = 0.000000001
// Files in /sys/class/scsi_tape/stN/stats (Documentation/ABI/testing/sysfs-class-scsi_tape) and their families.
const families: readonly (readonly [file: string, name: string, help: string, factor: number])[] = [
  ['in_flight', 'io_now', 'I/Os in progress.', 1],
  ['other_cnt', 'io_others_total', 'I/Os that were neither reads nor writes.', 1],
  ['io_ns', 'io_time_seconds_total', 'Seconds spent by all I/Os, tape movement included.', nanosecond],
  ['read_byte_cnt', 'read_bytes_total', 'Bytes read.', 1],
  ['read_ns', 'read_time_seconds_total', 'Seconds spent by all reads.', nanosecond],
  ['read_cnt', 'reads_completed_total', 'Reads.', 1],
  ['resid_cnt', 'residual_total', 'Reads and writes that left a rest.', 1],
  ['write_ns', 'write_time_seconds_total', 'Seconds spent by all writes.', nanosecond],
  ['write_cnt', 'writes_completed_total', 'Writes.', 1],
  ['write_byte_cnt', 'written_bytes_total', 'Bytes written.', 1],
]

export function createTapestatsCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const root = environment.sysPath('class/scsi_tape')
  const ignored = new NamePattern(environment.flags.string('collector.tapestats.ignored-devices'))

  function collect({ writer }: CollectContext): void {
    // Beside `st0` stand `st0a`, `nst0` and so on, which are modes of the same drive.
    const drives = listTapes(root).filter((name) => /^st[0-9]+$/.test(name) && !ignored.test(name))
    for (const [file, name, help, factor] of families) {
      writer.family(`node_tape_${name}`, help, name.endsWith('_total') ? 'counter' : 'gauge')
      for (const drive of drives) {
        const value = attributes.integer(`${root}/${drive}/stats/${file}`)
        if (!Number.isNaN(value)) writer.sample(value * factor, ['device', drive])
      }
    }
  }

  return { name: 'tapestats', defaultOn: true, collect }
}

function listTapes(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    throw new NoDataError('no tape drives on this system', { cause: error })
  }
}
