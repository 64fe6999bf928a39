import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { BlockDevices } from './block-devices.ts'
import { column } from './cgroup-stats.ts'
import { scalarFamilies, shownLimit, specFamilies, type Family } from './container-families.ts'
import type { ContainerRow } from './container-row.ts'
import { diskFamilies, filesystemFamilies, networkFamilies, operationColumns, tcpStates, udpFigures } from './device-families.ts'
import type { Filesystem } from './filesystems.ts'
import { mergeLabels } from './merge-labels.ts'
import type { MetricKind } from './metric-kinds.ts'
import type { TurnTaker } from './turn-taker.ts'

/** Writes one sample; labels beyond the container's own are a flat list sorted by name. */
type Emit = (value: number, extra?: readonly string[]) => void

/** Writes the families `container_*` of all rows. Leaves the thread to others after each family that took long. */
export class ContainerWriter {
  readonly #kinds: ReadonlySet<MetricKind>
  readonly #devices: BlockDevices
  readonly #hasTimestamps: boolean

  constructor(kinds: ReadonlySet<MetricKind>, devices: BlockDevices, hasTimestamps: boolean) {
    this.#kinds = kinds
    this.#devices = devices
    this.#hasTimestamps = hasTimestamps
  }

  /** `withStats` are those of the rows whose figures are shown. */
  async write(writer: MetricWriter, rows: readonly ContainerRow[], withStats: readonly ContainerRow[], turns: TurnTaker): Promise<void> {
    const kinds = this.#kinds
    // `emit` of a row for the current family.
    const each = async (family: Family, show: (row: ContainerRow, emit: Emit) => void): Promise<void> => {
      if (family.kind !== undefined && !kinds.has(family.kind)) return
      this.#writeFamily(writer, family, withStats, show)
      if (turns.isDue()) await turns.yield()
    }
    this.#writeSpecs(writer, rows)
    await each(family('last_seen', 'Unix time at which the container was seen.'), ({ stats }, emit) =>
      emit(Math.floor(stats.readAtMs / 1000)),
    )
    await each(family('health_state', 'Whether the container is healthy (1), -1 without a check of its health.'), (row, emit) =>
      emit(row.metadata?.hasHealthCheck === true ? (row.isHealthy ? 1 : 0) : -1),
    )
    for (const scalar of scalarFamilies) {
      await each(scalar, ({ stats: { values } }, emit) => {
        if (!scalar.needsQuota || values[column.specCpuQuota] !== 0) emit(values[scalar.column]!)
      })
    }
    await each(counter('cpu', 'cpu_usage_seconds_total', 'Seconds of CPU time.'), writeCpu)
    await each(gauge('cpuLoad', 'tasks_state', 'Tasks by state.'), writeTasks)
    await each(counter('memory', 'memory_failures_total', 'Page faults.'), writePageFaults)
    await each(gauge('memory_numa', 'memory_numa_pages', 'Pages by memory node.'), ({ stats }, emit) => {
      for (const { type, scope, node, pages } of stats.numaPages) emit(pages, ['node', node, 'scope', scope, 'type', type])
    })
    await this.#writeHugePages(each)
    await this.#writeDisks(each)
    await this.#writeNetwork(each)
    await this.#writeProcesses(each)
  }

