import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { column, type CgroupStats } from './cgroup-stats.ts'
import type { Cgroup, CgroupTree } from './cgroup-tree.ts'
import type { ContainerRow } from './container-row.ts'
import type { ContainerEnvironment } from './environment.ts'
import { findProcessDirectory, readProcessIds, readProcessIdsBelow } from './process-ids.ts'

const nanosecondsPerSecond = 1e9
/** The average falls to 1/e in this time. */
const loadSeconds = 10

interface Load {
  running: number
  uninterruptible: number
  atMs: number
}

interface Scheduler {
  /** Run and wait nanoseconds, slices, by process. */
  readonly processes: Map<number, readonly [number, number, number]>
  /** Of processes that have ended. */
  readonly ended: [number, number, number]
}

/** What is read from each process of a container; all of it is off by default. */
export class ProcessReader {
  readonly #environment: ContainerEnvironment
  readonly #tree: CgroupTree
  readonly #threadsFile: string
  readonly #readsLoad: boolean
  readonly #resetInterval: number
  readonly isNeeded: boolean
  readonly #loads = new WeakMap<Cgroup, Load>()
  readonly #schedulers = new WeakMap<Cgroup, Scheduler>()
  readonly #cycles = new WeakMap<Cgroup, number>()

  constructor(environment: ContainerEnvironment, tree: CgroupTree, version: 1 | 2) {
    const { flags, kinds } = environment
    this.#environment = environment
    this.#tree = tree
    this.#threadsFile = version === 1 ? 'tasks' : 'cgroup.threads'
    this.#readsLoad = kinds.has('cpuLoad') && flags.boolean('enable_load_reader')
    this.#resetInterval = flags.number('referenced_reset_interval')
    this.isNeeded = this.#readsLoad || kinds.has('process') || kinds.has('sched') || kinds.has('referenced_memory')
  }

  read(row: ContainerRow): void {
    if (!this.isNeeded) return
    const directory = findProcessDirectory(this.#tree, row.cgroup)
    if (directory === undefined) return
    const { kinds } = this.#environment
    if (this.#readsLoad) this.#readLoad(row, directory)
    if (!kinds.has('process') && !kinds.has('sched') && !kinds.has('referenced_memory')) return
    const ids = readProcessIds(this.#environment, `${directory}/cgroup.procs`)
    if (kinds.has('process')) this.#readProcesses(row, ids)
    // A process that moves to a cgroup below has not left the container.
    if (kinds.has('sched')) this.#readScheduler(row, readProcessIdsBelow(this.#environment, directory))
    if (kinds.has('referenced_memory')) this.#readReferenced(row, ids)
  }

  #readProcesses(row: ContainerRow, ids: readonly number[]): void {
    const { files, paths } = this.#environment
    let fileDescriptors = 0
    let sockets = 0
    for (const id of ids) {
      const directory = paths.host(`/proc/${id}/fd`)
      for (const name of listDirectory(directory)) {
        fileDescriptors++
        if (linkTarget(`${directory}/${name}`).startsWith('socket:')) sockets++
      }
    }
    const first = row.isRoot ? 1 : row.metadata?.processId || (row.container === undefined ? undefined : ids[0])
    const limits = first === undefined ? undefined : files.readTextIfThere(paths.host(`/proc/${first}/limits`))
    const soft = limits === undefined ? undefined : /^Max open files +(\S+)/m.exec(limits)?.[1]
    const { threads, threadsMax } = this.#readThreads(row)
    row.stats.processes = {
      processes: ids.length,
      fileDescriptors,
      sockets,
      threads,
      threadsMax,
      openFilesSoft: soft === undefined ? undefined : soft === 'unlimited' ? -1 : Number(soft),
    }
  }

  #readThreads({ cgroup }: ContainerRow): { readonly threads: number; readonly threadsMax: number } {
    const { files } = this.#environment
    const pids = this.#tree.controllers.indexOf('pids')
    const directory = cgroup.directories[pids < 0 ? 0 : pids]
    const numberOf = (name: string): number => {
      const text = directory === undefined ? undefined : files.readTextIfThere(`${directory}/${name}`)
      return text === undefined || !/^\d+$/.test(text) ? 0 : Number(text)
    }
    return { threads: numberOf('pids.current'), threadsMax: numberOf('pids.max') }
  }

  /** The kernel keeps these by process: what ended ones had is kept here, so that the sum does not fall. */
  #readScheduler({ cgroup, stats }: ContainerRow, ids: readonly number[]): void {
    let scheduler = this.#schedulers.get(cgroup)
    if (scheduler === undefined) {
      scheduler = { processes: new Map(), ended: [0, 0, 0] }
      this.#schedulers.set(cgroup, scheduler)
    }
    const { ended, processes } = scheduler
    const { files, paths, scanner } = this.#environment
    const alive = new Set<number>()
    for (const id of ids) {
      const bytes = files.readIfThere(paths.host(`/proc/${id}/schedstat`))
      if (bytes === undefined) continue
      scanner.load(bytes)
      scanner.nextLine()
      processes.set(id, [scanner.nextUnsigned(), scanner.nextUnsigned(), scanner.nextUnsigned()])
      alive.add(id)
    }
    const sums: [number, number, number] = [...ended]
    for (const [id, figures] of processes) {
      for (const index of [0, 1, 2] as const) {
        sums[index] += figures[index]
        if (!alive.has(id)) ended[index] += figures[index]
      }
      if (!alive.has(id)) processes.delete(id)
    }
    stats.values[column.schedulerRun] = sums[0] / nanosecondsPerSecond
    stats.values[column.schedulerWait] = sums[1] / nanosecondsPerSecond
    stats.values[column.schedulerSlices] = sums[2]
  }

