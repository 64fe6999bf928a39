import { readdirSync } from 'node:fs'
import type { ContainerEnvironment } from './environment.ts'

/** Starts a family `machine_<name>`. */
type StartFamily = (name: string, help: string) => void
/** Labels beyond the machine's are a flat list sorted by name. */
type WriteSample = (value: number, extra: readonly string[]) => void

interface Cache {
  readonly sizeBytes: number
  readonly level: string
  readonly type: string
  /** CPUs that share it. */
  readonly cpus: number
}

interface Core {
  readonly id: string
  readonly threads: string[]
  readonly caches: Cache[]
}

interface MemoryNode {
  readonly id: string
  readonly cores: ReadonlyMap<string, Core>
  /** Caches of several cores. */
  readonly caches: ReadonlyMap<string, Cache>
}

/** The families of `--enable_metrics=cpu_topology`. */
export function writeCpuTopology(environment: ContainerEnvironment, start: StartFamily, sample: WriteSample): void {
  const nodes = readNodes(environment)
  start('cpu_cache_capacity_bytes', 'Bytes of the CPU cache by memory node, core, level and type.')
  for (const { id, cores, caches } of nodes) {
    for (const core of cores.values()) for (const cache of core.caches) sample(cache.sizeBytes, cacheLabels(core.id, id, cache))
    for (const cache of caches.values()) sample(cache.sizeBytes, cacheLabels('', id, cache))
  }
  start('thread_siblings_count', 'Threads of the CPU core by thread.')
  for (const { id, cores } of nodes) {
    for (const { id: coreId, threads } of cores.values()) {
      for (const thread of threads) sample(threads.length, ['core_id', coreId, 'node_id', id, 'thread_id', thread])
    }
  }
  writeNodes(environment, nodes, start, sample)
}

function writeNodes({ files, paths }: ContainerEnvironment, nodes: readonly MemoryNode[], start: StartFamily, sample: WriteSample): void {
  const pathOf = (id: string, name: string): string => paths.local(`/sys/devices/system/node/node${id}/${name}`)
  start('node_distance', 'Distance from a memory node to another.')
  for (const { id } of nodes) {
    const distances = files.readTextIfThere(pathOf(id, 'distance'))?.split(/\s+/) ?? []
    distances.forEach((distance, target) => sample(Number(distance), ['node_id', id, 'target_node_id', String(target)]))
  }
  start('node_hugepages_count', 'Huge pages of the memory node by size in kB.')
  for (const { id } of nodes) {
    for (const name of list(pathOf(id, 'hugepages'))) {
      const size = /^hugepages-(\d+)kB$/.exec(name)?.[1]
      const count = files.readTextIfThere(pathOf(id, `hugepages/${name}/nr_hugepages`))
      if (size !== undefined && count !== undefined) sample(Number(count), ['node_id', id, 'page_size', size])
    }
  }
  start('node_memory_capacity_bytes', 'Bytes of memory of the memory node.')
  for (const { id } of nodes) {
    const text = files.readTextIfThere(pathOf(id, 'meminfo')) ?? files.readTextIfThere(paths.local('/proc/meminfo')) ?? ''
    const kilobytes = /MemTotal:\s*(\d+) kB/.exec(text)?.[1]
    if (kilobytes !== undefined) sample(Number(kilobytes) * 1024, ['node_id', id])
  }
}

function readNodes(environment: ContainerEnvironment): MemoryNode[] {
  const { files, paths } = environment
  const root = paths.local('/sys/devices/system/node')
  const ids = list(root).flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? [])
  if (ids.length > 0) return ids.map((id) => readNode(environment, id, listCpus(`${root}/node${id}`)))
  // Without memory nodes each socket counts as one.
  const sockets = new Map<string, string[]>()
  const cpuRoot = paths.local('/sys/devices/system/cpu')
  for (const cpu of listCpus(cpuRoot)) {
    const socket = files.readTextIfThere(`${cpuRoot}/cpu${cpu}/topology/physical_package_id`)
    if (socket !== undefined) sockets.set(socket, [...(sockets.get(socket) ?? []), cpu])
  }
  return [...sockets].map(([socket, cpus]) => readNode(environment, socket, cpus))
}

function readNode(environment: ContainerEnvironment, id: string, cpus: readonly string[]): MemoryNode {
  const { files, paths } = environment
  const cores = new Map<string, Core>()
  for (const cpu of cpus) {
    const topology = paths.local(`/sys/devices/system/cpu/cpu${cpu}/topology`)
    const coreId = files.readTextIfThere(`${topology}/core_id`)
    const socket = files.readTextIfThere(`${topology}/physical_package_id`)
    if (coreId === undefined) continue
    const core = cores.get(`${coreId} ${socket}`) ?? { id: coreId, threads: [], caches: [] }
    core.threads.push(cpu)
    cores.set(`${coreId} ${socket}`, core)
  }
  const caches = new Map<string, Cache>()
  for (const core of cores.values()) {
    for (const cache of readCaches(environment, core.threads[0]!)) {
      if (cache.cpus <= core.threads.length) core.caches.push(cache)
      else caches.set(`${cache.level} ${cache.type}`, cache)
    }
  }
  return { id, cores, caches }
}

function readCaches({ files, paths }: ContainerEnvironment, cpu: string): Cache[] {
  const root = paths.local(`/sys/devices/system/cpu/cpu${cpu}/cache`)
  return list(root).flatMap((name) => {
    const textOf = (file: string): string => files.readTextIfThere(`${root}/${name}/${file}`) ?? ''
    const [, size, unit] = /^(\d+)([KM]?)$/.exec(textOf('size')) ?? []
    if (size === undefined) return []
    const factor = unit === 'K' ? 1024 : unit === 'M' ? 1024 * 1024 : 1
    return [{ sizeBytes: Number(size) * factor, level: textOf('level'), type: textOf('type'), cpus: countBits(textOf('shared_cpu_map')) }]
  })
}

/** CPUs in a mask like `00000000,00000003`. */
function countBits(mask: string): number {
  return [...mask].reduce((count, digit) => count + (Number.parseInt(digit, 16) || 0).toString(2).replaceAll('0', '').length, 0)
}

function cacheLabels(coreId: string, nodeId: string, { level, type }: Cache): readonly string[] {
  return ['core_id', coreId, 'level', level, 'node_id', nodeId, 'type', type]
}

function listCpus(directory: string): string[] {
  return list(directory).flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? [])
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return []
  }
}
