import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'

const unavailable = 'pressure information is unavailable: want a kernel from 4.20 with PSI switched on'

export function createPressureCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment

  function collect({ writer }: CollectContext): void {
    const cpu = readTotals('cpu')
    write(writer, 'cpu_waiting', 'at least one task waited for the CPU', cpu?.some)
    const io = readTotals('io')
    write(writer, 'io_stalled', 'all tasks waited for I/O', io?.full)
    write(writer, 'io_waiting', 'at least one task waited for I/O', io?.some)
    const memory = readTotals('memory')
    write(writer, 'memory_stalled', 'all tasks waited for memory', memory?.full)
    write(writer, 'memory_waiting', 'at least one task waited for memory', memory?.some)
    const irq = readTotals('irq') // since Linux 6.1
    write(writer, 'irq_stalled', 'all tasks waited for interrupts', irq?.full)
    if ((cpu ?? io ?? memory ?? irq) === undefined) throw new NoDataError(unavailable)
  }

  /** Microseconds of the `some` and the `full` line; undefined if the kernel does not watch this resource. */
  function readTotals(resource: string): { some: number; full: number } | undefined {
    const bytes = readPressure(resource)
    if (bytes === undefined) return undefined
    const totals = { some: NaN, full: NaN }
    scanner.load(bytes)
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const key = scanner.fieldIs('some') ? 'some' : scanner.fieldIs('full') ? 'full' : undefined
      while (scanner.nextField()) {
        if (key === undefined || !scanner.fieldStartsWith('total=')) continue
        scanner.fieldStart += 'total='.length
        totals[key] = scanner.unsigned()
      }
    }
    return totals
  }

  function readPressure(resource: string): Buffer | undefined {
    try {
      return files.read(environment.procPath(`pressure/${resource}`))
    } catch (error) {
      const code = systemErrorCode(error)
      if (code === 'ENOENT') return undefined
      if (code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') throw error
      throw new NoDataError(unavailable, { cause: error })
    }
  }

  return { name: 'pressure', defaultOn: true, collect }
}

function write(writer: MetricWriter, name: string, meaning: string, microseconds: number | undefined): void {
  if (microseconds === undefined || Number.isNaN(microseconds)) return
  writer.family(`node_pressure_${name}_seconds_total`, `Seconds in which ${meaning}.`, 'counter')
  writer.sample(microseconds / 1000 / 1000)
}
