import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'

const statistics: readonly (readonly [column: string, help: string])[] = [
  ['drop', 'Packets dropped because tracking failed.'],
  ['early_drop', 'Entries dropped to make room for new ones.'],
  ['found', 'Lookups that found an entry.'],
  ['ignore', 'Packets that belonged to an entry already.'],
  ['insert', 'Entries inserted.'],
  ['insert_failed', 'Entries that could not be inserted.'],
  ['invalid', 'Packets that cannot be tracked.'],
  ['search_restart', 'Lookups restarted because the table was resized.'],
]

export function createConntrackCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment

  function collect({ writer }: CollectContext): void {
    const write = (name: string, help: string, value: number): void => {
      writer.family(name, help, 'gauge')
      writer.sample(value)
    }
    write('node_nf_conntrack_entries', 'Entries in the connection tracking table.', readNumber('nf_conntrack_count'))
    write('node_nf_conntrack_entries_limit', 'Largest size of the connection tracking table.', readNumber('nf_conntrack_max'))
    const sums = readStatistics()
    for (const [column, help] of statistics) write(`node_nf_conntrack_stat_${column}`, help, sums.get(column) ?? 0)
  }

  function readNumber(name: string): number {
    scanner.load(readFile(`sys/net/netfilter/${name}`))
    scanner.nextLine()
    const value = scanner.nextUnsigned()
    if (Number.isNaN(value)) throw new Error(`cannot read ${name}: want a number, got ${JSON.stringify(scanner.text())}`)
    return value
  }

  /** Sums over the CPUs by column name: a line of names, then one line of hexadecimal 32-bit numbers per CPU. */
  function readStatistics(): ReadonlyMap<string, number> {
    scanner.load(readFile('net/stat/nf_conntrack'))
    const columns: string[] = []
    const sums = new Map<string, number>()
    scanner.nextLine()
    while (scanner.nextField()) columns.push(scanner.text())
    while (scanner.nextLine()) {
      for (const column of columns) {
        if (!scanner.nextField()) break
        sums.set(column, (sums.get(column) ?? 0) + Number.parseInt(scanner.text(), 16))
      }
    }
    return sums
  }

  function readFile(name: string): Buffer {
    try {
      return files.read(environment.procPath(name))
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('connection tracking is not loaded', { cause: error })
    }
  }

  return { name: 'conntrack', defaultOn: true, collect }
}
