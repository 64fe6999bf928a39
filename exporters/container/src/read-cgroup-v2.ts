import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { CgroupFiles } from './cgroup-files.ts'
import { column, type CgroupStats } from './cgroup-stats.ts'
import type { Cgroup } from './cgroup-tree.ts'
import { diskColumn } from './disk-table.ts'
import { KeyTable } from './key-table.ts'
import type { MachineMemory } from './machine-memory.ts'
import type { MetricKind } from './metric-kinds.ts'
import { readHugePagesV2, readNumaPagesV2 } from './rare-stats.ts'

const microsecondsPerSecond = 1e6

const cpuKeys = new KeyTable({
  usage_usec: column.cpuTotal,
  user_usec: column.cpuUser,
  system_usec: column.cpuSystem,
  nr_periods: column.cpuPeriods,
  nr_throttled: column.cpuThrottledPeriods,
  throttled_usec: column.cpuThrottled,
  nr_bursts: column.cpuBurstPeriods,
  burst_usec: column.cpuBurst,
})
const cpuTimes = [column.cpuTotal, column.cpuUser, column.cpuSystem, column.cpuThrottled, column.cpuBurst]

const memoryKeys = new KeyTable({
  anon: column.memoryRss,
  file: column.memoryCache,
  kernel: column.memoryKernel,
  file_mapped: column.memoryMappedFile,
  file_dirty: column.memoryFileDirty,
  file_writeback: column.memoryFileWriteback,
  inactive_file: column.memoryInactiveFile,
  active_file: column.memoryActiveFile,
  pgfault: column.memoryPageFaults,
  pgmajfault: column.memoryMajorPageFaults,
  pgscan: column.memoryPagesScanned,
  pgsteal: column.memoryPagesStolen,
  workingset_refault_anon: column.memoryRefaultsAnonymous,
  workingset_refault_file: column.memoryRefaultsFile,
})

const eventKeys = new KeyTable({ high: column.memoryEventsHigh, max: column.memoryEventsMax, oom_kill: column.oomKills })

/** The keys of io.stat, `key=value`. */
const ioKeys: readonly (readonly [key: string, column: number, divisor: number])[] = [
  ['rbytes=', diskColumn.bytesRead, 1],
  ['wbytes=', diskColumn.bytesWrite, 1],
  ['rios=', diskColumn.operationsRead, 1],
  ['wios=', diskColumn.operationsWrite, 1],
  ['cost.usage=', diskColumn.costUsage, microsecondsPerSecond],
  ['cost.wait=', diskColumn.costWait, microsecondsPerSecond],
  ['cost.indebt=', diskColumn.costIndebt, microsecondsPerSecond],
  ['cost.indelay=', diskColumn.costIndelay, microsecondsPerSecond],
]

/** Reads cgroups of version 2 (Documentation/admin-guide/cgroup-v2.rst). */
export class CgroupV2Reader {
  readonly #files: CgroupFiles
  readonly #kinds: ReadonlySet<MetricKind>
  readonly #machine: MachineMemory

  constructor(files: CgroupFiles, kinds: ReadonlySet<MetricKind>, machine: MachineMemory) {
    this.#files = files
    this.#kinds = kinds
    this.#machine = machine
  }

  read(cgroup: Cgroup, stats: CgroupStats): void {
    const directory = cgroup.directories[0]!
    const files = this.#files
    const kinds = this.#kinds
    const isRoot = cgroup.path === '/'
    const controllers = files.files.readTextIfThere(`${directory}/cgroup.controllers`) ?? ''
    files.enter(directory, isRoot ? '/' : controllers)
    if (kinds.has('cpu')) this.#readCpu(stats)
    if (kinds.has('memory')) this.#readMemory(stats, isRoot)
    if (kinds.has('memory') || kinds.has('oom_event')) this.#readKeys('memory.events', eventKeys, stats.values)
    if (kinds.has('diskIO')) this.#readIo(stats)
    if (kinds.has('pressure')) this.#readPressures(stats)
    if (kinds.has('memory_numa')) stats.numaPages = readNumaPagesV2(files)
    if (kinds.has('hugetlb')) stats.hugePages = readHugePagesV2(files, directory)
  }

  #readKeys(name: string, keys: KeyTable, values: Float64Array): void {
    if (this.#files.scan(name)) keys.readInto(this.#files.scanner, values)
  }

