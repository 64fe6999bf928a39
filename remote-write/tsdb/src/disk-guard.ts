import { statfs } from 'node:fs/promises'
import type { Logger } from '@narthex/service/logger'
import { isDiskFull } from './disk-reserve.ts'
import type { DiskReserve } from './disk-reserve.ts'

/** Writes stop below half of the reserve, but not below this. */
const stopBytesMin = 1024 * 1024
const probeBytesMax = 1024 * 1024
const checkEveryMs = 1000
/** What a sender is told to wait: by then a disk that has room again has been seen. */
export const retryAfterSeconds = 5

/** There is no room on the disk: nothing was written, and the same may be tried again after `retryAfterSeconds`. */
export class DiskFullError extends Error {
  override name = 'DiskFullError'
  readonly retryAfterSeconds = retryAfterSeconds
}

export interface DiskGuardOptions {
  /** The data directory. */
  readonly directory: string
  readonly reserve: DiskReserve
  readonly log: Logger
  /** Bytes that may still be written; default: of the directory's file system. Infinity where that cannot be told. */
  readonly freeBytes?: () => Promise<number>
  readonly now?: () => number
}

/**
 * Looks every second at how much room the disk has. Below a mark, and after a write that failed for want of room, the storage is read-only:
 * writes are refused, queries go on, and work that makes room gets the reserve. When there is room for the reserve and twice the mark, and
 * the disk takes the bytes, writes are taken again.
 */
export class DiskGuard {
  /** Called when writes are refused from now on: for what makes room. */
  onReadOnly: () => void = () => {}
  /** At the last look. */
  freeBytes = Infinity
  timesFull = 0
  writesRefused = 0
  readonly reserve: DiskReserve
  readonly #options: DiskGuardOptions
  readonly #stopBelowBytes: number
  #refusal: string | undefined
  #fullSinceMs = 0
  #working = 0
  #checking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: DiskGuardOptions) {
    this.#options = options
    this.reserve = options.reserve
    this.#stopBelowBytes = Math.max(stopBytesMin, Math.floor(options.reserve.bytesMax / 2))
  }

  get isReadOnly(): boolean {
    return this.#refusal !== undefined
  }

  /** Why nothing may be written now, if so; each asking that is refused is counted. */
  refusal(): string | undefined {
    if (this.#refusal !== undefined) this.writesRefused++
    return this.#refusal
  }

  /** Looks now and then every second, which keeps no process alive. */
  start(): void {
    this.#timer = setInterval(() => void this.check(), checkEveryMs)
    this.#timer.unref()
    void this.check()
  }

  /** After it no file is touched any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.reserve.stop()
    await this.#checking
  }

  /** To be told of every failed write: after one for want of room nothing is taken until there is some. */
  noteFailure(cause: unknown): void {
    if (isDiskFull(cause)) this.#refuse(cause instanceof Error ? cause.message : String(cause))
  }

  /** Gives up the reserve if there is no other room, for what makes some. */
  makeRoom(): void {
    if (this.isReadOnly) this.reserve.release()
  }

  /** Runs what makes room, or must be finished: the reserve is its, if there is no other room, also when that shows on the way. */
  async work<T>(run: () => Promise<T>): Promise<T> {
    this.#working++
    this.makeRoom()
    try {
      return await run()
    } finally {
      this.#working--
    }
  }

  /** Whether so much can be written without coming near the mark. */
  hasRoomFor(bytes: number): boolean {
    return !this.isReadOnly && this.freeBytes - bytes >= 2 * this.#stopBelowBytes
  }

  /** One look. Never rejects. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined))
    return this.#checking
  }

  async #check(): Promise<void> {
    this.freeBytes = await this.#readFreeBytes()
    if (this.freeBytes < this.#stopBelowBytes) return this.#refuse(`${this.freeBytes} bytes are free`)
    const isWhole = this.reserve.missingBytes === 0
    if (!this.isReadOnly && isWhole) return
    if (this.freeBytes < this.reserve.missingBytes + 2 * this.#stopBelowBytes) return
    try {
      await this.reserve.fill(Math.min(probeBytesMax, this.#stopBelowBytes))
    } catch (error) {
      return this.noteFailure(error)
    }
    this.#takeAgain()
  }

  async #readFreeBytes(): Promise<number> {
    const { directory, freeBytes } = this.#options
    if (freeBytes !== undefined) return freeBytes()
    try {
      const { bavail, bsize } = await statfs(directory)
      return bavail * bsize
    } catch {
      return Infinity
    }
  }

  #refuse(reason: string): void {
    if (this.isReadOnly) return
    const { directory, log, now = Date.now } = this.#options
    this.#refusal = `no room on the disk of ${directory}: writes are refused until there is`
    this.#fullSinceMs = now()
    this.timesFull++
    log.error('No room on the disk: writes are refused until there is, queries are answered', {
      dir: directory,
      reason,
      want: this.#stopBelowBytes,
      reserve: this.reserve.bytes,
    })
    if (this.#working > 0) this.reserve.release()
    this.onReadOnly()
  }

  #takeAgain(): void {
    if (!this.isReadOnly) return
    const { directory, log, now = Date.now } = this.#options
    this.#refusal = undefined
    const seconds = (now() - this.#fullSinceMs) / 1000
    log.info('There is room on the disk again: writes are taken', { dir: directory, free: this.freeBytes, after: `${seconds.toFixed(1)}s` })
  }
}
