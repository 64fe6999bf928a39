import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'

export function createPressureCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment

  function collect({ writer }: CollectContext): void {
    const cpu = readTotals('cpu')
    write(writer, 'cpu_waiting', 'at least one task waited for the CPU', cpu.some)
    const io = readTotals('io')
    write(writer, 'io_stalled', 'all tasks waited for I/O', io.full)
    write(writer, 'io_waiting', 'at least one task waited for I/O', io.some)
    const memory = readTotals('memory')
    write(writer, 'memory_stalled', 'all tasks waited for memory', memory.full)
    write(writer, 'memory_waiting', 'at least one task waited for memory', memory.some)
    if (files.readIfThere(environment.procPath('pressure/irq')) === undefined) return // before Linux 6.1
    write(writer, 'irq_stalled', 'all tasks waited for interrupts', readTotals('irq').full)
  }

  /** Microseconds of the `some` and the `full` line. */
  function readTotals(resource: string): { some: number; full: number } {
    const totals = { some: NaN, full: NaN }
    scanner.load(readPressure(resource))
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

  function readPressure(resource: string): Buffer {
    try {
      return files.read(environment.procPath(`pressure/${resource}`))
    } catch (error) {
      const code = systemErrorCode(error)
      if (code !== 'ENOENT' && code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') throw error
      throw new NoDataError('pressure information is unavailable: want a kernel from 4.20 with PSI switched on', { cause: error })
    }
  }

  return { name: 'pressure', defaultOn: true, collect }
}

function write(writer: MetricWriter, name: string, meaning: string, microseconds: number): void {
  if (Number.isNaN(microseconds)) return
  writer.family(`node_pressure_${name}_seconds_total`, `Seconds in which ${meaning}.`, 'counter')
  writer.sample(microseconds / 1000 / 1000)
}
