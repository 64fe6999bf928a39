import { column, type CgroupStats, type Column } from './cgroup-stats.ts'
import type { MetricKind } from './metric-kinds.ts'

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  /** Undefined: always shown. */
  readonly kind: MetricKind | undefined
}

/** A family with one figure per container. */
export interface ScalarFamily extends Family {
  readonly column: number
  /** Only for containers with a CPU quota. */
  readonly needsQuota: boolean
}

const scalar =
  (type: 'counter' | 'gauge', needsQuota = false) =>
  (kind: MetricKind, name: string, from: Column, help: string): ScalarFamily => ({
    name: `container_${name}`,
    help,
    type,
    kind,
    column: column[from],
    needsQuota,
  })
const counter = scalar('counter')
const gauge = scalar('gauge')
const quotaCounter = scalar('counter', true)

export const scalarFamilies: readonly ScalarFamily[] = [
  quotaCounter('cpu', 'cpu_cfs_burst_periods_total', 'cpuBurstPeriods', 'Periods in which the CPU quota was exceeded by a burst.'),
  quotaCounter('cpu', 'cpu_cfs_burst_seconds_total', 'cpuBurst', 'Seconds of CPU time beyond the quota, in bursts.'),
  quotaCounter('cpu', 'cpu_cfs_periods_total', 'cpuPeriods', 'Periods for which the CPU quota was enforced.'),
  quotaCounter('cpu', 'cpu_cfs_throttled_periods_total', 'cpuThrottledPeriods', 'Periods in which the container was throttled.'),
  quotaCounter('cpu', 'cpu_cfs_throttled_seconds_total', 'cpuThrottled', 'Seconds for which the container was throttled.'),
  gauge('cpuLoad', 'cpu_load_average_10s', 'loadAverage', 'Tasks that are runnable, average of 10 seconds in thousandths.'),
  gauge(
    'cpuLoad',
    'cpu_load_d_average_10s',
    'loadUninterruptible',
    'Tasks that sleep uninterruptibly, average of 10 seconds in thousandths.',
  ),
  counter('sched', 'cpu_schedstat_run_periods_total', 'schedulerSlices', 'Times that processes of the container were given a CPU.'),
  counter('sched', 'cpu_schedstat_run_seconds_total', 'schedulerRun', 'Seconds for which processes of the container ran.'),
  counter(
    'sched',
    'cpu_schedstat_runqueue_seconds_total',
    'schedulerWait',
    'Seconds for which processes of the container waited for a CPU.',
  ),
  counter('cpu', 'cpu_system_seconds_total', 'cpuSystem', 'Seconds of CPU time in the kernel.'),
  counter('cpu', 'cpu_user_seconds_total', 'cpuUser', 'Seconds of CPU time in user mode.'),
  gauge('memory', 'memory_cache', 'memoryCache', 'Bytes of the page cache.'),
  counter('memory', 'memory_events_high_total', 'memoryEventsHigh', 'Times that the container was throttled for exceeding memory.high.'),
  counter('memory', 'memory_events_max_total', 'memoryEventsMax', 'Times that the container was about to exceed memory.max.'),
  counter('memory', 'memory_failcnt', 'memoryFailures', 'Times that the memory limit was hit.'),
  gauge('memory', 'memory_file_dirty_bytes', 'memoryFileDirty', 'Bytes of the page cache that are to be written back.'),
  gauge('memory', 'memory_file_writeback_bytes', 'memoryFileWriteback', 'Bytes of the page cache that are being written back.'),
  gauge('memory', 'memory_kernel_usage', 'memoryKernel', 'Bytes of kernel memory.'),
  gauge('memory', 'memory_mapped_file', 'memoryMappedFile', 'Bytes of mapped files.'),
  gauge('memory', 'memory_max_usage_bytes', 'memoryMaxUsage', 'Largest memory usage so far, bytes.'),
  gauge('cpuset', 'memory_migrate', 'memoryMigrate', 'Whether pages move with the memory nodes of the cpuset.'),
  counter('memory', 'memory_pgscan_total', 'memoryPagesScanned', 'Pages scanned for reclaim.'),
  counter('memory', 'memory_pgsteal_total', 'memoryPagesStolen', 'Pages reclaimed.'),
  gauge('memory', 'memory_rss', 'memoryRss', 'Bytes of anonymous memory.'),
  gauge('memory', 'memory_swap', 'memorySwap', 'Bytes of swap in use.'),
  gauge('memory', 'memory_total_active_file_bytes', 'memoryActiveFile', 'Bytes of the page cache on the active list.'),
  gauge('memory', 'memory_total_inactive_file_bytes', 'memoryInactiveFile', 'Bytes of the page cache on the inactive list.'),
  gauge('memory', 'memory_usage_bytes', 'memoryUsage', 'Bytes of memory in use, the page cache included.'),
  gauge('memory', 'memory_working_set_bytes', 'memoryWorkingSet', 'Bytes of memory in use without the inactive page cache.'),
  counter('memory', 'memory_workingset_refault_anon_total', 'memoryRefaultsAnonymous', 'Anonymous pages that were evicted and came back.'),
  counter('memory', 'memory_workingset_refault_file_total', 'memoryRefaultsFile', 'File pages that were evicted and came back.'),
  counter('oom_event', 'oom_events_total', 'oomKills', 'Processes of the container that the out of memory killer ended.'),
  counter('pressure', 'pressure_cpu_stalled_seconds_total', 'pressureCpuFull', 'Seconds in which all tasks waited for a CPU.'),
  counter('pressure', 'pressure_cpu_waiting_seconds_total', 'pressureCpuSome', 'Seconds in which tasks waited for a CPU.'),
  counter('pressure', 'pressure_io_stalled_seconds_total', 'pressureIoFull', 'Seconds in which all tasks waited for I/O.'),
  counter('pressure', 'pressure_io_waiting_seconds_total', 'pressureIoSome', 'Seconds in which tasks waited for I/O.'),
  counter('pressure', 'pressure_memory_stalled_seconds_total', 'pressureMemoryFull', 'Seconds in which all tasks waited for memory.'),
  counter('pressure', 'pressure_memory_waiting_seconds_total', 'pressureMemorySome', 'Seconds in which tasks waited for memory.'),
  gauge('referenced_memory', 'referenced_bytes', 'referencedMemory', 'Bytes of pages that are marked as referenced.'),
]

