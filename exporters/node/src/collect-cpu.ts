import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { Logger } from '@narthex/service/logger'
import { CpuInfoWriter } from './cpu-info.ts'
import { parseCpuList } from './cpu-list.ts'
import { CpuTopology } from './cpu-topology.ts'
import type { NodeEnvironment } from './environment.ts'
import { cpuColumnCount, cpuColumns } from './stat-file.ts'

export const cpuFlags: readonly FlagSpec[] = [
  { name: 'collector.cpu.guest', type: 'boolean', default: true, help: 'Expose node_cpu_guest_seconds_total.' },
  { name: 'collector.cpu.info', type: 'boolean', default: false, help: 'Expose node_cpu_info.' },
  { name: 'collector.cpu.info.flags-include', type: 'string', help: 'Regexp of CPU flags to expose; turns on cpu.info.' },
  { name: 'collector.cpu.info.bugs-include', type: 'string', help: 'Regexp of CPU bugs to expose; turns on cpu.info.' },
]

/** USER_HZ, which Linux fixes at 100 for what it shows to programs. */
const ticksPerSecond = 100
/** An idle counter that falls by more is that of a CPU plugged in anew; one that falls by less is a fault of the kernel's bookkeeping. */
const idleJumpTicksMax = 3 * ticksPerSecond
const idleColumn = cpuColumns.indexOf('idle')
const guestColumn = cpuColumns.indexOf('guest')
const guestNiceColumn = cpuColumns.indexOf('guest_nice')

// Sorted by name, because samples are printed in the order of their label values.
const modes = cpuColumns
  .slice(0, guestColumn)
  .map((name, column) => ({ name, column }))
  .sort((a, b) => (a.name < b.name ? -1 : 1))

export function createCpuCollector(environment: NodeEnvironment): Collector {
  const { flags } = environment
  const cpuInfo =
    flags.boolean('collector.cpu.info') ||
    flags.string('collector.cpu.info.flags-include') !== '' ||
    flags.string('collector.cpu.info.bugs-include') !== ''
      ? new CpuInfoWriter(environment)
      : undefined
  const times = new CpuTimes(environment.log)
  const topology = new CpuTopology(environment)
  const showsGuest = flags.boolean('collector.cpu.guest')

  function collect({ writer, scrape }: CollectContext): void {
    cpuInfo?.write(writer)
    environment.stat.readFor(scrape)
    times.update(environment.stat)
    times.write(writer, showsGuest)
    writeIsolated(environment, writer)
    topology.write(writer)
  }

  return { name: 'cpu', defaultOn: true, collect }
}

interface CpuRow {
  readonly number: number
  readonly ticks: Float64Array
  /** Label lists by mode, in the order of `modes`. */
  readonly labels: readonly (readonly string[])[]
  readonly guestLabels: readonly string[]
  readonly guestNiceLabels: readonly string[]
  isOnline: boolean
}

/** Clock ticks by CPU that never fall: the kernel's idle and iowait counters do at times, and a fall looks like a reset to `rate`. */
class CpuTimes {
  readonly #rows = new Map<number, CpuRow>()
  readonly #log: Logger
  #sorted: CpuRow[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  update(stat: NodeEnvironment['stat']): void {
    for (const row of this.#sorted) row.isOnline = false
    const countBefore = this.#rows.size
    for (let index = 0; index < stat.cpuCount; index++) {
      const number = stat.cpuNumbers[index]!
      let row = this.#rows.get(number)
      if (row === undefined) {
        row = createRow(number)
        this.#rows.set(number, row)
      }
      row.isOnline = true
      this.#advance(row, stat.ticks, index * cpuColumnCount)
    }
    for (const row of this.#sorted) if (!row.isOnline) this.#rows.delete(row.number)
    if (this.#rows.size !== countBefore || this.#sorted.some((row) => !row.isOnline)) this.#sort()
  }

  write(writer: MetricWriter, showsGuest: boolean): void {
    if (showsGuest) {
      writer.family('node_cpu_guest_seconds_total', 'Seconds that the CPU spent running guests, by mode.', 'counter')
      for (const row of this.#sorted) {
        writer.sample(row.ticks[guestNiceColumn]! / ticksPerSecond, row.guestNiceLabels)
        writer.sample(row.ticks[guestColumn]! / ticksPerSecond, row.guestLabels)
      }
    }
    writer.family('node_cpu_seconds_total', 'Seconds that the CPU spent in each mode.', 'counter')
    for (const row of this.#sorted) {
      for (let index = 0; index < modes.length; index++) {
        writer.sample(row.ticks[modes[index]!.column]! / ticksPerSecond, row.labels[index])
      }
    }
  }

  #advance(row: CpuRow, ticks: Float64Array, offset: number): void {
    if (row.ticks[idleColumn]! - ticks[offset + idleColumn]! >= idleJumpTicksMax) {
      this.#log.debug('CPU idle time fell: taken as plugged in anew', { cpu: row.number })
      row.ticks.fill(0)
    }
    for (let column = 0; column < cpuColumnCount; column++) {
      if (ticks[offset + column]! >= row.ticks[column]!) row.ticks[column] = ticks[offset + column]!
    }
  }

  #sort(): void {
    this.#sorted = [...this.#rows.values()].sort((a, b) => (String(a.number) < String(b.number) ? -1 : 1))
  }
}

function createRow(number: number): CpuRow {
  const cpu = String(number)
  return {
    number,
    ticks: new Float64Array(cpuColumnCount),
    labels: modes.map(({ name }) => ['cpu', cpu, 'mode', name]),
    guestLabels: ['cpu', cpu, 'mode', 'user'],
    guestNiceLabels: ['cpu', cpu, 'mode', 'nice'],
    isOnline: true,
  }
}

function writeIsolated(environment: NodeEnvironment, writer: MetricWriter): void {
  const text = environment.files.readTextIfThere(environment.sysPath('devices/system/cpu/isolated'))
  if (text === undefined || text === '') return
  writer.family('node_cpu_isolated', 'Whether the CPU is isolated from the scheduler.', 'gauge')
  for (const cpu of parseCpuList(text).map(String).sort()) writer.sample(1, ['cpu', cpu])
}
