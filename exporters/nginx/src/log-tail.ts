import { constants } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'

/** Longest line; the rest of a longer one is skipped. */
export const lineBytesMax = 64 * 1024
/** Bytes before the place of reading that must still be there: else the file was cut and has grown again. */
const witnessBytes = 32
const chunkBytes = 4 * lineBytesMax
/** Bytes that a reading takes at once, in a buffer that several logs may share if they are read one after the other. */
export const readBufferBytes = chunkBytes + witnessBytes
/** A file that was renamed is read until nothing has come for so long: NGINX writes to it until it is told to reopen its logs. */
export const retireMs = 60_000
/** Renamed files that are still read; the oldest gives way. */
const retiredMax = 4

/** Takes whole lines: `bytes[start, end)` without the line feed. */
export type LineSink = (bytes: Buffer, start: number, end: number) => void

export interface LogTailOptions {
  readonly path: string
  readonly onLine: LineSink
  /** A line that was too long; only its beginning is known. */
  readonly onLongLine: () => void
  /** False for a file that is read from its beginning, though it is there already. */
  readonly startsAtEnd?: boolean
  /** Of `readBufferBytes`; default: one of its own. */
  readonly buffer?: Buffer
  /** Monotonic clock. */
  readonly nowMs?: () => number
}

interface OpenLog {
  readonly handle: FileHandle
  /** Device and number of the file. */
  readonly identity: string
  /** Where the next line begins, or the next part of one that is skipped. */
  offset: number
  /** Up to the next line feed nothing counts: the line is too long, or reading began in the middle of it. */
  isSkipping: boolean
  witness: Buffer
  grewAtMs: number
}

/**
 * Follows a log file across rotation. Reading begins at the end of a file that is there at the start, and at the beginning of one that
 * comes later. A file that was renamed is read on, beside the new one; one that was copied and cut (`copytruncate`) is read from its
 * beginning. One `poll` at a time, one file operation at a time: what hangs costs one thread.
 */
export class LogTail {
  readonly #path: string
  readonly #onLine: LineSink
  readonly #onLongLine: () => void
  readonly #nowMs: () => number
  readonly #buffer: Buffer
  #current: OpenLog | undefined
  #retired: OpenLog[] = []
  #isFirst: boolean

  /** Times that a file was renamed or cut. */
  rotations = 0

  constructor(options: LogTailOptions) {
    this.#path = options.path
    this.#onLine = options.onLine
    this.#onLongLine = options.onLongLine
    this.#buffer = options.buffer ?? Buffer.allocUnsafeSlow(readBufferBytes)
    this.#isFirst = options.startsAtEnd ?? true
    this.#nowMs = options.nowMs ?? (() => performance.now())
  }

  get isOpen(): boolean {
    return this.#current !== undefined
  }

  /** Reads what has come. Rejects when the file cannot be opened or read; the next call tries again. */
  async poll(): Promise<void> {
    for (const log of [...this.#retired]) {
      await this.#drain(log)
      if (this.#nowMs() - log.grewAtMs >= retireMs) await this.#close(log)
    }
    if (this.#current !== undefined) {
      await this.#drain(this.#current)
      const identity = await this.#findIdentity()
      // A file that is gone for a moment, or for good, is still open here.
      if (identity === undefined || identity === this.#current.identity) return
      this.rotations++
      this.#retired.push(this.#current)
      this.#current = undefined
      if (this.#retired.length > retiredMax) await this.#close(this.#retired[0]!)
    }
    const isFirst = this.#isFirst
    try {
      this.#current = await this.#open(isFirst)
    } catch (error) {
      // What comes later is new from its first line on.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#isFirst = false
      throw error
    }
    this.#isFirst = false
    if (!isFirst) await this.#drain(this.#current)
  }

  async close(): Promise<void> {
    const logs = [...this.#retired, ...(this.#current === undefined ? [] : [this.#current])]
    this.#retired = []
    this.#current = undefined
    await Promise.all(logs.map(({ handle }) => handle.close()))
  }

  async #findIdentity(): Promise<string | undefined> {
    try {
      return identityOf(await stat(this.#path, { bigint: true }))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  async #open(atEnd: boolean): Promise<OpenLog> {
    // A pipe would block until somebody writes.
    const handle = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const status = await handle.stat({ bigint: true })
      if (!status.isFile()) throw new Error(`cannot follow ${this.#path}: want a regular file`)
      const log: OpenLog = {
        handle,
        identity: identityOf(status),
        offset: 0,
        isSkipping: false,
        witness: Buffer.alloc(0),
        grewAtMs: this.#nowMs(),
      }
      if (atEnd) await this.#moveToEnd(log, Number(status.size))
      return log
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async #moveToEnd(log: OpenLog, size: number): Promise<void> {
    const start = Math.max(0, size - witnessBytes)
    const { bytesRead } = await log.handle.read(this.#buffer, 0, size - start, start)
    log.offset = start + bytesRead
    log.witness = Buffer.from(this.#buffer.subarray(0, bytesRead))
    log.isSkipping = bytesRead > 0 && this.#buffer[bytesRead - 1] !== lineFeed
  }

  /** Reads to the end. A chunk begins with the witness: the bytes before `offset` as they were. */
  async #drain(log: OpenLog): Promise<void> {
    for (;;) {
      const { witness } = log
      const { bytesRead } = await log.handle.read(this.#buffer, 0, this.#buffer.length, log.offset - witness.length)
      const isSameFile = bytesRead >= witness.length && this.#buffer.compare(witness, 0, witness.length, 0, witness.length) === 0
      if (!isSameFile) {
        this.rotations++
        log.offset = 0
        log.isSkipping = false
        log.witness = Buffer.alloc(0)
        continue
      }
      if (bytesRead === witness.length) return
      const used = this.#takeLines(log, witness.length, bytesRead)
      if (used === 0) return
      log.grewAtMs = this.#nowMs()
      log.offset += used
      const end = witness.length + used
      log.witness = Buffer.from(this.#buffer.subarray(Math.max(0, end - witnessBytes), end))
      if (bytesRead < this.#buffer.length) return
    }
  }

  /** Gives the lines in `#buffer[start, end)` to the sink; the number of bytes that are done with. */
  #takeLines(log: OpenLog, start: number, end: number): number {
    const bytes = this.#buffer.subarray(0, end)
    let lineStart = start
    for (;;) {
      const lineEnd = bytes.indexOf(lineFeed, lineStart)
      if (lineEnd < 0) break
      if (log.isSkipping) log.isSkipping = false
      else if (lineEnd - lineStart > lineBytesMax) this.#onLongLine()
      else this.#onLine(bytes, lineStart, bytes[lineEnd - 1] === carriageReturn && lineEnd > lineStart ? lineEnd - 1 : lineEnd)
      lineStart = lineEnd + 1
    }
    // The rest waits in the file for its end, unless it is too long already.
    if (!log.isSkipping && end - lineStart <= lineBytesMax) return lineStart - start
    if (!log.isSkipping) this.#onLongLine()
    log.isSkipping = true
    return end - start
  }

  async #close(log: OpenLog): Promise<void> {
    this.#retired = this.#retired.filter((other) => other !== log)
    await log.handle.close()
  }
}

const lineFeed = 10
const carriageReturn = 13

function identityOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`
}
