import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { StatfsPool } from '@narthex/exporter-kit/statfs-pool'
import { BlockDevices } from './block-devices.ts'
import { CgroupFiles } from './cgroup-files.ts'
import { createCgroupFilter } from './cgroup-filter.ts'
import { findCgroupMounts } from './cgroup-mounts.ts'
import { column } from './cgroup-stats.ts'
import { cgroupsMax, CgroupTree, type Cgroup } from './cgroup-tree.ts'
import type { ContainerEvents } from './container-events.ts'
import { ContainerRow } from './container-row.ts'
import { ContainerTimes } from './container-times.ts'
import type { ContainerEnvironment } from './environment.ts'
import { Filesystems } from './filesystems.ts'
import type { KubeletPods } from './kubelet-pods.ts'
import { LabelSets } from './label-sets.ts'
import { LayerUsage } from './layer-usage.ts'
import { MachineMemory } from './machine-memory.ts'
import type { MetadataStore } from './metadata-store.ts'
import { NetworkReader } from './network-reader.ts'
import { OwnLabels } from './own-labels.ts'
import { PodPlaces } from './pod-places.ts'
import { ProcessReader } from './process-reader.ts'
import { CgroupV1Reader } from './read-cgroup-v1.ts'
import { CgroupV2Reader } from './read-cgroup-v2.ts'
import { TurnTaker } from './turn-taker.ts'
import { ContainerWriter } from './write-containers.ts'

/** Kept free of the scrape's time, for writing what was read. */
const writeReserveMs = 200

interface Reader {
  read(cgroup: Cgroup, stats: ContainerRow['stats']): void
}

export interface ContainerSources {
  readonly store: MetadataStore
  readonly kubelet: KubeletPods | undefined
  readonly events: ContainerEvents
  readonly pool: StatfsPool
}

/** The families `container_*` of all cgroups, read when they are asked for. Throws where no cgroups are mounted. */
export function createContainerCollector(environment: ContainerEnvironment, sources: ContainerSources): Collector {
  const { store, kubelet, events, pool } = sources
  const { files, flags, kinds, log, nowMs, paths, scanner } = environment
  const mounts = findCgroupMounts(paths, files, kinds)
  const tree = new CgroupTree(mounts)
  const machine = new MachineMemory(paths, files, scanner)
  const cgroupFiles = new CgroupFiles(files, scanner)
  const reader: Reader =
    mounts.version === 1 ? new CgroupV1Reader(cgroupFiles, kinds, tree.controllers) : new CgroupV2Reader(cgroupFiles, kinds, machine)
  const isShown = createCgroupFilter(environment)
  const times = new ContainerTimes(environment, mounts)
  const ownLabels = new OwnLabels(environment, new PodPlaces(kubelet))
  const labelSets = new LabelSets()
  const filesystems = new Filesystems(paths, files, scanner, pool)
  const layers = new LayerUsage(environment)
  const network = new NetworkReader(environment, tree)
  const processes = new ProcessReader(environment, tree, mounts.version)
  const writer = new ContainerWriter(kinds, new BlockDevices(paths, environment.monotonicMs), flags.boolean('metric_timestamps'))
  const hidesRoot = flags.boolean('disable_root_cgroup_stats')
  const rows = new Map<string, ContainerRow>()
  let wasLeftOut = 0
  let wereLabelsLeftOut = 0
  /** Scrapes take turns: rows are used again. */
  let last: Promise<void> = Promise.resolve()

  async function collect(context: CollectContext): Promise<void> {
    const turn = last.then(() => readAndWrite(context))
    last = turn.catch(() => undefined)
    await turn
  }

  async function readAndWrite(context: CollectContext): Promise<void> {
    if (context.signal.aborted) return
    const turns = new TurnTaker()
    let shown: ContainerRow[]
    try {
      shown = await read(context, turns)
    } catch (error) {
      writeError(context, 1)
      throw error
    }
    writeError(context, 0)
    const withStats = hidesRoot ? shown.filter((row) => !row.isRoot) : shown
    await writer.write(context.writer, shown, withStats, turns)
    events.write(context.writer)
  }

  async function read(context: CollectContext, turns: TurnTaker): Promise<ContainerRow[]> {
    machine.read()
    const found = findRows()
    const deadlineMs = context.remainingMs() - writeReserveMs
    const asked = Promise.all([store.update(found, deadlineMs), kubelet?.update(found, deadlineMs)])
    const askedFilesystems = readFilesystems(deadlineMs)
    // It may be refused while cgroups are being read, when nobody waits for it yet.
    askedFilesystems.catch(() => undefined)
    for (const row of found) {
      readRow(row)
      if (turns.isDue()) await turns.yield()
    }
    await asked
    const machineFilesystems = await askedFilesystems
    if (kinds.has('disk')) layers.update(found, machineFilesystems)
    network.begin(found)
    for (const row of found) {
      if (row.isRoot) row.filesystems = machineFilesystems
      if (!network.isNeeded && !processes.isNeeded) break
      network.read(row)
      processes.read(row)
      if (turns.isDue()) await turns.yield()
    }
    ownLabels.update(found)
    labelSets.update(found)
    warnOfLabels()
    await events.update(found, store, context)
    return found
  }

  function findRows(): ContainerRow[] {
    const found: ContainerRow[] = []
    const before = new Set(rows.keys())
    for (const cgroup of tree.scan()) {
      before.delete(cgroup.path)
      let row = rows.get(cgroup.path)
      if (row?.cgroup !== cgroup) {
        row = new ContainerRow(cgroup)
        rows.set(cgroup.path, row)
      }
      if (isShown(row)) found.push(row)
    }
    for (const path of before) rows.delete(path)
    if (tree.leftOut > 0 && wasLeftOut === 0) log.warn('cgroups are left out', { shown: cgroupsMax, left_out: tree.leftOut })
    wasLeftOut = tree.leftOut
    return found
  }

  function readRow(row: ContainerRow): void {
    const { stats } = row
    times.update(row)
    stats.clear()
    stats.readAtMs = nowMs()
    reader.read(row.cgroup, stats)
    if (!row.isRoot) return
    stats.hasMemorySpec = true
    stats.values[column.specMemoryLimit] = machine.totalBytes
    stats.values[column.specMemorySwapLimit] = machine.swapTotalBytes
  }

  function readFilesystems(timeoutMs: number): ReturnType<Filesystems['read']> {
    return kinds.has('disk') ? filesystems.read(timeoutMs) : Promise.resolve([])
  }

  function warnOfLabels(): void {
    const { leftOut } = labelSets
    if (leftOut > 0 && wereLabelsLeftOut === 0) {
      log.warn('labels of containers are left out: choose them with --store_container_labels=false and --whitelisted_container_labels', {
        left_out: leftOut,
      })
    }
    wereLabelsLeftOut = leftOut
  }

  function close(): void {
    layers.close()
    filesystems.close()
  }

  return { name: 'container', defaultOn: true, collect, close }
}

function writeError({ writer }: CollectContext, value: 0 | 1): void {
  writer.family('container_scrape_error', 'Whether an error came up while reading containers (1).', 'gauge')
  writer.sample(value)
}