  #writeFamily(
    writer: MetricWriter,
    { name, help, type }: Family,
    rows: readonly ContainerRow[],
    show: (row: ContainerRow, emit: Emit) => void,
  ): void {
    writer.family(name, help, type)
    for (const row of rows) {
      const timestampMs = this.#hasTimestamps ? row.stats.readAtMs : undefined
      show(row, (value, extra) => {
        writer.sample(value, extra === undefined ? row.labels : mergeLabels(row.labels, extra), undefined, timestampMs)
      })
    }
  }

  #writeSpecs(writer: MetricWriter, rows: readonly ContainerRow[]): void {
    writer.family('container_creation_time_seconds', 'Unix time at which the container was created.', 'gauge')
    for (const { metadata, createdSeconds, labels } of rows) writer.sample(metadata?.createdSeconds ?? createdSeconds, labels)
    writer.family('container_start_time_seconds', 'Unix time at which the container was started.', 'gauge')
    for (const { metadata, createdSeconds, labels } of rows) {
      writer.sample(metadata?.startedSeconds ?? metadata?.createdSeconds ?? createdSeconds, labels)
    }
    for (const { name, help, column: index, isShown } of specFamilies) {
      writer.family(name, help, 'gauge')
      for (const { stats, labels } of rows) if (isShown(stats)) writer.sample(shownLimit(stats.values[index]!), labels)
    }
  }

  async #writeHugePages(each: Each): Promise<void> {
    await each(counter('hugetlb', 'hugetlb_failcnt', 'Times that huge pages were refused.'), ({ stats }, emit) => {
      for (const { pageSize, failures } of stats.hugePages) emit(failures, ['pagesize', pageSize])
    })
    await each(gauge('hugetlb', 'hugetlb_max_usage_bytes', 'Largest usage of huge pages so far.'), ({ stats }, emit) => {
      for (const { pageSize, maxUsageBytes } of stats.hugePages) emit(maxUsageBytes, ['pagesize', pageSize])
    })
    await each(gauge('hugetlb', 'hugetlb_usage_bytes', 'Bytes of huge pages in use.'), ({ stats }, emit) => {
      for (const { pageSize, usageBytes } of stats.hugePages) emit(usageBytes, ['pagesize', pageSize])
    })
  }

  async #writeDisks(each: Each): Promise<void> {
    for (const shown of filesystemFamilies) {
      await each(shown, ({ filesystems }, emit) => {
        for (const filesystem of filesystems) {
          const value = shown.value(filesystem)
          if (!Number.isNaN(value)) emit(value, ['device', filesystem.device])
        }
      })
    }
    for (const shown of diskFamilies) {
      await each(shown, (row, emit) => {
        const seen = shown.fromCgroup === undefined ? [] : this.#emitDisks(row, shown.fromCgroup, emit)
        if (shown.fromDisk === undefined) return
        for (const { device, disk } of row.filesystems) {
          // A device that the cgroup tells of is not shown again.
          if (disk === undefined || seen.includes(device)) continue
          emit(disk[shown.fromDisk]! / shown.divisor, ['device', device])
        }
      })
    }
    await each(counter('diskIO', 'blkio_device_usage_total', 'Bytes transferred by device and operation.'), (row, emit) => {
      const { disks } = row.stats
      for (let index = 0; index < disks.length; index++) {
        const { major, minor, values } = disks.at(index)
        const labels = ['device', this.#deviceName(row, major, minor), 'major', String(major), 'minor', String(minor)]
        for (const [operation, from] of operationColumns) {
          if (!Number.isNaN(values[from]!)) emit(values[from]!, [...labels, 'operation', operation])
        }
      }
    })
  }

  /** The devices that were shown. */
  #emitDisks(row: ContainerRow, from: number, emit: Emit): readonly string[] {
    const { disks } = row.stats
    const seen: string[] = []
    for (let index = 0; index < disks.length; index++) {
      const { major, minor, values } = disks.at(index)
      if (Number.isNaN(values[from]!)) continue
      const device = this.#deviceName(row, major, minor)
      if (seen.includes(device)) continue
      seen.push(device)
      emit(values[from]!, ['device', device])
    }
    return seen
  }

  #deviceName({ filesystems, isRoot }: ContainerRow, major: number, minor: number): string {
    const isIt = (filesystem: Filesystem): boolean => filesystem.major === major && filesystem.minor === minor
    return (isRoot ? filesystems.find(isIt)?.device : undefined) ?? this.#devices.nameOf(major, minor)
  }

  async #writeNetwork(each: Each): Promise<void> {
    for (const [index, shown] of networkFamilies.entries()) {
      await each(shown, ({ stats: { interfaces } }, emit) => {
        for (let i = 0; i < interfaces.length; i++) {
          const { name, values } = interfaces.at(i)
          emit(values[index]!, ['interface', name])
        }
      })
    }
    for (const version of ['', '6'] as const) {
      const name = `network_tcp${version}_usage_total`
      await each(gauge('tcp', name, `TCP${version} sockets by state.`), ({ stats: { sockets } }, emit) => {
        const counts = version === '' ? sockets?.tcp : sockets?.tcp6
        if (counts !== undefined) tcpStates.forEach((state, index) => emit(counts[index]!, ['tcp_state', state]))
      })
      const udpName = `network_udp${version}_usage_total`
      await each(gauge('udp', udpName, `UDP${version} sockets, their queues and drops.`), ({ stats: { sockets } }, emit) => {
        const counts = version === '' ? sockets?.udp : sockets?.udp6
        if (counts !== undefined) udpFigures.forEach((figure, index) => emit(counts[index]!, ['udp_state', figure]))
      })
    }
    await each(gauge('advtcp', 'network_advance_tcp_stats_total', 'Counters of TCP.'), ({ stats: { advancedTcp } }, emit) => {
      for (const [field, value] of advancedTcp ?? []) emit(value, ['tcp_state', field])
    })
  }

  async #writeProcesses(each: Each): Promise<void> {
    await each(gauge('process', 'file_descriptors', 'Open file descriptors.'), ({ stats: { processes } }, emit) => {
      if (processes !== undefined) emit(processes.fileDescriptors)
    })
    await each(gauge('process', 'processes', 'Processes.'), ({ stats: { processes } }, emit) => {
      if (processes !== undefined) emit(processes.processes)
    })
    await each(gauge('process', 'sockets', 'Open sockets.'), ({ stats: { processes } }, emit) => {
      if (processes !== undefined) emit(processes.sockets)
    })
    await each(gauge('process', 'threads', 'Threads.'), ({ stats: { processes } }, emit) => {
      if (processes !== undefined) emit(processes.threads)
    })
    await each(gauge('process', 'threads_max', 'Limit of threads, 0 for none.'), ({ stats: { processes } }, emit) => {
      if (processes !== undefined) emit(processes.threadsMax)
    })
    await each(gauge('process', 'ulimits_soft', 'Soft limits of the first process, -1 for none.'), ({ stats: { processes } }, emit) => {
      if (processes?.openFilesSoft !== undefined) emit(processes.openFilesSoft, ['ulimit', 'max_open_files'])
    })
  }
}

