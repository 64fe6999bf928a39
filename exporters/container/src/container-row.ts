import { CgroupStats } from './cgroup-stats.ts'
import type { Cgroup } from './cgroup-tree.ts'
import { parseContainerId, parsePodUid, type ContainerId } from './container-id.ts'
import type { ContainerMetadata } from './engines/engine.ts'
import type { Filesystem } from './filesystems.ts'
import type { LabelOwner } from './label-sets.ts'

/** What is known of the cgroups of one machine's containers and of all other cgroups, from one scrape to the next. */
export class ContainerRow implements LabelOwner {
  readonly cgroup: Cgroup
  readonly stats = new CgroupStats()
  /** Undefined for a cgroup that is no container's. */
  readonly container: ContainerId | undefined
  readonly podUid: string | undefined
  /** Undefined until an engine has told, and where none knows it. */
  metadata: ContainerMetadata | undefined
  isHealthy = false
  /** Of the cgroup when the times below were found. */
  incarnation = -1
  /** Unix seconds, of the cgroup. */
  createdSeconds = 0
  ownLabels: ReadonlyMap<string, string>
  labels: readonly string[] = []
  /** Filesystems that are shown with it. */
  filesystems: readonly Filesystem[] = []

  constructor(cgroup: Cgroup) {
    this.cgroup = cgroup
    this.container = parseContainerId(cgroup.path)
    this.podUid = parsePodUid(cgroup.path)
    this.ownLabels = new Map([['id', cgroup.path]])
  }

  get isRoot(): boolean {
    return this.cgroup.path === '/'
  }
}
