import { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import { FileReader } from '@narthex/exporter-kit/file-reader'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { Logger } from '@narthex/service/logger'
import { AttributeReader } from './attribute-reader.ts'
import { StatFile } from './stat-file.ts'

/** What every collector is given: where the kernel's files are, the flags, and readers that all share. */
export class NodeEnvironment {
  readonly flags: FlagReader
  readonly log: Logger
  /** Reads into one buffer: what a read gave is valid until the next one. */
  readonly files = new FileReader()
  /** For attributes in /sys, which are one value each. */
  readonly attributes = new AttributeReader()
  /** Over the buffer of `files`; no collector keeps a position in it across an `await`. */
  readonly scanner = new ByteScanner()
  readonly stat: StatFile
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number
  readonly #procPath: string
  readonly #sysPath: string
  readonly #rootfsPath: string
  readonly #udevDataPath: string

  constructor(flags: FlagReader, log: Logger, nowMs: () => number) {
    this.flags = flags
    this.log = log
    this.nowMs = nowMs
    this.#procPath = flags.string('path.procfs')
    this.#sysPath = flags.string('path.sysfs')
    this.#rootfsPath = flags.string('path.rootfs')
    this.#udevDataPath = flags.string('path.udev.data')
    this.stat = new StatFile(this.procPath('stat'), this.files)
  }

  procPath(name: string): string {
    return join(this.#procPath, name)
  }

  sysPath(name: string): string {
    return join(this.#sysPath, name)
  }

  rootfsPath(name: string): string {
    return join(this.#rootfsPath, name)
  }

  udevDataPath(name: string): string {
    return join(this.#udevDataPath, name)
  }

  /** A mount point as seen from inside the root file system that `--path.rootfs` names. */
  stripRootfs(path: string): string {
    const root = this.#rootfsPath
    if (root === '/' || !path.startsWith(root)) return path
    const stripped = path.slice(root.length)
    return stripped === '' ? '/' : stripped
  }
}

export const pathFlags: readonly FlagSpec[] = [
  { name: 'path.procfs', type: 'string', default: '/proc', help: 'procfs mountpoint.' },
  { name: 'path.sysfs', type: 'string', default: '/sys', help: 'sysfs mountpoint.' },
  { name: 'path.rootfs', type: 'string', default: '/', help: 'rootfs mountpoint.' },
  { name: 'path.udev.data', type: 'string', default: '/run/udev/data', help: 'udev data path.' },
]

function join(directory: string, name: string): string {
  if (name.startsWith('/')) name = name.slice(1)
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`
}
