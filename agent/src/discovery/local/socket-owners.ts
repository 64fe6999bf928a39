import type { ProcFiles, WorkSlices } from './proc-files.ts'
import type { ProcessEntry } from './process-table.ts'

/** Descriptors of one process that are looked through. */
const descriptorsMax = 65_536
/** After so many searches in vain nobody is taken to hold a socket; it is searched for again, but seldom. */
const searchesMax = 2
const searchAgainMs = 60_000

interface Missing {
  searches: number
  lastMs: number
}

/**
 * Which process holds which socket. A socket's number never means another one while it is open, so an owner that was found is believed as
 * long as it lives, and descriptors are only read again for sockets and processes that are new.
 */
export class SocketOwners {
  readonly #files: ProcFiles
  readonly #owners = new Map<number, number>()
  /** Sockets that no process with a known name held when it was looked through. */
  readonly #foreign = new Set<number>()
  /** Processes with a known name that were looked through: pid → name. */
  readonly #searched = new Map<number, string>()
  /** Sockets on known ports that no process holds, as far as we may see. */
  readonly #missing = new Map<number, Missing>()

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /** Forgets what is not listening any more, and owners that are gone. */
  prune(listening: ReadonlySet<number>, processes: ReadonlyMap<number, ProcessEntry>): void {
    for (const [inode, pid] of this.#owners) if (!listening.has(inode) || !processes.has(pid)) this.#owners.delete(inode)
    for (const inode of this.#foreign) if (!listening.has(inode)) this.#foreign.delete(inode)
    for (const inode of this.#missing.keys()) if (!listening.has(inode)) this.#missing.delete(inode)
    for (const pid of this.#searched.keys()) if (!processes.has(pid)) this.#searched.delete(pid)
  }

  ownerOf(inode: number): number | undefined {
    return this.#owners.get(inode)
  }

  /** Whether a socket without an owner will stay so: its process may not be seen by us. */
  isUnowned(inode: number): boolean {
    return (this.#missing.get(inode)?.searches ?? 0) >= searchesMax
  }

  /** Looks through processes with known names: for new sockets through all of them, for old ones through those that are new. */
  async findNamed(inodes: Iterable<number>, named: readonly ProcessEntry[], slices: WorkSlices): Promise<void> {
    const fresh = new Set<number>()
    const old = new Set<number>()
    for (const inode of inodes) if (!this.#owners.has(inode)) (this.#foreign.has(inode) ? old : fresh).add(inode)
    for (const { pid, comm } of named) {
      const isNew = this.#searched.get(pid) !== comm
      this.#searched.set(pid, comm)
      await this.#search(pid, isNew ? [fresh, old] : [fresh], slices)
    }
    for (const inode of fresh) this.#foreign.add(inode)
  }

  /** Looks through all these processes for sockets on known ports. */
  async findAny(inodes: Iterable<number>, processes: Iterable<ProcessEntry>, slices: WorkSlices): Promise<void> {
    const now = performance.now()
    const wanted = new Set<number>()
    for (const inode of inodes) {
      const missing = this.#missing.get(inode)
      const isDue = missing === undefined || missing.searches < searchesMax || now - missing.lastMs >= searchAgainMs
      if (!this.#owners.has(inode) && isDue) wanted.add(inode)
    }
    for (const { pid } of processes) await this.#search(pid, [wanted], slices)
    for (const inode of wanted) this.#missing.set(inode, { searches: (this.#missing.get(inode)?.searches ?? 0) + 1, lastMs: now })
  }

  async #search(pid: number, wanted: readonly Set<number>[], slices: WorkSlices): Promise<void> {
    const isDone = (): boolean => wanted.every((inodes) => inodes.size === 0)
    if (isDone()) return
    let count = 0
    for (const name of this.#files.list(`${pid}/fd`)) {
      if (slices.isOver) await slices.rest()
      if (++count > descriptorsMax || isDone()) return
      const link = this.#files.readLink(`${pid}/fd/${name}`)
      if (link === undefined || !link.startsWith('socket:[')) continue
      const inode = Number(link.slice(8, -1))
      for (const inodes of wanted) {
        if (!inodes.delete(inode)) continue
        this.#owners.set(inode, pid)
        this.#foreign.delete(inode)
        this.#missing.delete(inode)
      }
    }
  }
}
