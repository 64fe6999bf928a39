import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'
import type { Logger } from '@narthex/service/logger'
import type { Registry, SummaryCell } from '@narthex/service/metrics'
import { Head } from './head/head.ts'
import { lockDirectory } from '@narthex/service/directory-lock'
import type { DirectoryLock } from '@narthex/service/directory-lock'
import { defaultMemoryBytesMax } from './memory-ceiling.ts'
import { registerStoreMetrics } from './store-metrics.ts'
import { WalWriter } from './wal/wal-writer.ts'
import { replayLog } from './wal/replay.ts'
import type { Damage, ReplayResult } from './wal/replay.ts'

export interface StoreOptions {
  /** A Prometheus data directory; made if it is missing. */
  readonly directory: string
  /** Samples this much older than the newest are dropped, chunk by chunk. Default 15 days. */
  readonly retentionMs?: number
  /** Ceiling of the head's own memory. Default: by `defaultMemoryBytesMax`. */
  readonly memoryBytesMax?: number
  /** Whether records are compressed by snappy. Default true. */
  readonly walCompression?: boolean
  /** Block range, default two hours (`--storage.tsdb.min-block-duration`). */
  readonly chunkRangeMs?: number
  readonly log: Logger
  readonly registry?: Registry
  readonly now?: () => number
}

const defaultRetentionMs = 15 * 24 * 3600 * 1000
const retentionEveryMs = 60_000
// Series looked at in one turn of the loop: below a millisecond.
const seriesPerSweep = 10_000

/**
 * The head with its log on disk. Commits are in the log before they are visible; a new process reads the log again. Until blocks
 * are built the log is the only truth, so no part of it is ever removed: it grows until the directory is given up.
 */
export class Store {
  readonly head: Head
  readonly wal: WalWriter
  readonly replay: ReplayResult
  readonly #lock: DirectoryLock
  readonly #retentionMs: number
  #timer: NodeJS.Timeout
  #sweep: NodeJS.Immediate | undefined
  #closed: Promise<void> | undefined

  constructor(head: Head, wal: WalWriter, replay: ReplayResult, lock: DirectoryLock, retentionMs: number) {
    this.head = head
    this.wal = wal
    this.replay = replay
    this.#lock = lock
    this.#retentionMs = retentionMs
    this.#timer = setInterval(() => this.dropOldChunks(), retentionEveryMs)
    this.#timer.unref()
  }

  /** Drops chunks that are out of the retention, counted from the newest sample, in slices between other work. */
  dropOldChunks(): void {
    const cutoffMs = this.head.memory.maxTime - this.#retentionMs
    if (this.#sweep !== undefined || this.head.memory.minTime >= cutoffMs) return
    const sweep = (ref: number): void => {
      const next = this.head.dropBefore(cutoffMs, ref, seriesPerSweep)
      this.#sweep = next === 0 ? undefined : setImmediate(sweep, next)
    }
    sweep(1)
  }

  /** Waits until everything acknowledged is on the disk, then gives the directory back. Commits fail from here on. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    clearImmediate(this.#sweep)
    await this.wal.close()
    this.#lock.release()
  }
}

/**
 * Opens a data directory: locks it (`DirectoryLockedError` if another process has it), reads its log into a new head and begins a
 * new segment. Damage of the log is repaired and logged as a warning.
 */
export function openStore(options: StoreOptions): Store {
  const { directory, log } = options
  const lock = lockDirectory(directory)
  try {
    return openLocked(options, lock)
  } catch (cause) {
    lock.release()
    log.error('Opening storage failed', { dir: directory, err: cause instanceof Error ? cause.message : String(cause) })
    throw cause
  }
}

function openLocked(options: StoreOptions, lock: DirectoryLock): Store {
  const { directory, log } = options
  const walDirectory = join(directory, 'wal')
  makeDirectory(walDirectory)
  const memoryBytesMax = options.memoryBytesMax ?? defaultMemoryBytesMax()
  const head = new Head({
    memoryBytesMax,
    ...(options.now === undefined ? {} : { now: options.now }),
    ...(options.chunkRangeMs === undefined ? {} : { chunkRangeMs: options.chunkRangeMs }),
  })
  const retentionMs = options.retentionMs ?? defaultRetentionMs
  const replay = replayLog(walDirectory, head, (damage) => logDamage(log, damage), retentionMs)
  logReplay(log, replay)
  let syncSeconds: SummaryCell | undefined
  const wal = new WalWriter({
    directory: walDirectory,
    firstSegment: replay.nextSegment,
    compresses: options.walCompression ?? true,
    onSync: (seconds) => syncSeconds?.observe(seconds),
    onSyncError: (cause) => log.error('Syncing the write-ahead log failed', { dir: walDirectory, err: cause.message }),
  })
  wal.refBase = replay.refBase
  head.startLogging(wal, replay.refBase > 0)
  if (replay.refBase > 0) head.commit()
  if (options.registry !== undefined) {
    syncSeconds = registerStoreMetrics(options.registry, { head, wal, replay, wasLeftBehind: lock.wasLeftBehind, memoryBytesMax })
  }
  return new Store(head, wal, replay, lock, retentionMs)
}

function logDamage(log: Logger, damage: Damage): void {
  const { path, offset, bytes, reason } = damage
  if (damage.kind === 'torn') log.warn('Torn end of the write-ahead log cut off', { file: path, offset, bytes, err: reason })
  else log.warn('Corrupt part of the write-ahead log set aside', { file: path, offset, bytes, to: damage.setAside, err: reason })
}

function logReplay(log: Logger, replay: ReplayResult): void {
  const { segments, bytes, series, samples, seconds } = replay
  if (segments > 0) log.info('WAL replay completed', { segments, bytes, series, samples, duration: `${seconds.toFixed(3)}s` })
  if (replay.samplesUnknown > 0 || replay.seriesRefused > 0 || replay.samplesRefused > 0) {
    log.warn('Samples of the write-ahead log are not in the head; they stay in the log', {
      unknownSeries: replay.samplesUnknown,
      seriesRefused: replay.seriesRefused,
      refusedForMemory: replay.samplesRefused,
    })
  }
  for (const [type, count] of replay.unreadRecords) {
    log.warn('Records of the write-ahead log that are not read yet stay in the log', { type, count })
  }
}
