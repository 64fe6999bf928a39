import { existsSync } from 'node:fs'

/**
 * Where the kernel's and the host's files are. An exporter that runs in a container sees the host's root file system at /rootfs and the
 * host's processes only there; /sys is the same inside and outside.
 */
export class HostPaths {
  readonly #root: string
  readonly #hostRoot: string

  /** `root` stands in front of every path, for recorded trees; empty for this machine. */
  constructor(root = '') {
    this.#root = root
    this.#hostRoot = existsSync(`${root}/rootfs/proc`) ? `${root}/rootfs` : root
  }

  /** A path as this process sees it; `path` begins with a slash. */
  local(path: string): string {
    return this.#root + path
  }

  /** A path of the host. */
  host(path: string): string {
    return this.#hostRoot + path
  }
}
