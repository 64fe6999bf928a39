import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import { systemErrorCode, type FileReader } from '@narthex/exporter-kit/file-reader'
import { existsSync } from 'node:fs'

/** Sets of controllers that are told apart; more share one set without memory. */
const groupsMax = 64

/**
 * Files of cgroups. Which of them are there depends on the kernel and on the controllers of the cgroup, and a failed open costs three times
 * a read: what one cgroup of a group does not have, the others are not asked for.
 */
export class CgroupFiles {
  readonly files: FileReader
  readonly scanner: ByteScanner
  readonly #missing = new Map<string, Set<string>>()
  #directory = ''
  #known: Set<string> | undefined

  constructor(files: FileReader, scanner: ByteScanner) {
    this.files = files
    this.scanner = scanner
  }

  /** Moves to a cgroup; cgroups of one `group` have the same files. */
  enter(directory: string, group: string): void {
    this.#directory = directory
    this.#known = this.#missing.get(group)
    if (this.#known !== undefined || this.#missing.size >= groupsMax) return
    this.#known = new Set()
    this.#missing.set(group, this.#known)
  }

  /** The file's bytes, valid until the next read; undefined if it cannot be had. */
  read(name: string): Buffer | undefined {
    if (this.#known?.has(name) === true) return undefined
    try {
      return this.files.read(`${this.#directory}/${name}`)
    } catch (error) {
      const code = systemErrorCode(error)
      if (code === undefined) throw error
      // A cgroup that is gone has no files either, and that says nothing of the others.
      if (code === 'ENOENT' && existsSync(this.#directory)) this.#known?.add(name)
      return undefined
    }
  }

  /** Puts the scanner before the file's first line; false if the file cannot be had. */
  scan(name: string): boolean {
    const bytes = this.read(name)
    if (bytes === undefined) return false
    this.scanner.load(bytes)
    return true
  }

  /** The number that the file begins with, `Infinity` for `max`, NaN if there is none. */
  number(name: string): number {
    if (!this.scan(name) || !this.scanner.nextLine() || !this.scanner.nextField()) return NaN
    return this.scanner.fieldIs('max') ? Infinity : this.scanner.unsigned()
  }

  /** As `number`, but 0 if there is none. */
  numberOrZero(name: string): number {
    const value = this.number(name)
    return Number.isNaN(value) ? 0 : value
  }
}
