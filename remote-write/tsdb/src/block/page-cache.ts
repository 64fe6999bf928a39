import { readvSync } from 'node:fs'

export const pageBytes = 16 * 1024
export const cacheBytesDefault = 64 * 1024 * 1024

// One read of neighbouring pages fetches at most so many; a cache has room for several reads, so that one never pushes out its own pages.
const pagesPerReadMax = 16
const cachePagesMin = 4 * pagesPerReadMax
// Pages that are fetched at once when a file is read in order.
const readAheadPages = 8
const pageSpan = 2 ** 32
// Pages are taken from the system so many at a time: a piece of 1 MiB is its own again when the cache is dropped, as that of a thread that ends is.
// Single pages would lie among other small pieces and leave holes there.
const pagesPerPiece = 64
const noKey = -1

/** What the cache must know of a file; `lastPage` belongs to the cache. Of a file that grows, `size` is that of its whole pages. */
export interface CachedFile {
  readonly id: number
  readonly fd: number
  size: number
  lastPage: number
}

/**
 * Pages of 16 KiB of any number of open files, at most `bytesMax` of them (but not below 1 MiB), filled by synchronous reads: one per
 * thread, in threads that may wait for the disk. Which page goes is decided by a clock: those used since the hand last came by stay. A sixteenth more
 * is taken where checksums are remembered.
 */
export class PageCache {
  readonly bytesMax: number
  readonly #pagesMax: number
  readonly #pages: Uint8Array[] = []
  readonly #keys: Float64Array
  readonly #used: Uint8Array
  readonly #slots = new Map<number, number>()
  readonly #freeIds: number[] = []
  readonly #run: Uint8Array[] = []
  #piece = new Uint8Array(0)
  /** By page and sixteen bytes of it: 1 + the place in these where something begins that was checked. Nothing before the first `markChecked`. */
  #checked = new Uint8Array(0)
  #lastSlot = 0
  #nextId = 0
  #hand = 0
  /** Slots before this one have nothing since all was forgotten. */
  #unused = 0
  /** Reads of the disk, and pages asked for. */
  reads = 0
  lookups = 0

  /** The memory is taken as it is needed, and kept. */
  constructor(bytesMax = cacheBytesDefault) {
    this.#pagesMax = Math.max(cachePagesMin, Math.floor(bytesMax / pageBytes))
    this.bytesMax = this.#pagesMax * pageBytes
    this.#keys = new Float64Array(this.#pagesMax).fill(noKey)
    this.#used = new Uint8Array(this.#pagesMax)
  }

  /** Bytes that the pages take now. */
  get bytes(): number {
    return this.#pages.length * pageBytes
  }

  addFile(fd: number, size: number): CachedFile {
    return { id: this.#freeIds.pop() ?? this.#nextId++, fd, size, lastPage: -2 }
  }

  /** Forgets the file's pages; its id may be given out again. */
  removeFile(file: CachedFile): void {
    for (let slot = 0; slot < this.#pages.length; slot++) {
      const key = this.#keys[slot]!
      if (key === noKey || Math.floor(key / pageSpan) !== file.id) continue
      this.#slots.delete(key)
      this.#keys[slot] = noKey
      this.#used[slot] = 0
    }
    this.#freeIds.push(file.id)
  }

  /** Forgets all pages, as if nothing had been read; their memory is kept for the next ones. */
  forgetPages(): void {
    this.#slots.clear()
    this.#keys.fill(noKey)
    this.#used.fill(0)
    this.#checked.fill(0)
    this.#unused = this.#pages.length
  }

  /**
   * Page `page` of the file, valid until the next call. Of the `wanted` pages from it that are not here, neighbours are fetched by one
   * read. Undefined if the file has become shorter.
   */
  page(file: CachedFile, page: number, wanted = 1): Uint8Array | undefined {
    this.lookups++
    const slot = this.#slots.get(file.id * pageSpan + page)
    if (slot !== undefined) {
      this.#used[slot] = 1
      this.#lastSlot = slot
      return this.#pages[slot]!
    }
    return this.#fetch(file, page, page === file.lastPage + 1 ? Math.max(wanted, readAheadPages) : wanted)
  }

  /**
   * Whether what begins at `offset` of the page that was given last, and ends in it, was found right before: its bytes are those that were read
   * then. Of things that begin less than sixteen bytes apart only the last one is known.
   */
  wasChecked(offset: number): boolean {
    return this.#checked.length > 0 && this.#checked[(this.#lastSlot * pageBytes + offset) >>> 4] === (offset & 15) + 1
  }

  markChecked(offset: number): void {
    if (this.#checked.length === 0) this.#checked = new Uint8Array((this.#pagesMax * pageBytes) >>> 4)
    this.#checked[(this.#lastSlot * pageBytes + offset) >>> 4] = (offset & 15) + 1
  }

  #fetch(file: CachedFile, first: number, wanted: number): Uint8Array | undefined {
    const end = Math.min(first + Math.min(wanted, pagesPerReadMax), Math.ceil(file.size / pageBytes))
    const run = this.#run
    run.length = 0
    let page = first
    const keyOfFirst = file.id * pageSpan + first
    for (; page < end && !this.#slots.has(keyOfFirst + page - first); page++) run.push(this.#takeSlot(keyOfFirst + page - first))
    file.lastPage = page - 1
    const expected = Math.min(file.size, page * pageBytes) - first * pageBytes
    this.reads++
    let count = 0
    try {
      count = readvSync(file.fd, run, first * pageBytes)
    } finally {
      // What was not read must not be found later.
      if (count < expected) for (let i = first; i < page; i++) this.#forget(keyOfFirst + i - first)
    }
    if (count < expected) return undefined
    this.#lastSlot = this.#slots.get(keyOfFirst)!
    return run[0]!
  }

  #takeSlot(key: number): Uint8Array {
    let slot = this.#pages.length
    if (this.#unused > 0) slot = --this.#unused
    else if (slot < this.#pagesMax) this.#pages.push(this.#newPage(slot))
    else {
      while (this.#used[this.#hand] === 1) {
        this.#used[this.#hand] = 0
        this.#hand = (this.#hand + 1) % this.#pagesMax
      }
      slot = this.#hand
      this.#hand = (slot + 1) % this.#pagesMax
      if (this.#keys[slot] !== noKey) this.#slots.delete(this.#keys[slot]!)
      this.#checked.fill(0, (slot * pageBytes) >>> 4, ((slot + 1) * pageBytes) >>> 4)
    }
    this.#keys[slot] = key
    this.#used[slot] = 1
    this.#slots.set(key, slot)
    return this.#pages[slot]!
  }

  #newPage(slot: number): Uint8Array {
    const place = slot % pagesPerPiece
    if (place === 0) this.#piece = new Uint8Array(Math.min(pagesPerPiece, this.#pagesMax - slot) * pageBytes)
    return this.#piece.subarray(place * pageBytes, (place + 1) * pageBytes)
  }

  #forget(key: number): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    this.#keys[slot] = noKey
    this.#used[slot] = 0
  }
}
