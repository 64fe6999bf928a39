import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { WireVersion } from '@narthex/receive/content-type'
import type { WaitingRequests } from '@narthex/receive/waiting-receiver'
import { makeDirectory } from '@narthex/service/make-directory'
import { syncDirectory } from '@narthex/service/sync-directory'
import type { Logger } from '@narthex/service/logger'
import { listSegments } from '@narthex/tsdb/wal/log-files'
import { SegmentReader } from '@narthex/tsdb/wal/segment-reader'
import { CorruptionError, recordBytesMax, segmentName } from '@narthex/tsdb/wal/wal-format'
import { WalWriter } from '@narthex/tsdb/wal/wal-writer'

/** In the data directory; there only while requests wait. */
export const waitingDirectoryName = 'waiting_writes'
/** Requests as they came, which are compressed: some ten million samples. */
export const waitingBytesMaxDefault = 128 * 1024 * 1024

const turnMs = 20
const tryAgainMs = 1_000

export interface WaitingWritesOptions {
  /** The data directory, which is ours. */
  readonly directory: string
  readonly bytesMax?: number
  readonly log: Logger
  /** Resolves after some time; for tests. */
  readonly pause?: (ms: number) => Promise<void>
}

/**
 * Remote-write requests that came while the storage was being read, in the order in which they came, in segments of the log's form: a record is
 * ┌ version of the message 1 B ┬ snappy block as it came ┐. What a process left that ended before it had drained them comes first. A request
 * may be drained twice then, which the head knows by its samples' times.
 */
export class WaitingWrites implements WaitingRequests {
  readonly #directory: string
  readonly #bytesMax: number
  readonly #log: Logger
  readonly #pause: (ms: number) => Promise<void>
  #writer: WalWriter | undefined
  readonly #firstSegment: number
  /** Of those that are left; -1 = none. */
  readonly #lastLeft: number
  #record = new Uint8Array(0)
  #isClosed = false
  /** Bytes of requests that wait. */
  bytes = 0
  /** Requests that have left. */
  drained = 0

  constructor(options: WaitingWritesOptions) {
    this.#directory = join(options.directory, waitingDirectoryName)
    this.#bytesMax = options.bytesMax ?? waitingBytesMaxDefault
    this.#log = options.log
    this.#pause = options.pause ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)))
    const left = existsSync(this.#directory) ? listSegments(this.#directory) : []
    this.#firstSegment = left[0]?.index ?? 0
    this.#lastLeft = left.at(-1)?.index ?? -1
    this.bytes = left.reduce((sum, { path }) => sum + statSync(path).size, 0)
  }

  keep(version: WireVersion, body: Uint8Array): boolean {
    const length = 1 + body.length
    if (this.bytes + length > this.#bytesMax || length > recordBytesMax) return false
    if (this.#record.length < length) this.#record = new Uint8Array(2 * length)
    this.#record[0] = version
    this.#record.set(body, 1)
    this.#writer ??= this.#open()
    this.#writer.writeRecords([this.#record.subarray(0, length)])
    this.bytes += length
    return true
  }

  /**
   * Hands over what waits, and what comes meanwhile. `take` says false if the request cannot be taken now: it is asked again later.
   * `whenEmpty` is called as soon as nothing waits: from that turn on nothing may be kept. False: `close` came before, and what is left waits
   * for the next start.
   */
  async drain(take: (version: WireVersion, body: Uint8Array) => boolean, whenEmpty: () => void): Promise<boolean> {
    let turnEnd = performance.now() + turnMs
    for (let index = this.#firstSegment; index <= this.#lastSegment; index++) {
      const reader = new SegmentReader(this.#pathOf(index), 0)
      try {
        for (;;) {
          const record = this.#next(reader, index)
          if (record === undefined) {
            // In one turn with `whenEmpty`, so that nothing can come between.
            if (reader.refresh()) continue
            break
          }
          while (!this.#isClosed && !take(record[0] === 2 ? 2 : 1, record.subarray(1))) await this.#pause(tryAgainMs)
          if (this.#isClosed) return false
          this.drained++
          this.bytes = Math.max(0, this.bytes - record.length)
          if (performance.now() < turnEnd) continue
          await new Promise((resolve) => setImmediate(resolve))
          turnEnd = performance.now() + turnMs
        }
      } finally {
        reader.close()
      }
    }
    // A closed writer's segments are not looked at above.
    if (this.#isClosed) return false
    this.bytes = 0
    whenEmpty()
    return true
  }

  /** After `drain`, when what was drained is on the disk. */
  async remove(): Promise<void> {
    await this.close()
    if (!existsSync(this.#directory)) return
    rmSync(this.#directory, { recursive: true })
    await syncDirectory(dirname(this.#directory))
  }

  /** What waits is on the disk then, for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writer?.close()
    this.#writer = undefined
    this.#record = new Uint8Array(0)
  }

  get #lastSegment(): number {
    return this.#writer?.segment ?? this.#lastLeft
  }

  #open(): WalWriter {
    makeDirectory(this.#directory)
    return new WalWriter({
      directory: this.#directory,
      firstSegment: this.#lastLeft + 1,
      compresses: false,
      onSyncError: (cause) => this.#log.error('Syncing the requests that wait failed', { dir: this.#directory, err: cause.message }),
    })
  }

  #next(reader: SegmentReader, index: number): Uint8Array | undefined {
    try {
      return reader.next()
    } catch (cause) {
      if (!(cause instanceof CorruptionError)) throw cause
      // The last one of a process that was killed may be unfinished: nobody was told that it is kept.
      this.#log.warn('Cannot read a request that waited', { file: this.#pathOf(index), err: cause.message })
      return reader.skipDamage() ? this.#next(reader, index) : undefined
    }
  }

  #pathOf(index: number): string {
    return join(this.#directory, segmentName(index))
  }
}
