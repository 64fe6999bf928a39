import { readlinkSync } from 'node:fs'
import type { CgroupTree } from './cgroup-tree.ts'
import type { ContainerRow } from './container-row.ts'
import type { ContainerEnvironment } from './environment.ts'
import { findProcessId } from './process-ids.ts'
import { readAdvancedTcp, readTcpStates, readUdpFigures } from './socket-files.ts'

/** Reads the network of containers by a process of each. */
export class NetworkReader {
  readonly #environment: ContainerEnvironment
  readonly #tree: CgroupTree
  readonly isNeeded: boolean
  /** Network namespaces that are shown with a container of which no engine told that they are its own. */
  readonly #namespaces = new Set<string>()
  /** Uids of the pods whose network is shown. */
  readonly #pods = new Set<string>()

  constructor(environment: ContainerEnvironment, tree: CgroupTree) {
    const { kinds } = environment
    this.#environment = environment
    this.#tree = tree
    this.isNeeded = kinds.has('network') || kinds.has('tcp') || kinds.has('udp') || kinds.has('advtcp')
  }

  /** Starts a scrape of these rows. */
  begin(rows: readonly ContainerRow[]): void {
    this.#namespaces.clear()
    this.#pods.clear()
    for (const { metadata, podUid } of rows) if (podUid !== undefined && metadata?.hasOwnNetwork === true) this.#pods.add(podUid)
  }

  read(row: ContainerRow): void {
    if (!this.isNeeded) return
    const directory = this.#findProcess(row)
    if (directory === undefined) return
    const { files, kinds, scanner } = this.#environment
    const { stats } = row
    if (kinds.has('network')) {
      const bytes = files.readIfThere(`${directory}/net/dev`)
      if (bytes !== undefined) {
        scanner.load(bytes)
        stats.interfaces.parse(scanner)
      }
    }
    if (kinds.has('tcp') || kinds.has('udp')) {
      stats.sockets = {
        tcp: kinds.has('tcp') ? readTcpStates(this.#environment, `${directory}/net/tcp`) : undefined,
        tcp6: kinds.has('tcp') ? readTcpStates(this.#environment, `${directory}/net/tcp6`) : undefined,
        udp: kinds.has('udp') ? readUdpFigures(this.#environment, `${directory}/net/udp`) : undefined,
        udp6: kinds.has('udp') ? readUdpFigures(this.#environment, `${directory}/net/udp6`) : undefined,
      }
    }
    if (kinds.has('advtcp')) stats.advancedTcp = readAdvancedTcp(this.#environment, directory)
  }

  /** The directory in /proc of a process whose network is the container's own; undefined for a container without one. */
  #findProcess(row: ContainerRow): string | undefined {
    const { paths } = this.#environment
    if (row.isRoot) return paths.host('/proc/1')
    if (row.container === undefined) return undefined
    const isShared = row.metadata?.hasOwnNetwork === false
    // A pod without a sandbox that holds its network (CRI-O leaves it out): its first container stands for it.
    if (isShared && (row.podUid === undefined || this.#pods.has(row.podUid))) return undefined
    const processId = row.metadata?.processId || findProcessId(this.#environment, this.#tree, row.cgroup)
    if (processId === 0) return undefined
    const directory = paths.host(`/proc/${processId}`)
    // Without an engine nobody tells who shares a network with whom: each is shown once, the machine's own not at all.
    if ((row.metadata === undefined || isShared) && !this.#isOwn(directory)) return undefined
    if (isShared) this.#pods.add(row.podUid!)
    return directory
  }

  #isOwn(directory: string): boolean {
    try {
      const namespace = readlinkSync(`${directory}/ns/net`)
      if (this.#namespaces.has(namespace) || namespace === this.#machineNamespace()) return false
      this.#namespaces.add(namespace)
      return true
    } catch {
      return false
    }
  }

  #machineNamespace(): string {
    try {
      return readlinkSync(this.#environment.paths.host('/proc/1/ns/net'))
    } catch {
      return ''
    }
  }
}
