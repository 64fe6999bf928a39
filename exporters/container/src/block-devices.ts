import { readlinkSync } from 'node:fs'
import type { HostPaths } from './host-paths.ts'

const namesMax = 10_000
/** Device numbers are given to other devices when disks come and go. */
const keptMs = 60_000

/** Names of block devices by their numbers. */
export class BlockDevices {
  readonly #directory: string
  readonly #nowMs: () => number
  readonly #names = new Map<string, string>()
  #clearedMs = -Infinity

  /** `nowMs` is a monotonic clock. */
  constructor(paths: HostPaths, nowMs: () => number) {
    this.#directory = paths.local('/sys/dev/block')
    this.#nowMs = nowMs
  }

  /** `/dev/sda`; empty for a device that the kernel does not have (any more). */
  nameOf(major: number, minor: number): string {
    const nowMs = this.#nowMs()
    if (nowMs - this.#clearedMs > keptMs || this.#names.size >= namesMax) {
      this.#names.clear()
      this.#clearedMs = nowMs
    }
    const key = `${major}:${minor}`
    let name = this.#names.get(key)
    if (name === undefined) {
      name = this.#find(key)
      this.#names.set(key, name)
    }
    return name
  }

  #find(key: string): string {
    try {
      const target = readlinkSync(`${this.#directory}/${key}`)
      // The kernel prints ! for a slash in a name (cciss!c0d0).
      return `/dev/${target.slice(target.lastIndexOf('/') + 1).replaceAll('!', '/')}`
    } catch {
      return ''
    }
  }
}
