import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { chunkEntryBytes, entryStartBytes, readChunkEntry } from './chunk-entry.ts'
import type { HeadChunk } from './chunk-entry.ts'
import { HeadChunkError, headChunkFileName } from './head-chunk-format.ts'
import type { HeadChunkPlace } from './head-chunk-format.ts'

const filesOpenMax = 16
/** Most chunks are read by one call of this many bytes. */
const firstReadBytes = 2048

/**
 * Reads chunks by their place, for queries. Reads are synchronous: it belongs into a query worker, one for each thread. At most
 * 16 files are open at a time; one that `truncate` has deleted is still read while it is open.
 */
export class HeadChunkReader {
  readonly #directory: string
  /** The file used last is the last. */
  readonly #open = new Map<number, number>()
  #buffer = new Uint8Array(firstReadBytes)

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * The chunk at this place; `data` is valid until the next read. Throws `HeadChunkError` if there is none, or a damaged one, and
   * the system's error if the file is gone (`ENOENT`).
   */
  read(place: HeadChunkPlace): HeadChunk {
    const { file, offset } = place
    const path = join(this.#directory, headChunkFileName(file))
    const fd = this.#fileOf(file, path)
    let length = readSync(fd, this.#buffer, 0, this.#buffer.length, offset)
    const count = chunkEntryBytes(path, offset, this.#buffer, 0, Math.min(length, entryStartBytes))
    if (count === 0) throw new HeadChunkError(path, offset, 'no chunk begins there')
    if (count > this.#buffer.length) {
      const larger = new Uint8Array(count)
      larger.set(this.#buffer.subarray(0, length))
      this.#buffer = larger
    }
    while (length < count) {
      const more = readSync(fd, this.#buffer, length, count - length, offset + length)
      if (more === 0) throw new HeadChunkError(path, offset, `want ${count} bytes, got ${length}`)
      length += more
    }
    return readChunkEntry(path, file, offset, this.#buffer, 0, count)
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }

  #fileOf(file: number, path: string): number {
    let fd = this.#open.get(file)
    if (fd === undefined) {
      fd = openSync(path, 'r')
      for (const [oldest, oldestFd] of this.#open) {
        if (this.#open.size < filesOpenMax) break
        closeSync(oldestFd)
        this.#open.delete(oldest)
      }
    } else this.#open.delete(file)
    this.#open.set(file, fd)
    return fd
  }
}
