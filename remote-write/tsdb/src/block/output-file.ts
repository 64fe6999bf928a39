import { close, closeSync, fsync, openSync, readSync, writeSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { syncDirectory } from '@narthex/service/sync-directory'
import { BlockError, asBlockError } from './block-error.ts'

export const outputBufferBytes = 1024 * 1024
const syncFile = promisify(fsync)
const closeFile = promisify(close)
const zeros = new Uint8Array(16)

/**
 * A new file that grows at its end through a buffer of 1 MiB. Writes are synchronous and belong into threads that may wait for the
 * disk; fsync is not.
 */
export class OutputFile {
  readonly path: string
  /** Bytes written, those in the buffer included. */
  position = 0
  readonly #fd: number
  readonly #buffer: Uint8Array
  #buffered = 0
  #isOpen = true

  /** Throws if there is such a file already. A buffer may be given again once the file that had it is finished or abandoned. */
  constructor(path: string, buffer: Uint8Array = new Uint8Array(outputBufferBytes)) {
    this.path = path
    this.#buffer = buffer
    this.#fd = this.#try(() => openSync(path, 'wx+'))
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > this.#buffer.length - this.#buffered) {
      this.flush()
      if (bytes.length >= this.#buffer.length) {
        this.#writeAll(bytes, bytes.length, this.position)
        this.position += bytes.length
        return
      }
    }
    this.#buffer.set(bytes, this.#buffered)
    this.#buffered += bytes.length
    this.position += bytes.length
  }

  /** Zeros up to the next multiple of `alignment`, at most 16. */
  pad(alignment: number): void {
    const over = this.position % alignment
    if (over > 0) this.write(zeros.subarray(0, alignment - over))
  }

  flush(): void {
    this.#writeAll(this.#buffer, this.#buffered, this.position - this.#buffered)
    this.#buffered = 0
  }

  /** Fills `into` with what was written before. */
  readInto(into: Uint8Array, offset: number): void {
    if (offset + into.length > this.position - this.#buffered) this.flush()
    this.#try(() => {
      for (let filled = 0; filled < into.length;) {
        const count = readSync(this.#fd, into, filled, into.length - filled, offset + filled)
        if (count === 0) throw BlockError.damage(this.path, offset + filled, 'want what was written, got the end of the file')
        filled += count
      }
    })
  }

  /** When it resolves the file's bytes survive a power cut; its name does once the directory is synced too. Nothing may follow. */
  async finish(): Promise<void> {
    this.#isOpen = false
    try {
      this.flush()
      await syncFile(this.#fd)
    } catch (cause) {
      if (cause instanceof BlockError) throw cause
      throw new BlockError('write', this.path, this.position, 'fsync failed', { cause })
    } finally {
      await closeFile(this.#fd)
    }
  }

  /** Closes without syncing, for a file that will be deleted; does nothing if it is closed. */
  abandon(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.#fd)
  }

  #writeAll(bytes: Uint8Array, length: number, position: number): void {
    this.#try(() => {
      for (let written = 0; written < length;) written += writeSync(this.#fd, bytes, written, length - written, position + written)
    })
  }

  #try<T>(action: () => T): T {
    try {
      return action()
    } catch (cause) {
      if (cause instanceof BlockError) throw cause
      throw new BlockError('write', this.path, this.position, cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }
}

/** When it resolves the names in the directory survive a power cut. */
export async function syncBlockDirectory(directory: string): Promise<void> {
  try {
    await syncDirectory(directory)
  } catch (cause) {
    throw asBlockError(directory, 0, cause)
  }
}

/** Replaces a small file of a block; when it resolves the new one survives a power cut. Before that either the old or the new one stands there. */
export async function replaceBlockFile(directory: string, name: string, content: string | Uint8Array): Promise<void> {
  const path = join(directory, name)
  const temporary = `${path}.tmp`
  try {
    const file = await open(temporary, 'w')
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw new BlockError('write', path, 0, cause instanceof Error ? cause.message : String(cause), { cause })
  }
  await syncBlockDirectory(directory)
}
