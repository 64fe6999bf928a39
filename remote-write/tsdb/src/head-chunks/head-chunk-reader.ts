import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { pageBytes, PageCache } from '../block/page-cache.ts'
import type { CachedFile } from '../block/page-cache.ts'
import type { StoredPlace } from '../chunk/open-chunk.ts'
import { viewChunkData } from './chunk-entry.ts'
import type { HeadChunk } from './chunk-entry.ts'
import { HeadChunkError, headChunkFileName } from './head-chunk-format.ts'

const cacheBytesDefault = 16 * 1024 * 1024

interface OpenFile {
  readonly path: string
  readonly fd: number
  /** The whole pages that are known to be there: they do not change any more. */
  readonly pages: CachedFile
}

/** Reads chunks by their place, for queries: one for each thread, which waits for the disk. Files stay open until `closeBefore` or `close`. */
export class HeadChunkReader {
  readonly #directory: string
  readonly #cache: PageCache
  readonly #files = new Map<number, OpenFile>()
  #buffer = new Uint8Array(4096)

  constructor(directory: string, cacheBytesMax = cacheBytesDefault) {
    this.#directory = directory
    this.#cache = new PageCache(cacheBytesMax)
  }

  /**
   * The chunk at this place; `data` is valid until the next read. Throws `HeadChunkError` if there is none, or a damaged one, and
   * the system's error if the file is gone (`ENOENT`).
   */
  read({ file, offset, bytes }: StoredPlace): Pick<HeadChunk, 'encoding' | 'data'> {
    const opened = this.#files.get(file) ?? this.#open(file)
    const view = this.#view(opened, offset, bytes)
    const start = offset % pageBytes
    const isInPage = offset + bytes <= opened.pages.size && start + bytes <= pageBytes
    if (isInPage && this.#cache.wasChecked(start)) return viewChunkData(opened.path, offset, view, true)
    const chunk = viewChunkData(opened.path, offset, view)
    if (isInPage) this.#cache.markChecked(start)
    return chunk
  }

  /** Files of lower numbers are not asked for any more. */
  closeBefore(file: number): void {
    for (const [number, { fd, pages }] of this.#files) {
      if (number >= file) continue
      this.#files.delete(number)
      this.#cache.removeFile(pages)
      closeSync(fd)
    }
  }

  close(): void {
    this.closeBefore(Infinity)
  }

  #open(file: number): OpenFile {
    const path = join(this.#directory, headChunkFileName(file))
    const fd = openSync(path, 'r')
    const opened = { path, fd, pages: this.#cache.addFile(fd, 0) }
    this.#files.set(file, opened)
    return opened
  }

  #view(file: OpenFile, offset: number, length: number): Uint8Array {
    const { pages, fd } = file
    if (offset + length > pages.size) pages.size = Math.floor(fstatSync(fd).size / pageBytes) * pageBytes
    const first = Math.floor(offset / pageBytes)
    const start = offset - first * pageBytes
    if (offset + length <= pages.size && start + length <= pageBytes) {
      return this.#page(file, first, 1).subarray(start, start + length)
    }
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(2 * length)
    const bytes = this.#buffer.subarray(0, length)
    if (offset + length > pages.size) {
      readWhole(file, bytes, offset)
      return bytes
    }
    for (let page = first, filled = 0; filled < length; page++) {
      const from = page === first ? start : 0
      const part = this.#page(file, page, Math.ceil((length - filled) / pageBytes)).subarray(from, from + length - filled)
      bytes.set(part, filled)
      filled += part.length
    }
    return bytes
  }

  #page({ path, pages }: OpenFile, page: number, wanted: number): Uint8Array {
    const bytes = this.#cache.page(pages, page, wanted)
    if (bytes === undefined) throw new HeadChunkError(path, page * pageBytes, `want a page of ${pageBytes} bytes, got the end of the file`)
    return bytes
  }
}

/** The end of a file that grows. */
function readWhole({ path, fd }: OpenFile, into: Uint8Array, offset: number): void {
  for (let filled = 0; filled < into.length;) {
    const count = readSync(fd, into, filled, into.length - filled, offset + filled)
    if (count === 0) throw new HeadChunkError(path, offset, `want ${into.length} bytes, got ${filled}`)
    filled += count
  }
}
