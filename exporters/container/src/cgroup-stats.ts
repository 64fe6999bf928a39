import type { AdvancedTcp, HugePageRow, NumaRow, ProcessCounts, SocketCounts } from './rare-stats.ts'
import { DiskTable } from './disk-table.ts'
import { InterfaceTable } from './interface-table.ts'

const columns = [
  // seconds
  'cpuUser',
  'cpuSystem',
  'cpuTotal',
  'cpuThrottled',
  'cpuBurst',
  // counts
  'cpuPeriods',
  'cpuThrottledPeriods',
  'cpuBurstPeriods',
  // bytes
  'memoryCache',
  'memoryRss',
  'memoryKernel',
  'memoryMappedFile',
  'memorySwap',
  'memoryUsage',
  'memoryMaxUsage',
  'memoryWorkingSet',
  'memoryActiveFile',
  'memoryInactiveFile',
  'memoryFileDirty',
  'memoryFileWriteback',
  // counts
  'memoryFailures',
  'memoryPageFaults',
  'memoryMajorPageFaults',
  'memoryEventsHigh',
  'memoryEventsMax',
  'memoryPagesScanned',
  'memoryPagesStolen',
  'memoryRefaultsFile',
  'memoryRefaultsAnonymous',
  'memoryMigrate',
  'oomKills',
  // seconds
  'pressureCpuSome',
  'pressureCpuFull',
  'pressureMemorySome',
  'pressureMemoryFull',
  'pressureIoSome',
  'pressureIoFull',
  'schedulerRun',
  'schedulerWait',
  // counts
  'schedulerSlices',
  // bytes
  'referencedMemory',
  // thousandths
  'loadAverage',
  'loadUninterruptible',
  // tasks
  'tasksSleeping',
  'tasksRunning',
  'tasksStopped',
  'tasksUninterruptible',
  'tasksIoWait',
  // what the cgroup is allowed: bytes, microseconds, shares of 1024
  'specMemoryLimit',
  'specMemorySwapLimit',
  'specMemoryReservation',
  'specCpuPeriod',
  'specCpuQuota',
  'specCpuShares',
] as const

export type Column = (typeof columns)[number]

/** Index of each figure in `CgroupStats.values`. */
export const column = Object.fromEntries(columns.map((name, index) => [name, index])) as Readonly<Record<Column, number>>

/** What was read of one cgroup; used again for each scrape. A figure that the kernel does not have is 0, as in cAdvisor. */
export class CgroupStats {
  readonly values = new Float64Array(columns.length)
  /** Seconds by CPU; `cpuCount` of them are of this scrape, 0 where the kernel does not tell. */
  perCpu: Float64Array = new Float64Array(0)
  cpuCount = 0
  hasCpuSpec = false
  hasMemorySpec = false
  readonly disks = new DiskTable()
  readonly interfaces = new InterfaceTable()
  sockets: SocketCounts | undefined
  advancedTcp: AdvancedTcp | undefined
  processes: ProcessCounts | undefined
  numaPages: readonly NumaRow[] = []
  hugePages: readonly HugePageRow[] = []
  /** Unix milliseconds. */
  readAtMs = 0

  clear(): void {
    this.values.fill(0)
    this.cpuCount = 0
    this.hasCpuSpec = this.hasMemorySpec = false
    this.disks.clear()
    this.interfaces.clear()
    this.sockets = this.advancedTcp = this.processes = undefined
    this.numaPages = this.hugePages = []
  }
}