  #readCpu(stats: CgroupStats): void {
    const { values } = stats
    this.#readKeys('cpu.stat', cpuKeys, values)
    for (const index of cpuTimes) values[index]! /= microsecondsPerSecond
    stats.hasCpuSpec = true
    const weight = this.#files.numberOrZero('cpu.weight')
    // The weights 1 to 10,000 of version 2 as the shares 2 to 262,144 of version 1.
    if (weight >= 1 && weight <= 10_000) values[column.specCpuShares] = 2 + Math.floor(((weight - 1) * 262_142) / 9_999)
    const quota = this.#files.number('cpu.max')
    if (Number.isNaN(quota)) return
    if (quota !== Infinity) values[column.specCpuQuota] = quota
    const period = this.#files.scanner.nextUnsigned()
    if (!Number.isNaN(period)) values[column.specCpuPeriod] = period
  }

  #readMemory(stats: CgroupStats, isRoot: boolean): void {
    const files = this.#files
    const { values } = stats
    this.#readKeys('memory.stat', memoryKeys, values)
    const limit = files.number('memory.max')
    if (isRoot) {
      // The root has no counter of its own.
      values[column.memoryUsage] = values[column.memoryRss]! + values[column.memoryCache]!
      values[column.memorySwap] = this.#machine.swapTotalBytes - this.#machine.swapFreeBytes
    } else {
      values[column.memoryUsage] = files.numberOrZero('memory.current')
      values[column.memoryMaxUsage] = files.numberOrZero('memory.peak')
      values[column.memorySwap] = files.numberOrZero('memory.swap.current')
    }
    values[column.memoryWorkingSet] = Math.max(0, values[column.memoryUsage]! - values[column.memoryInactiveFile]!)
    if (Number.isNaN(limit)) return
    stats.hasMemorySpec = true
    values[column.specMemoryLimit] = limit
    values[column.specMemorySwapLimit] = files.numberOrZero('memory.swap.max')
    values[column.specMemoryReservation] = files.numberOrZero('memory.min')
  }

  #readIo({ disks }: CgroupStats): void {
    if (!this.#files.scan('io.stat')) return
    const { scanner } = this.#files
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const colon = scanner.bytes.indexOf(58, scanner.fieldStart)
      const { fieldStart, fieldEnd } = scanner
      // A line of one device without figures is printed where it has done nothing.
      if (colon < fieldStart || colon >= fieldEnd || !scanner.nextField()) continue
      const row = disks.find(readDigits(scanner, fieldStart, colon), readDigits(scanner, colon + 1, fieldEnd))
      if (row === undefined) return
      do {
        for (const [key, index, divisor] of ioKeys) {
          if (!scanner.fieldStartsWith(key)) continue
          row.values[index] = readDigits(scanner, scanner.fieldStart + key.length, scanner.fieldEnd) / divisor
          break
        }
      } while (scanner.nextField())
    }
  }

  #readPressures({ values }: CgroupStats): void {
    this.#readPressure('cpu.pressure', values, column.pressureCpuSome, column.pressureCpuFull)
    this.#readPressure('memory.pressure', values, column.pressureMemorySome, column.pressureMemoryFull)
    this.#readPressure('io.pressure', values, column.pressureIoSome, column.pressureIoFull)
  }

  #readPressure(name: string, values: Float64Array, someColumn: number, fullColumn: number): void {
    if (!this.#files.scan(name)) return
    readPressureLines(this.#files.scanner, values, someColumn, fullColumn)
  }
}

/** Reads `some avg10=… total=N` and `full …` of pressure stall information, microseconds, as seconds. */
export function readPressureLines(scanner: ByteScanner, values: Float64Array, someColumn: number, fullColumn: number): void {
  while (scanner.nextLine()) {
    if (!scanner.nextField()) continue
    const index = scanner.fieldIs('some') ? someColumn : scanner.fieldIs('full') ? fullColumn : -1
    if (index < 0) continue
    while (scanner.nextField()) {
      if (!scanner.fieldStartsWith('total=')) continue
      const total = readDigits(scanner, scanner.fieldStart + 'total='.length, scanner.fieldEnd)
      values[index] = total / microsecondsPerSecond
    }
  }
}

/** Decimal digits in [start, end); other bytes end the number. */
export function readDigits({ bytes }: ByteScanner, start: number, end: number): number {
  let value = 0
  for (let offset = start; offset < end; offset++) {
    const digit = bytes[offset]! - 48
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
  }
  return value
}
