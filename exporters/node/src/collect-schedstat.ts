import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'

const nanosecondsPerSecond = 1e9
// Numbers behind a CPU's name (Documentation/scheduler/sched-stats.rst): run time, wait time, timeslices are the last three.
const columnCount = 9
const runningColumn = 6
const waitingColumn = 7
const timeslicesColumn = 8

interface CpuRow {
  readonly name: string
  readonly labels: readonly string[]
  readonly values: Float64Array
}

export function createSchedstatCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('schedstat')
  let known = new Map<string, CpuRow>()

  function collect({ writer }: CollectContext): void {
    const rows = readRows()
    writer.family('node_schedstat_running_seconds_total', 'Seconds that the CPU ran tasks.', 'counter')
    for (const { labels, values } of rows) writer.sample(values[runningColumn]! / nanosecondsPerSecond, labels)
    writer.family('node_schedstat_timeslices_total', 'Timeslices run on the CPU.', 'counter')
    for (const { labels, values } of rows) writer.sample(values[timeslicesColumn]!, labels)
    writer.family('node_schedstat_waiting_seconds_total', 'Seconds that tasks waited for the CPU.', 'counter')
    for (const { labels, values } of rows) writer.sample(values[waitingColumn]! / nanosecondsPerSecond, labels)
  }

  /** The CPUs' rows, sorted; a line with fewer numbers is left out. Row objects are reused. */
  function readRows(): CpuRow[] {
    scanner.load(readFile())
    const rows: CpuRow[] = []
    while (scanner.nextLine()) {
      if (!scanner.nextField() || !scanner.fieldStartsWith('cpu')) continue
      const name = scanner.text(scanner.fieldStart + 3)
      const row = known.get(name) ?? { name, labels: ['cpu', name], values: new Float64Array(columnCount) }
      for (let column = 0; column < columnCount; column++) row.values[column] = scanner.nextUnsigned()
      if (!Number.isNaN(row.values[timeslicesColumn]!)) rows.push(row)
    }
    known = new Map(rows.map((row) => [row.name, row]))
    return rows.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  function readFile(): Buffer {
    try {
      return files.read(path)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('the kernel keeps no scheduler statistics', { cause: error })
    }
  }

  return { name: 'schedstat', defaultOn: true, collect }
}