/** A family of what the container is allowed: without timestamps, as in cAdvisor. */
export interface SpecFamily extends Omit<Family, 'kind' | 'type'> {
  readonly column: number
  readonly isShown: (stats: CgroupStats) => boolean
}

const spec = (name: string, from: Column, help: string, isShown: SpecFamily['isShown']): SpecFamily => ({
  name: `container_spec_${name}`,
  help,
  column: column[from],
  isShown,
})
const hasCpu = (stats: CgroupStats): boolean => stats.hasCpuSpec
const hasQuota = (stats: CgroupStats): boolean => stats.hasCpuSpec && stats.values[column.specCpuQuota] !== 0
const hasMemory = (stats: CgroupStats): boolean => stats.hasMemorySpec

export const specFamilies: readonly SpecFamily[] = [
  spec('cpu_period', 'specCpuPeriod', 'Microseconds of the period of the CPU quota.', hasCpu),
  spec('cpu_quota', 'specCpuQuota', 'Microseconds of CPU time per period.', hasQuota),
  spec('cpu_shares', 'specCpuShares', 'Share of CPU time relative to other containers.', hasCpu),
  spec('memory_limit_bytes', 'specMemoryLimit', 'Memory limit, 0 for none.', hasMemory),
  spec('memory_reservation_limit_bytes', 'specMemoryReservation', 'Memory reservation, 0 for none.', hasMemory),
  spec('memory_swap_limit_bytes', 'specMemorySwapLimit', 'Limit of memory with swap, 0 for none.', hasMemory),
]

/** Limits above this mean none: the kernel's largest page count in bytes. */
const unlimitedAbove = 2 ** 62

export function shownLimit(bytes: number): number {
  return bytes > unlimitedAbove ? 0 : bytes
}
