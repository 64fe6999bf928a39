import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { writeCpuTopology } from './cpu-topology.ts'
import type { Engine } from './engines/engine.ts'
import type { ContainerEnvironment } from './environment.ts'
import { readMachineInfo, type MachineInfo } from './machine-info.ts'
import { MachineMemory } from './machine-memory.ts'
import { mergeLabels } from './merge-labels.ts'
import type { MetadataStore } from './metadata-store.ts'

/** Longest wait for the engine's version, which is asked for until it is known. */
const versionTimeoutMs = 1_000

/** The families `machine_*` and `cadvisor_version_info`. */
export function createMachineCollector(
  environment: ContainerEnvironment,
  store: MetadataStore,
  docker: Engine,
  buildInfo: BuildInfo,
): Collector {
  const { files, flags, kinds, monotonicMs, nowMs, paths, scanner } = environment
  const memory = new MachineMemory(paths, files, scanner)
  const intervalMs = flags.durationMs('update_machine_info_interval')
  const hasTimestamps = flags.boolean('metric_timestamps')
  let info: MachineInfo | undefined
  let readMs = -Infinity

  async function collect(context: CollectContext): Promise<void> {
    let error: unknown
    try {
      if (info === undefined || monotonicMs() - readMs >= intervalMs) {
        info = readMachineInfo(environment)
        readMs = monotonicMs()
      }
      memory.read()
      writeMachine(context, info)
    } catch (cause) {
      error = cause
    }
    context.writer.family('machine_scrape_error', 'Whether an error came up while reading the machine (1).', 'gauge')
    context.writer.sample(error === undefined ? 0 : 1)
    if (error !== undefined) throw error
    await writeVersion(context, info!)
  }

  function writeMachine({ writer }: CollectContext, machine: MachineInfo): void {
    const { bootId, machineId, systemUuid } = machine
    const labels = ['boot_id', bootId, 'machine_id', machineId, 'system_uuid', systemUuid]
    const timestampMs = hasTimestamps ? nowMs() : undefined
    const start = (name: string, help: string): void => writer.family(`machine_${name}`, help, 'gauge')
    const sample = (value: number, extra: readonly string[] = []): void =>
      writer.sample(value, mergeLabels(labels, extra), undefined, timestampMs)
    const one = (name: string, help: string, value: number): void => {
      start(name, help)
      sample(value)
    }
    one('cpu_books', 'Books of CPUs, on s390x.', 0)
    one('cpu_cores', 'Logical CPU cores.', machine.cores)
    one('cpu_drawers', 'Drawers of CPUs, on s390x.', 0)
    one('cpu_physical_cores', 'Physical CPU cores.', machine.physicalCores)
    one('cpu_sockets', 'CPU sockets.', machine.sockets)
    one('memory_bytes', 'Memory of the machine.', memory.totalBytes)
    one('swap_bytes', 'Swap of the machine.', memory.swapTotalBytes)
    start('dimm_capacity_bytes', 'Bytes of memory modules by type.')
    for (const [type, { bytes }] of machine.modules) sample(bytes, ['type', type])
    start('dimm_count', 'Memory modules by type.')
    for (const [type, { count }] of machine.modules) sample(count, ['type', type])
    // Of non-volatile memory nothing is known without Intel's library, in cAdvisor's own images neither.
    one('nvm_avg_power_budget_watts', 'Power budget of non-volatile memory.', 0)
    start('nvm_capacity', 'Bytes of non-volatile memory by mode.')
    sample(0, ['mode', 'app_direct_mode'])
    sample(0, ['mode', 'memory_mode'])
    if (kinds.has('cpu_topology')) writeCpuTopology(environment, start, sample)
  }

  async function writeVersion(context: CollectContext, { kernelVersion, osVersion }: MachineInfo): Promise<void> {
    const timeoutMs = Math.min(versionTimeoutMs, context.remainingMs() / 2)
    const dockerVersion = (await store.findVersion(docker, timeoutMs)) ?? 'Unknown'
    context.writer.family('cadvisor_version_info', 'A metric with the constant value 1 and versions as labels.', 'gauge')
    context.writer.sample(1, [
      'cadvisorRevision',
      buildInfo.revision,
      'cadvisorVersion',
      buildInfo.version,
      'dockerVersion',
      dockerVersion,
      'kernelVersion',
      kernelVersion,
      'osVersion',
      osVersion,
    ])
  }

  return { name: 'machine', defaultOn: true, collect }
}
