import { open, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'

/** A request that a remote refused for good. */
export interface DeadLetter {
  readonly timeMs: number
  readonly status: number
  readonly reason: string
  /** What the remote said. */
  readonly error: string
  readonly contentType: string
  /** Snappy-compressed, as it was sent. */
  readonly body: Uint8Array
}

/** Letters that wait for the disk; further ones are not kept. */
const waitingBytesMax = 8 * 2 ** 20
const lineEnd = 0x0a

/**
 * Refused requests of one remote, one JSON object a line, body in base64: they can be read, mended and posted again with common tools. Two
 * files, `<remote>.letters` and the one before it, `.1`, together at most `bytesMax`.
 */
export class DeadLetterFile {
  readonly #directory: string
  readonly #path: string
  readonly #bytesMax: number
  #file: FileHandle | undefined
  #bytes = 0
  #waitingBytes = 0
  #writing: Promise<void> = Promise.resolve()
  /** Letters that were not kept: larger than half the bound, too many at once, or the disk refused them. */
  lost = 0

  constructor(directory: string, remote: string, bytesMax: number) {
    this.#directory = directory
    this.#path = join(directory, `${encodeURIComponent(remote).slice(0, 200)}.letters`)
    this.#bytesMax = bytesMax
  }

  /** Returns at once; the letter is copied. */
  add(letter: DeadLetter): void {
    const line = Buffer.from(`${JSON.stringify({ ...letter, encoding: 'snappy', body: Buffer.from(letter.body).toString('base64') })}\n`)
    if (line.length > this.#bytesMax / 2 || this.#waitingBytes + line.length > waitingBytesMax) {
      this.lost++
      return
    }
    this.#waitingBytes += line.length
    this.#writing = this.#writing
      .then(() => this.#write(line))
      .catch(() => {
        this.lost++
      })
      .then(() => {
        this.#waitingBytes -= line.length
      })
  }

  /** Resolves when everything is in the file. */
  async close(): Promise<void> {
    await this.#writing
    await this.#file?.sync().catch(() => undefined)
    await this.#file?.close()
    this.#file = undefined
  }

  async #write(line: Buffer): Promise<void> {
    if (this.#file === undefined) await this.#open()
    if (this.#bytes > 0 && this.#bytes + line.length > this.#bytesMax / 2) {
      await this.#file!.close()
      this.#file = undefined
      await rename(this.#path, `${this.#path}.1`)
      await this.#open()
    }
    try {
      await this.#file!.appendFile(line)
    } catch (error) {
      // What got there of it would spoil the next line.
      await this.#file!.truncate(this.#bytes).catch(() => undefined)
      throw error
    }
    this.#bytes += line.length
  }

  async #open(): Promise<void> {
    makeDirectory(this.#directory)
    // A bound that became smaller holds for what is there already.
    const previous = await stat(`${this.#path}.1`).catch(() => undefined)
    if (previous !== undefined && previous.size > this.#bytesMax / 2) await rm(`${this.#path}.1`)
    this.#file = await open(this.#path, 'a+', 0o640)
    this.#bytes = (await this.#file.stat()).size
    const last = Buffer.alloc(1)
    if (this.#bytes > 0) await this.#file.read(last, 0, 1, this.#bytes - 1)
    // A process that died in the middle of a line spoils this one alone.
    if (this.#bytes > 0 && last[0] !== lineEnd) {
      await this.#file.appendFile('\n')
      this.#bytes++
    }
  }
}
