import type { FileReader } from '@narthex/exporter-kit/file-reader'
import type { HostPaths } from './host-paths.ts'
import type { MetricKind } from './metric-kinds.ts'

/** Controllers of cgroup v1 that are read, and the kinds of metrics that each serves. */
const kindsByController: ReadonlyMap<string, readonly MetricKind[]> = new Map([
  ['cpu', ['cpu', 'percpu']],
  ['cpuacct', ['cpu', 'percpu']],
  ['memory', ['memory', 'memory_numa', 'oom_event']],
  ['blkio', ['diskIO']],
  ['hugetlb', ['hugetlb']],
  ['cpuset', ['cpuset']],
  ['pids', ['process']],
  // Has nothing to read, but every container is in it.
  ['devices', []],
])

/** Where cgroups are: version 1 with one tree per controller, or version 2 with one tree. */
export interface CgroupMounts {
  readonly version: 1 | 2
  /** Directory of the root by controller; of version 2 by the empty name. */
  readonly roots: ReadonlyMap<string, string>
}

/**
 * Finds the trees in /proc/self/mountinfo. A version 2 tree beside version 1 trees (systemd's hybrid) has no controllers and does not
 * count. Throws one clear line where no cgroups are mounted.
 */
export function findCgroupMounts(paths: HostPaths, files: FileReader, kinds: ReadonlySet<MetricKind>): CgroupMounts {
  const mountInfo = paths.local('/proc/self/mountinfo')
  const roots = new Map<string, string>()
  let unified: string | undefined
  for (const line of files.read(mountInfo).toString('latin1').split('\n')) {
    const [before, after] = line.split(' - ')
    const mountPoint = before?.split(' ')[4]
    const [type, , options = ''] = after?.split(' ') ?? []
    if (mountPoint === undefined) continue
    if (type === 'cgroup2') unified ??= paths.local(mountPoint)
    if (type !== 'cgroup') continue
    for (const controller of options.split(',')) {
      const served = kindsByController.get(controller)
      if (served === undefined || roots.has(controller)) continue
      if (served.length === 0 || served.some((kind) => kinds.has(kind))) roots.set(controller, paths.local(mountPoint))
    }
  }
  if (roots.size > 0) return { version: 1, roots }
  if (unified !== undefined) return { version: 2, roots: new Map([['', unified]]) }
  throw new Error(`cannot find cgroups: want a mount of type cgroup or cgroup2 in ${mountInfo}, got none`)
}
