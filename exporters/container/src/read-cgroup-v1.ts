import type { CgroupFiles } from './cgroup-files.ts'
import { column, type CgroupStats } from './cgroup-stats.ts'
import type { Cgroup } from './cgroup-tree.ts'
import { diskColumn, type DiskColumn } from './disk-table.ts'
import { KeyTable } from './key-table.ts'
import type { MetricKind } from './metric-kinds.ts'
import { readHugePagesV1, readNumaPagesV1 } from './rare-stats.ts'
import { readDigits } from './read-cgroup-v2.ts'

const nanosecondsPerSecond = 1e9
/** USER_HZ, fixed by the kernel's interface. */
const ticksPerSecond = 100

const cpuKeys = new KeyTable({
  nr_periods: column.cpuPeriods,
  nr_throttled: column.cpuThrottledPeriods,
  throttled_time: column.cpuThrottled,
  nr_bursts: column.cpuBurstPeriods,
  burst_time: column.cpuBurst,
})
const cpuTicks = new KeyTable({ user: column.cpuUser, system: column.cpuSystem })

// Figures of the cgroup with those below it. Which ones count for the first four is told by memory.use_hierarchy, always 1 since 5.11.
const memoryKeys = new KeyTable({
  total_cache: column.memoryCache,
  total_rss: column.memoryRss,
  total_swap: column.memorySwap,
  total_mapped_file: column.memoryMappedFile,
  total_inactive_file: column.memoryInactiveFile,
  total_active_file: column.memoryActiveFile,
  total_dirty: column.memoryFileDirty,
  total_writeback: column.memoryFileWriteback,
  pgfault: column.memoryPageFaults,
  pgmajfault: column.memoryMajorPageFaults,
  workingset_refault_anon: column.memoryRefaultsAnonymous,
  workingset_refault_file: column.memoryRefaultsFile,
})
const flatMemoryKeys = new KeyTable({
  cache: column.memoryCache,
  rss: column.memoryRss,
  swap: column.memorySwap,
  mapped_file: column.memoryMappedFile,
  total_inactive_file: column.memoryInactiveFile,
  total_active_file: column.memoryActiveFile,
  dirty: column.memoryFileDirty,
  writeback: column.memoryFileWriteback,
  pgfault: column.memoryPageFaults,
  pgmajfault: column.memoryMajorPageFaults,
  workingset_refault_anon: column.memoryRefaultsAnonymous,
  workingset_refault_file: column.memoryRefaultsFile,
})
const oomKeys = new KeyTable({ oom_kill: column.oomKills })

interface BlkioFile {
  readonly name: string
  /** Column and divisor by operation. */
  readonly operations: Readonly<Record<string, readonly [column: DiskColumn, divisor: number]>>
}

const bytes: BlkioFile['operations'] = {
  Read: ['bytesRead', 1],
  Write: ['bytesWrite', 1],
  Sync: ['bytesSync', 1],
  Async: ['bytesAsync', 1],
  Discard: ['bytesDiscard', 1],
  Total: ['bytesTotal', 1],
}
const operations: BlkioFile['operations'] = { Read: ['operationsRead', 1], Write: ['operationsWrite', 1] }
const merged: BlkioFile['operations'] = { Read: ['mergedRead', 1], Write: ['mergedWrite', 1] }
const times: BlkioFile['operations'] = {
  Read: ['timeRead', nanosecondsPerSecond],
  Write: ['timeWrite', nanosecondsPerSecond],
  Total: ['timeTotal', nanosecondsPerSecond],
}
const queued: BlkioFile['operations'] = { Total: ['queuedTotal', 1] }

// Schedulers keep files of their own; the first group whose first file has a line counts: BFQ with debugging, BFQ, CFQ, throttling.
const blkioGroups: readonly (readonly BlkioFile[])[] = [
  [
    { name: 'blkio.bfq.io_service_time_recursive', operations: times },
    { name: 'blkio.bfq.io_merged_recursive', operations: merged },
    { name: 'blkio.bfq.io_queued_recursive', operations: queued },
    { name: 'blkio.bfq.io_serviced_recursive', operations },
    { name: 'blkio.bfq.io_service_bytes_recursive', operations: bytes },
  ],
  [
    { name: 'blkio.bfq.io_serviced_recursive', operations },
    { name: 'blkio.bfq.io_service_bytes_recursive', operations: bytes },
  ],
  [
    { name: 'blkio.io_service_time_recursive', operations: times },
    { name: 'blkio.io_merged_recursive', operations: merged },
    { name: 'blkio.io_queued_recursive', operations: queued },
    { name: 'blkio.io_serviced_recursive', operations },
    { name: 'blkio.io_service_bytes_recursive', operations: bytes },
  ],
  [
    { name: 'blkio.throttle.io_serviced_recursive', operations },
    { name: 'blkio.throttle.io_service_bytes_recursive', operations: bytes },
  ],
  [
    { name: 'blkio.throttle.io_serviced', operations },
    { name: 'blkio.throttle.io_service_bytes', operations: bytes },
  ],
]

/** Reads cgroups of version 1 (Documentation/admin-guide/cgroup-v1). */
export class CgroupV1Reader {
  readonly #files: CgroupFiles
  readonly #kinds: ReadonlySet<MetricKind>
  readonly #indices: ReadonlyMap<string, number>

  /** `controllers` are in the order of `Cgroup.directories`. */
  constructor(files: CgroupFiles, kinds: ReadonlySet<MetricKind>, controllers: readonly string[]) {
    this.#files = files
    this.#kinds = kinds
    this.#indices = new Map(controllers.map((controller, index) => [controller, index]))
  }

