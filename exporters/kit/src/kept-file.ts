import { closeSync, openSync, readSync } from 'node:fs'

/**
 * A file of the kernel about this process that is read again and again: it stays open, so that a read is one call, and the kernel keeps what it
 * prints it into. Half of what opening it each time takes. Not for files that grow beyond the buffer.
 */
export class KeptFile {
  readonly #path: string
  readonly #buffer: Buffer
  #descriptor = -1

  constructor(path: string, bytesMax: number) {
    this.#path = path
    this.#buffer = Buffer.allocUnsafeSlow(bytesMax)
  }

  /** The file's bytes, valid until the next read; undefined if it cannot be read or has more than the buffer holds. */
  read(): Buffer | undefined {
    try {
      if (this.#descriptor < 0) this.#descriptor = openSync(this.#path, 'r')
      // These files print themselves anew when they are read from their beginning, and whole into a buffer that is large enough.
      const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0)
      return length < this.#buffer.length ? this.#buffer.subarray(0, length) : undefined
    } catch {
      this.close()
      return undefined
    }
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor)
    this.#descriptor = -1
  }
}
