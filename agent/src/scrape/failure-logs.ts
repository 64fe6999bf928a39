import { createWriteStream } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { createLogger } from '@narthex/service/logger'
import type { Logger } from '@narthex/service/logger'

/** Lines that the disk has not taken yet; further ones are left out. */
export const pendingBytesMax = 1024 * 1024

/**
 * The files of `scrape_failure_log_file`: one line of JSON per failed scrape, `time`, `level`, `source`, `msg`, `job_name` and `target`. A file
 * that cannot be written is told in one warning and gets no more lines until the next reload.
 */
export class FailureLogs {
  readonly #log: Logger
  readonly #now: () => number
  #files = new Map<string, FailureFile>()

  constructor(log: Logger, now: () => number) {
    this.#log = log
    this.#now = now
  }

  /** Opens these files afresh, so that rotated ones are let go, and closes all others. */
  reopen(paths: Iterable<string>): void {
    const before = this.#files
    this.#files = new Map()
    for (const path of new Set(paths)) this.#files.set(path, new FailureFile(path, this.#log, this.#now))
    for (const file of before.values()) void file.close()
  }

  /** Notes a failed scrape; does nothing for a path that is not open. */
  add(path: string, jobName: string, target: string, error: string): void {
    this.#files.get(path)?.add(jobName, target, error)
  }

  /** Resolves when what was noted is written. */
  async close(): Promise<void> {
    const files = [...this.#files.values()]
    this.#files.clear()
    await Promise.all(files.map((file) => file.close()))
  }
}

class FailureFile {
  readonly #stream: WriteStream
  readonly #lines: Logger
  #isBroken = false
  #isFull = false

  constructor(path: string, log: Logger, now: () => number) {
    this.#stream = createWriteStream(path, { flags: 'a' })
    this.#stream.on('error', (error) => {
      if (!this.#isBroken) log.warn('cannot write the scrape failure log file', { path, err: error })
      this.#isBroken = true
    })
    this.#lines = createLogger({
      format: 'json',
      now,
      write: (line) => {
        if (this.#isBroken) return
        if (this.#stream.writableLength + line.length <= pendingBytesMax) {
          this.#stream.write(line)
          this.#isFull = false
        } else if (!this.#isFull) {
          this.#isFull = true
          log.warn('scrape failures come faster than their log file takes them, some are left out', { path })
        }
      },
    })
  }

  add(jobName: string, target: string, error: string): void {
    this.#lines.error(error, { job_name: jobName, target })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.once('close', () => resolve())
      if (this.#stream.closed) resolve()
      else this.#stream.end()
    })
  }
}