  read(cgroup: Cgroup, stats: CgroupStats): void {
    const kinds = this.#kinds
    if (kinds.has('cpu') || kinds.has('percpu')) {
      if (this.#enter(cgroup, 'cpuacct')) this.#readCpuTimes(stats)
      if (this.#enter(cgroup, 'cpu')) this.#readCpu(stats)
    }
    if (this.#enter(cgroup, 'memory')) {
      if (kinds.has('memory')) this.#readMemory(stats)
      if (kinds.has('oom_event') && this.#files.scan('memory.oom_control')) oomKeys.readInto(this.#files.scanner, stats.values)
      if (kinds.has('memory_numa')) stats.numaPages = readNumaPagesV1(this.#files)
    }
    if (kinds.has('diskIO') && this.#enter(cgroup, 'blkio')) this.#readBlkio(stats)
    if (kinds.has('cpuset') && this.#enter(cgroup, 'cpuset')) {
      stats.hasCpuSpec = true
      stats.values[column.memoryMigrate] = this.#files.numberOrZero('cpuset.memory_migrate')
    }
    if (kinds.has('hugetlb') && this.#enter(cgroup, 'hugetlb')) {
      stats.hugePages = readHugePagesV1(this.#files, cgroup.directories[this.#indices.get('hugetlb')!]!)
    }
  }

  /** False if the cgroup is not in the tree of the controller. */
  #enter(cgroup: Cgroup, controller: string): boolean {
    const index = this.#indices.get(controller)
    const directory = index === undefined ? undefined : cgroup.directories[index]
    if (directory === undefined) return false
    this.#files.enter(directory, cgroup.path === '/' ? `/${controller}` : controller)
    return true
  }

  #readCpuTimes(stats: CgroupStats): void {
    const { scanner } = this.#files
    const { values } = stats
    if (this.#files.scan('cpuacct.stat')) cpuTicks.readInto(scanner, values)
    values[column.cpuUser]! /= ticksPerSecond
    values[column.cpuSystem]! /= ticksPerSecond
    values[column.cpuTotal] = this.#files.numberOrZero('cpuacct.usage') / nanosecondsPerSecond
    if (!this.#kinds.has('percpu') || !this.#files.scan('cpuacct.usage_percpu') || !scanner.nextLine()) return
    while (scanner.nextField()) {
      if (stats.cpuCount === stats.perCpu.length) stats.perCpu = grow(stats.perCpu)
      stats.perCpu[stats.cpuCount++] = scanner.unsigned() / nanosecondsPerSecond
    }
  }

  #readCpu(stats: CgroupStats): void {
    const { values } = stats
    if (this.#files.scan('cpu.stat')) cpuKeys.readInto(this.#files.scanner, values)
    values[column.cpuThrottled]! /= nanosecondsPerSecond
    values[column.cpuBurst]! /= nanosecondsPerSecond
    stats.hasCpuSpec = true
    values[column.specCpuShares] = this.#files.numberOrZero('cpu.shares')
    values[column.specCpuPeriod] = this.#files.numberOrZero('cpu.cfs_period_us')
    // -1 for no quota is no unsigned number.
    values[column.specCpuQuota] = this.#files.numberOrZero('cpu.cfs_quota_us')
  }

  #readMemory(stats: CgroupStats): void {
    const files = this.#files
    const { values } = stats
    const keys = files.number('memory.use_hierarchy') === 0 ? flatMemoryKeys : memoryKeys
    if (files.scan('memory.stat')) keys.readInto(files.scanner, values)
    values[column.memoryUsage] = files.numberOrZero('memory.usage_in_bytes')
    values[column.memoryMaxUsage] = files.numberOrZero('memory.max_usage_in_bytes')
    values[column.memoryFailures] = files.numberOrZero('memory.failcnt')
    values[column.memoryKernel] = files.numberOrZero('memory.kmem.usage_in_bytes')
    values[column.memoryWorkingSet] = Math.max(0, values[column.memoryUsage]! - values[column.memoryInactiveFile]!)
    stats.hasMemorySpec = true
    values[column.specMemoryLimit] = files.numberOrZero('memory.limit_in_bytes')
    values[column.specMemorySwapLimit] = files.numberOrZero('memory.memsw.limit_in_bytes')
    values[column.specMemoryReservation] = files.numberOrZero('memory.soft_limit_in_bytes')
  }

  #readBlkio(stats: CgroupStats): void {
    for (const group of blkioGroups) {
      if (!this.#readBlkioFile(group[0]!, stats)) continue
      for (const file of group.slice(1)) this.#readBlkioFile(file, stats)
      return
    }
  }

  /** Reads lines `MAJOR:MINOR OPERATION VALUE`; false if there is none. The last line, a total of all devices, does not count. */
  #readBlkioFile({ name, operations: byName }: BlkioFile, { disks }: CgroupStats): boolean {
    if (!this.#files.scan(name)) return false
    const { scanner } = this.#files
    let hasLine = false
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const { fieldStart, fieldEnd } = scanner
      const colon = scanner.bytes.indexOf(58, fieldStart)
      if (colon < fieldStart || colon >= fieldEnd || !scanner.nextField()) continue
      hasLine = true
      const row = disks.find(readDigits(scanner, fieldStart, colon), readDigits(scanner, colon + 1, fieldEnd))
      if (row === undefined) break
      for (const operation in byName) {
        if (!scanner.fieldIs(operation)) continue
        const [target, divisor] = byName[operation]!
        row.values[diskColumn[target]] = scanner.nextUnsigned() / divisor
        break
      }
    }
    return hasLine
  }
}

function grow(values: Float64Array): Float64Array {
  const grown = new Float64Array(Math.max(8, values.length * 2))
  grown.set(values)
  return grown
}
