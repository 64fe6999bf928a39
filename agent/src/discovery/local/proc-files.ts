import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'

/** Bound of one file of /proc; a table of sockets has about 150 bytes a row. */
export const procFileBytesMax = 16 * 2 ** 20

const chunkBytes = 64 * 1024

/**
 * Reads files of a proc file system into one reused buffer. They are made by the kernel when they are read, so reading them at once is cheaper
 * than a trip to the thread pool; only files that take a lock of the process (cmdline, environ) are not for here.
 */
export class ProcFiles {
  readonly root: string
  #buffer = Buffer.alloc(chunkBytes)

  constructor(root: string) {
    this.root = root
  }

  /** The content, lent until the next call; undefined when it cannot be read: the process is gone or not ours to look into. */
  read(path: string): Buffer | undefined {
    let length = 0
    const isRead = this.readChunks(path, (chunk) => {
      if (length + chunk.length > this.#buffer.length) this.#grow()
      length += chunk.length
      return length < procFileBytesMax
    })
    return isRead ? this.#buffer.subarray(0, length) : undefined
  }

  /**
   * Calls `take` with each piece as the kernel gives it, until that returns false or the file ends; false when the file cannot be read. The
   * pieces follow each other in one buffer unless `restart` is set: then each begins at its start.
   */
  readChunks(path: string, take: (chunk: Buffer) => boolean, restart = false): boolean {
    let fd: number
    try {
      // Not waiting: a stranger's tree may have a pipe where a file is expected.
      fd = openSync(`${this.root}/${path}`, constants.O_RDONLY | constants.O_NONBLOCK)
    } catch {
      return false
    }
    try {
      let offset = 0
      for (;;) {
        if (this.#buffer.length - offset < 4096) this.#grow()
        const read = readSync(fd, this.#buffer, offset, this.#buffer.length - offset, null)
        if (read === 0 || !take(this.#buffer.subarray(offset, offset + read))) return true
        if (!restart) offset += read
        if (offset >= procFileBytesMax) return true
      }
    } catch {
      return false
    } finally {
      closeSync(fd)
    }
  }

  readText(path: string): string | undefined {
    return this.read(path)?.toString('utf8')
  }

  readLink(path: string): string | undefined {
    try {
      return readlinkSync(`${this.root}/${path}`)
    } catch {
      return undefined
    }
  }

  /** Empty when the directory cannot be read. */
  list(path: string): string[] {
    try {
      return readdirSync(`${this.root}/${path}`)
    } catch {
      return []
    }
  }

  listPids(): number[] {
    const pids: number[] = []
    for (const name of this.list('')) {
      const first = name.charCodeAt(0)
      if (first >= 49 && first <= 57) pids.push(Number(name))
    }
    return pids
  }

  #grow(): void {
    const larger = Buffer.alloc(this.#buffer.length * 2)
    this.#buffer.copy(larger)
    this.#buffer = larger
  }
}

/** Gives the event loop a turn whenever a slice of work is over, so that a scan of a large machine delays nothing else. */
export class WorkSlices {
  readonly #sliceMs: number
  #startMs = performance.now()
  /** The longest piece of work without a turn for others, in milliseconds. */
  longestMs = 0

  constructor(sliceMs = 5) {
    this.#sliceMs = sliceMs
  }

  /** True when it is time to `await rest()`. */
  get isOver(): boolean {
    return performance.now() - this.#startMs >= this.#sliceMs
  }

  async rest(): Promise<void> {
    this.longestMs = Math.max(this.longestMs, performance.now() - this.#startMs)
    await new Promise((resolve) => setImmediate(resolve))
    this.#startMs = performance.now()
  }
}
