import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync, statSync } from 'node:fs'
import type { CgroupMounts } from './cgroup-mounts.ts'

/** Cgroups of one machine that are shown; what lies beyond is left out and counted. */
export const cgroupsMax = 20_000
/** The kernel sets no depth either; no engine nests this deeply. */
const depthMax = 64

/** One cgroup: the directories that have its path in the trees of the controllers. */
export class Cgroup {
  /** Beneath the root of its tree: `/`, `/docker/ID`. */
  readonly path: string
  /** By the tree's index in `CgroupTree.controllers`; undefined where the cgroup is not in that tree. */
  readonly directories: (string | undefined)[]
  /** Changes when a cgroup is removed and made again under the same path. */
  incarnation = 0
  /** Earliest time that its directories show, Unix milliseconds; `Infinity` before the first scan. */
  modifiedMs = Infinity
  /** The scan that saw it last. */
  scan = 0

  constructor(path: string, treeCount: number) {
    this.path = path
    this.directories = Array.from({ length: treeCount })
  }
}

interface Node {
  readonly path: string
  readonly directory: string
  readonly depth: number
  inode: number
  children: Map<string, Node>
}

/**
 * All cgroups of a machine, found anew by every scan. A directory of cgroupfs has as many links as it has children, so that one that has
 * neither gained nor lost a child is not listed again: a scan costs one stat per directory.
 */
export class CgroupTree {
  /** In the order of `Cgroup.directories`. */
  readonly controllers: readonly string[]
  readonly #roots: readonly Node[]
  readonly #cgroups = new Map<string, Cgroup>()
  #scan = 0
  #tree = 0
  /** Cgroups that the last scan left out, for there were too many. */
  leftOut = 0

  constructor(mounts: CgroupMounts) {
    this.controllers = [...mounts.roots.keys()]
    this.#roots = [...mounts.roots.values()].map((directory) => createNode('/', directory, 0))
  }

  /** The cgroups that exist now, the root first, in the order of their paths. Throws if not even a root can be read. */
  scan(): Cgroup[] {
    this.#scan++
    this.leftOut = 0
    let found = 0
    for (this.#tree = 0; this.#tree < this.#roots.length; this.#tree++) if (this.#visit(this.#roots[this.#tree]!)) found++
    if (found === 0) throw new Error(`cannot read cgroups: want one of ${this.#roots.map((root) => root.directory).join(', ')}, got none`)
    const cgroups: Cgroup[] = []
    for (const cgroup of this.#cgroups.values()) {
      if (cgroup.scan === this.#scan) cgroups.push(cgroup)
      else this.#cgroups.delete(cgroup.path)
    }
    return cgroups.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** False for a directory that is gone. */
  #visit(node: Node): boolean {
    const stats = statIfThere(node.directory)
    if (stats === undefined) return false
    const isNew = node.inode !== stats.ino
    if (isNew) {
      node.inode = stats.ino
      node.children.clear()
    }
    if (!this.#see(node, stats.mtimeMs, isNew)) return true
    if (node.depth >= depthMax) return true
    // Two links are the directory's own; file systems that do not count links show one.
    let isListed = stats.nlink - 2 !== node.children.size
    if (isListed && !this.#list(node)) return false
    for (const [name, child] of node.children) {
      if (this.#visit(child)) continue
      node.children.delete(name)
      // Another may have come in its place: then the number of links says nothing.
      if (isListed) continue
      isListed = true
      if (!this.#list(node)) return false
    }
    return true
  }

  /** Notes that the cgroup is in the current tree; false if there are too many. */
  #see(node: Node, modifiedMs: number, isNew: boolean): boolean {
    let cgroup = this.#cgroups.get(node.path)
    if (cgroup === undefined) {
      if (this.#cgroups.size >= cgroupsMax) {
        this.leftOut++
        return false
      }
      cgroup = new Cgroup(node.path, this.#roots.length)
      this.#cgroups.set(node.path, cgroup)
    }
    if (cgroup.scan !== this.#scan) {
      cgroup.scan = this.#scan
      cgroup.directories.fill(undefined)
    }
    cgroup.directories[this.#tree] = node.directory
    if (isNew) {
      // A cgroup is made in one tree after the other: the first one seen is taken as its identity.
      if (cgroup.directories.findIndex((directory) => directory !== undefined) === this.#tree) {
        cgroup.incarnation = node.inode
        cgroup.modifiedMs = Infinity
      }
      cgroup.modifiedMs = Math.min(cgroup.modifiedMs, modifiedMs)
    }
    return true
  }

  /** Adds the children that are not known yet; false if the directory is gone. */
  #list(node: Node): boolean {
    let entries
    try {
      entries = readdirSync(node.directory, { withFileTypes: true })
    } catch (error) {
      if (systemErrorCode(error) !== undefined) return false
      throw error
    }
    const prefix = node.path === '/' ? '/' : `${node.path}/`
    for (const entry of entries) {
      if (!entry.isDirectory() || node.children.has(entry.name)) continue
      node.children.set(entry.name, createNode(prefix + entry.name, `${node.directory}/${entry.name}`, node.depth + 1))
    }
    return true
  }
}

function createNode(path: string, directory: string, depth: number): Node {
  return { path, directory, depth, inode: -1, children: new Map() }
}

function statIfThere(directory: string): { readonly ino: number; readonly nlink: number; readonly mtimeMs: number } | undefined {
  try {
    return statSync(directory, { throwIfNoEntry: false })
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return undefined
    throw error
  }
}
