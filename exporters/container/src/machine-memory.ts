import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { FileReader } from '@narthex/exporter-kit/file-reader'
import type { HostPaths } from './host-paths.ts'
import { KeyTable } from './key-table.ts'

const keys = new KeyTable({ 'MemTotal:': 0, 'SwapTotal:': 1, 'SwapFree:': 2 })
const bytesPerKilobyte = 1024

/** The machine's memory, from /proc/meminfo. */
export class MachineMemory {
  readonly #path: string
  readonly #files: FileReader
  readonly #scanner: ByteScanner
  readonly #values = new Float64Array(3)

  constructor(paths: HostPaths, files: FileReader, scanner: ByteScanner) {
    this.#path = paths.local('/proc/meminfo')
    this.#files = files
    this.#scanner = scanner
  }

  /** Throws if the file cannot be read. */
  read(): void {
    this.#scanner.load(this.#files.read(this.#path))
    keys.readInto(this.#scanner, this.#values)
  }

  get totalBytes(): number {
    return this.#values[0]! * bytesPerKilobyte
  }

  get swapTotalBytes(): number {
    return this.#values[1]! * bytesPerKilobyte
  }

  get swapFreeBytes(): number {
    return this.#values[2]! * bytesPerKilobyte
  }
}