  /** Pages referenced since the marks were cleared, which happens every so many scrapes if asked for: it costs the processes time. */
  #readReferenced({ cgroup, stats }: ContainerRow, ids: readonly number[]): void {
    const { files, paths, scanner } = this.#environment
    let kilobytes = 0
    for (const id of ids) {
      const bytes = files.readIfThere(paths.host(`/proc/${id}/smaps_rollup`)) ?? files.readIfThere(paths.host(`/proc/${id}/smaps`))
      if (bytes === undefined) continue
      scanner.load(bytes)
      while (scanner.nextLine()) if (scanner.nextField() && scanner.fieldIs('Referenced:')) kilobytes += scanner.nextUnsigned()
    }
    stats.values[column.referencedMemory] = kilobytes * 1024
    const cycle = (this.#cycles.get(cgroup) ?? 0) + 1
    this.#cycles.set(cgroup, cycle)
    if (this.#resetInterval === 0 || cycle % this.#resetInterval !== 0) return
    for (const id of ids) clearReferenced(paths.host(`/proc/${id}/clear_refs`))
  }

  #readLoad({ cgroup, stats }: ContainerRow, directory: string): void {
    const { monotonicMs } = this.#environment
    const threads = readProcessIds(this.#environment, `${directory}/${this.#threadsFile}`)
    for (const id of threads) this.#countState(id, stats)
    const running = stats.values[column.tasksRunning]!
    const uninterruptible = stats.values[column.tasksUninterruptible]!
    const nowMs = monotonicMs()
    const load = this.#loads.get(cgroup) ?? { running, uninterruptible, atMs: nowMs }
    const decay = Math.exp((load.atMs - nowMs) / 1000 / loadSeconds)
    load.running = load.running * decay + running * (1 - decay)
    load.uninterruptible = load.uninterruptible * decay + uninterruptible * (1 - decay)
    load.atMs = nowMs
    this.#loads.set(cgroup, load)
    stats.values[column.loadAverage] = Math.trunc(load.running * 1000)
    stats.values[column.loadUninterruptible] = Math.trunc(load.uninterruptible * 1000)
  }

  // proc(5): the state is the field behind the name, which is in parentheses and may hold blanks.
  #countState(id: number, { values }: CgroupStats): void {
    const { files, paths } = this.#environment
    const bytes = files.readIfThere(paths.host(`/proc/${id}/stat`))
    if (bytes === undefined) return
    const state = String.fromCharCode(bytes[bytes.lastIndexOf(41) + 2] ?? 0)
    if (state === 'R') values[column.tasksRunning]!++
    else if (state === 'S' || state === 'I') values[column.tasksSleeping]!++
    else if (state === 'D') values[column.tasksUninterruptible]!++
    else if (state === 'T' || state === 't') values[column.tasksStopped]!++
  }
}

function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function clearReferenced(path: string): void {
  try {
    writeFileSync(path, '1\n')
  } catch {
    // The process has ended.
  }
}
