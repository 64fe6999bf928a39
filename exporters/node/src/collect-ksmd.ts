import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'
import { parseInteger, readNumberFile } from './number-file.ts'

const files =
  'full_scans merge_across_nodes pages_shared pages_sharing pages_to_scan pages_unshared pages_volatile run sleep_millisecs'.split(' ')

export function createKsmdCollector(environment: NodeEnvironment): Collector {
  const root = environment.sysPath('kernel/mm/ksm')

  function collect({ writer }: CollectContext): void {
    for (const file of files) {
      const value = read(file)
      if (file === 'full_scans') writer.family('node_ksmd_full_scans_total', 'Full scans of the memory.', 'counter')
      else if (file === 'sleep_millisecs') writer.family('node_ksmd_sleep_seconds', 'Seconds between two scans.', 'gauge')
      else writer.family(`node_ksmd_${file}`, `File ${file} of kernel same-page merging.`, 'gauge')
      writer.sample(file === 'sleep_millisecs' ? value / 1000 : value)
    }
    // Since Linux 6.4; below 0 where merging costs more than it saves.
    const profit = parseInteger(environment.files.readTextIfThere(`${root}/general_profit`) ?? '')
    if (profit === undefined) return
    writer.family('node_ksmd_general_profit_bytes', 'Bytes that merging saves, less those it needs.', 'gauge')
    writer.sample(profit)
  }

  function read(file: string): number {
    try {
      return readNumberFile(environment, `${root}/${file}`)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('the kernel does not merge pages', { cause: error })
    }
  }

  return { name: 'ksmd', defaultOn: false, collect }
}
