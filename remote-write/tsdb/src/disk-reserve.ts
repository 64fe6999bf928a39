import { rmSync, statSync, statfsSync, truncateSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

export const reserveFileName = 'disk-reserve'
export const reserveBytesDefault = 64 * 1024 * 1024
const reserveShareDefault = 0.01
const pieceBytes = 1024 * 1024

/** 64 MiB, or a hundredth of the file system if that is less. The directory need not be there yet. */
export function defaultReserveBytes(directory: string): number {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      const { blocks, bsize } = statfsSync(path)
      return Math.min(reserveBytesDefault, Math.floor(blocks * bsize * reserveShareDefault))
    } catch {
      if (path === dirname(path)) return reserveBytesDefault
    }
  }
}

/** Whether the system said that there is no room: no blocks left, or none of the user's quota. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT') return true
  }
  return false
}

/**
 * A file of written zeros that is given up when the disk is full, so that what makes room (a compaction, a checkpoint) can still be
 * finished. It holds nothing that anybody reads.
 */
export class DiskReserve {
  readonly path: string
  readonly bytesMax: number
  #bytes = 0
  /** Counts the releases: a filling that is under way has to end then. */
  #releases = 0
  #isStopped = false

  constructor(path: string, bytesMax: number) {
    this.path = path
    this.bytesMax = bytesMax
  }

  /** Takes over the file that is there; to be called by who has the directory. One that is not wanted is removed. */
  takeOver(): void {
    try {
      const { size, blocks } = statSync(this.path)
      // A copy may have holes where zeros were.
      if (this.bytesMax === 0 || (process.platform !== 'win32' && blocks * 512 < size)) rmSync(this.path)
      else {
        if (size > this.bytesMax) truncateSync(this.path, this.bytesMax)
        this.#bytes = Math.min(size, this.bytesMax)
      }
    } catch {
      // It is not there, or not ours to change: then there is no reserve until it can be written.
    }
  }

  /** Bytes that it has now. */
  get bytes(): number {
    return this.#bytes
  }

  get missingBytes(): number {
    return this.bytesMax - this.#bytes
  }

  /** Gives all of it up, at once. */
  release(): void {
    this.#releases++
    this.#bytes = 0
    try {
      truncateSync(this.path, 0)
    } catch {
      // There is none.
    }
  }

  /** Ends a filling that is under way: what it has written stays. There is no other after it. */
  stop(): void {
    this.#isStopped = true
  }

  /**
   * Writes what is missing, and `probeBytes` more that are taken away again: when it resolves the disk takes that much. Rejects with
   * the system's error, and the file is then as it was.
   */
  async fill(probeBytes: number): Promise<void> {
    const releases = this.#releases
    const before = this.#bytes
    const file = await open(this.path, this.#bytes === 0 ? 'w' : 'r+')
    let kept = before
    try {
      const end = this.bytesMax + probeBytes
      let at = before
      while (at < end && releases === this.#releases && !this.#isStopped) {
        at += (await file.write(zeros, 0, Math.min(zeros.length, end - at), at)).bytesWritten
      }
      // Where blocks are given out late, only this tells whether there are enough.
      await file.datasync()
      kept = Math.min(at, this.bytesMax)
    } finally {
      const isReleased = releases !== this.#releases
      await file.truncate(isReleased ? 0 : kept).catch(() => undefined)
      await file.close()
      if (!isReleased) this.#bytes = kept
    }
    if (this.bytesMax === 0) rmSync(this.path, { force: true })
  }
}

const zeros = new Uint8Array(pieceBytes)
