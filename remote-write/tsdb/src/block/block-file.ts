import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { BlockError, asBlockError } from './block-error.ts'
import { pageBytes } from './page-cache.ts'
import type { CachedFile, PageCache } from './page-cache.ts'

/** Longer ranges are read past the cache: they would push out what small reads come back to. */
const cachedBytesMax = 256 * 1024

/** A file of a block, open for reading; its size is that at opening. Every error is a `BlockError`. */
export class BlockFile {
  readonly path: string
  readonly size: number
  readonly #cache: PageCache
  readonly #file: CachedFile
  #isOpen = true

  private constructor(path: string, cache: PageCache, file: CachedFile) {
    this.path = path
    this.size = file.size
    this.#cache = cache
    this.#file = file
  }

  static open(path: string, cache: PageCache): BlockFile {
    let fd = -1
    try {
      fd = openSync(path, 'r')
      return new BlockFile(path, cache, cache.addFile(fd, fstatSync(fd).size))
    } catch (cause) {
      if (fd >= 0) closeSync(fd)
      throw asBlockError(path, 0, cause)
    }
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#cache.removeFile(this.#file)
    closeSync(this.#file.fd)
  }

  /** Valid until the next call for any file of the same cache: to be read at once. */
  view(offset: number, length: number): Uint8Array {
    this.check(offset, length)
    if (length > cachedBytesMax) return this.#readDirect(offset, length)
    // There is no page behind the end of the file.
    if (length === 0) return new Uint8Array(0)
    const first = Math.floor(offset / pageBytes)
    const start = offset - first * pageBytes
    if (start + length <= pageBytes) return this.#page(first, 1).subarray(start, start + length)
    const bytes = new Uint8Array(length)
    const pages = Math.ceil((start + length) / pageBytes)
    for (let i = 0, filled = 0; i < pages; i++) {
      const from = i === 0 ? start : 0
      const part = this.#page(first + i, pages - i).subarray(from, Math.min(pageBytes, from + length - filled))
      bytes.set(part, filled)
      filled += part.length
    }
    return bytes
  }

  /** What is left of the page at `offset`, but at least `least` bytes if the file has them; valid as a view is. */
  viewRest(offset: number, least: number): Uint8Array {
    this.check(offset, 0)
    const page = Math.floor(offset / pageBytes)
    const length = Math.min((page + 1) * pageBytes, this.size) - offset
    return this.view(offset, Math.min(Math.max(length, least), this.size - offset))
  }

  /** Whether the `length` bytes at `offset`, which were viewed last, lie in one page and were found right before: see `PageCache.wasChecked`. */
  wasChecked(offset: number, length: number): boolean {
    const start = offset % pageBytes
    return start + length <= pageBytes && this.#cache.wasChecked(start)
  }

  /** Of bytes that were viewed last and are right. */
  markChecked(offset: number, length: number): void {
    const start = offset % pageBytes
    if (start + length <= pageBytes) this.#cache.markChecked(start)
  }

  /** Fills `into` from the file without the cache, for walks over all of it. */
  readInto(into: Uint8Array, offset: number): void {
    this.check(offset, into.length)
    try {
      for (let filled = 0; filled < into.length;) {
        const count = readSync(this.#file.fd, into, filled, into.length - filled, offset + filled)
        if (count === 0)
          throw BlockError.damage(this.path, offset + filled, `want ${into.length - filled} more bytes, got the end of the file`)
        filled += count
      }
    } catch (cause) {
      throw asBlockError(this.path, offset, cause)
    }
  }

  /** Throws if the file has no such range. */
  check(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.size) return
    throw BlockError.damage(this.path, offset, `want ${length} bytes, got a file of ${this.size}`)
  }

  #readDirect(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.readInto(bytes, offset)
    return bytes
  }

  #page(page: number, wanted: number): Uint8Array {
    let bytes: Uint8Array | undefined
    try {
      bytes = this.#cache.page(this.#file, page, wanted)
    } catch (cause) {
      throw asBlockError(this.path, page * pageBytes, cause)
    }
    if (bytes === undefined) throw BlockError.damage(this.path, page * pageBytes, `want a file of ${this.size} bytes, got a shorter one`)
    return bytes
  }
}