type Each = (family: Family, show: (row: ContainerRow, emit: Emit) => void) => Promise<void>

function family(name: string, help: string): Family {
  return { name: `container_${name}`, help, type: 'gauge', kind: undefined }
}

function counter(kind: MetricKind, name: string, help: string): Family {
  return { name: `container_${name}`, help, type: 'counter', kind }
}

function gauge(kind: MetricKind, name: string, help: string): Family {
  return { name: `container_${name}`, help, type: 'gauge', kind }
}

function writeCpu({ stats }: ContainerRow, emit: Emit): void {
  if (stats.cpuCount === 0) {
    if (stats.values[column.cpuTotal]! > 0) emit(stats.values[column.cpuTotal]!, ['cpu', 'total'])
    return
  }
  for (let cpu = 0; cpu < stats.cpuCount; cpu++) {
    if (stats.perCpu[cpu]! > 0) emit(stats.perCpu[cpu]!, ['cpu', `cpu${String(cpu).padStart(2, '0')}`])
  }
}

function writeTasks({ stats: { values } }: ContainerRow, emit: Emit): void {
  emit(values[column.tasksIoWait]!, ['state', 'iowaiting'])
  emit(values[column.tasksRunning]!, ['state', 'running'])
  emit(values[column.tasksSleeping]!, ['state', 'sleeping'])
  emit(values[column.tasksStopped]!, ['state', 'stopped'])
  emit(values[column.tasksUninterruptible]!, ['state', 'uninterruptible'])
}

/** The kernel tells the faults of the cgroup once; cAdvisor shows them under both scopes. */
function writePageFaults({ stats: { values } }: ContainerRow, emit: Emit): void {
  for (const scope of ['container', 'hierarchy']) {
    emit(values[column.memoryPageFaults]!, ['failure_type', 'pgfault', 'scope', scope])
    emit(values[column.memoryMajorPageFaults]!, ['failure_type', 'pgmajfault', 'scope', scope])
  }
}
