import { statSync } from 'node:fs'
import type { CgroupMounts } from './cgroup-mounts.ts'
import type { ContainerEnvironment } from './environment.ts'
import type { ContainerRow } from './container-row.ts'

const minuteSeconds = 60

/** When cgroups were made, as far as their directories tell. */
export class ContainerTimes {
  readonly #environment: ContainerEnvironment
  readonly #markerFile: string
  #bootSeconds: number | undefined

  constructor(environment: ContainerEnvironment, mounts: CgroupMounts) {
    this.#environment = environment
    // A directory changes when a child comes or goes, a file in it that nobody writes to does not.
    this.#markerFile = mounts.version === 1 ? 'cgroup.clone_children' : 'cgroup.events'
  }

  /** Sets the time of a cgroup that is seen for the first time, or again after it was removed. Not before the machine's start. */
  update(row: ContainerRow): void {
    const { cgroup } = row
    if (row.incarnation === cgroup.incarnation) return
    row.incarnation = cgroup.incarnation
    let earliestMs = cgroup.modifiedMs
    for (const directory of cgroup.directories) {
      if (directory === undefined) continue
      earliestMs = Math.min(earliestMs, statSync(`${directory}/${this.#markerFile}`, { throwIfNoEntry: false })?.mtimeMs ?? Infinity)
    }
    this.#bootSeconds ??= this.#readBootSeconds()
    const seconds = Number.isFinite(earliestMs) ? Math.floor(earliestMs / 1000) : Math.floor(this.#environment.nowMs() / 1000)
    row.createdSeconds = Math.max(seconds, this.#bootSeconds)
  }

  /** To the minute, for the kernel tells only how long it has been up. */
  #readBootSeconds(): number {
    const { files, nowMs, paths } = this.#environment
    const upSeconds = Number.parseInt(files.readTextIfThere(paths.local('/proc/uptime')) ?? '', 10)
    if (Number.isNaN(upSeconds)) return 0
    const bootSeconds = nowMs() / 1000 - upSeconds
    return Math.floor(bootSeconds / minuteSeconds) * minuteSeconds
  }
}
