import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'
import type { Logger } from '@narthex/service/logger'
import type { SummaryCell } from '@narthex/service/metrics'
import { isUlid } from './block/ulid.ts'
import { BlockSet } from './compact/block-set.ts'
import { CompactionThread } from './compact/compaction-thread.ts'
import { Compactor } from './compact/compactor.ts'
import { GuardedThread } from './compact/guarded-thread.ts'
import { directoryBytes } from './directory-bytes.ts'
import { DiskGuard } from './disk-guard.ts'
import { DiskReserve, isDiskFull, reserveFileName } from './disk-reserve.ts'
import { registerExemplarMetrics } from './exemplars/exemplar-metrics.ts'
import { createParts, hasUnreadData, readLogs, resumeHead, startReading } from './fill-head.ts'
import type { OpeningWay, ReplayProgress } from './fill-head.ts'
import { defaultChunkRangeMs } from './head/chunk-time.ts'
import { HeadStateFile, mayHaveHeadState } from './head-state/head-state-file.ts'
import { lockDirectory } from '@narthex/service/directory-lock'
import type { DirectoryLock } from '@narthex/service/directory-lock'
import { defaultMemoryBytesMax } from './memory-ceiling.ts'
import { registerStoreMetrics } from './store-metrics.ts'
import { LateLog } from './wal/late-log.ts'
import { listLog } from './wal/log-files.ts'
import { LogRanges } from './wal/log-ranges.ts'
import { WalWriter } from './wal/wal-writer.ts'
import { finishSteps } from './steps.ts'
import type { Steps } from './steps.ts'
import { headChunksDirectoryName, mustHoldChunks, registerHeadChunkMetrics } from './store-head-chunks.ts'
import { StoreAdmin } from './store-admin.ts'
import { lateDirectoryName, lateShareOfMemory, lateWindowsOf, registerLateMetrics } from './store-late.ts'
import { Store } from './store.ts'
import type { StoreOptions } from './store.ts'

const defaultRetentionMs = 15 * 24 * 3600 * 1000
const maxBlockRangeMsMax = 31 * 24 * 3600 * 1000

/**
 * Opens a data directory: locks it (`DirectoryLockedError` if another process has it), reads its log into a new head and begins a
 * new segment. Damage of the log is repaired and logged as a warning.
 */
export function openStore(options: StoreOptions): Store {
  return finishSteps(new StoreOpening(options).steps(false))
}

/** The opening of a data directory, a record of its logs a step. The directory is locked at once; throws what `openStore` does. */
export class StoreOpening {
  readonly progress: ReplayProgress = { min: 0, max: 0, current: 0 }
  readonly #options: StoreOptions
  readonly #lock: DirectoryLock
  readonly #reserve: DiskReserve
  #ahead: OpeningWay['ahead']

  constructor(options: StoreOptions) {
    const { directory, log } = options
    this.#options = options
    this.#reserve = new DiskReserve(join(directory, reserveFileName), options.diskReserveBytes ?? 0)
    try {
      this.#lock = lockWithRoom(directory, this.#reserve)
    } catch (cause) {
      noteFailure(log, directory, cause)
      throw cause
    }
  }

  /** For who will let steps wait: a thread begins at once to read a large log, if it will have to be read. */
  readAhead(): void {
    const { directory } = this.#options
    if (mayHaveHeadState(directory)) return
    try {
      const { segmentsOfCheckpoint, segments } = listLog(join(directory, 'wal'))
      this.#ahead = startReading([...segmentsOfCheckpoint, ...segments])
    } catch {
      // A new directory, or one that cannot be read: the first step meets it, and tells.
    }
  }

  /** Whether there is a block, or what has the name of one. */
  get hasBlocks(): boolean {
    try {
      return readdirSync(this.#options.directory).some(isUlid)
    } catch {
      // The first step meets it, and tells.
      return false
    }
  }

  /** Before the first step: gives the directory back. */
  release(): void {
    this.#ahead?.close()
    this.#lock.release()
  }

  /** Gives the directory back if it is given up. `mayWait`: a thread may read a large log ahead, for which steps wait. */
  *steps(mayWait: boolean): Steps<Store> {
    const { directory, log } = this.#options
    let store: Store | undefined
    try {
      this.#reserve.takeOver()
      store = yield* this.#open(mayWait)
      return store
    } catch (cause) {
      noteFailure(log, directory, cause)
      throw cause
    } finally {
      if (store === undefined) this.#lock.release()
    }
  }

  *#open(mayWait: boolean): Steps<Store> {
    const way: OpeningWay = { progress: this.progress, mayWait, ahead: this.#ahead, onRead: this.#options.onLogRead }
    try {
      return yield* openLocked(this.#options, this.#lock, this.#reserve, way)
    } catch (cause) {
      if (!isDiskFull(cause) || this.#reserve.bytes === 0) throw cause
      this.#reserve.release()
      return yield* openLocked(this.#options, this.#lock, this.#reserve, way)
    } finally {
      way.ahead?.close()
    }
  }
}

function noteFailure(log: Logger, directory: string, cause: unknown): void {
  log.error('Opening storage failed', { dir: directory, err: cause instanceof Error ? cause.message : String(cause) })
}

/** A start writes little, but a full disk takes nothing: then the reserve makes room for it. */
function lockWithRoom(directory: string, reserve: DiskReserve): DirectoryLock {
  try {
    return lockDirectory(directory)
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause
    reserve.release()
    return lockDirectory(directory)
  }
}

function* openLocked(options: StoreOptions, lock: DirectoryLock, reserve: DiskReserve, way: OpeningWay): Steps<Store> {
  const { directory, log } = options
  const disk = new DiskGuard({ directory, reserve, log })
  const walDirectory = join(directory, 'wal')
  makeDirectory(walDirectory)
  const memoryBytesMax = options.memoryBytesMax ?? defaultMemoryBytesMax()
  // As in Prometheus, 0 means the default.
  const chunkRangeMs = options.chunkRangeMs !== undefined && options.chunkRangeMs > 0 ? options.chunkRangeMs : defaultChunkRangeMs
  const retentionMs = options.retentionMs ?? defaultRetentionMs
  const blocks = BlockSet.load(directory, chunkRangeMs, ({ directory: block, reason, isUsed }) => {
    if (isUsed === true) log.error('The meta.json of a block is damaged; its times are those of its samples', { block, err: reason })
    else log.error('A block cannot be used; it is left where it is', { block, err: reason })
  })
  const state = new HeadStateFile({
    directory,
    blocks,
    disk,
    log,
    isOff: options.keepsHeadState === false,
    version: options.version ?? '',
    chunkRangeMs,
    retentionMs,
    memoryBytesMax,
    customBuckets: options.customBuckets ?? false,
  })
  const { parts, taken } = yield* state.take(() => createParts(options, memoryBytesMax, chunkRangeMs, blocks.maxTimeMs), way.mayWait)
  const filling = { directory, parts, minTimeMs: blocks.maxTimeMs, retentionMs, disk, log, way }
  const { headChunks, replay, lateReplay, lacks } = taken === undefined ? yield* readLogs(filling) : yield* resumeHead(filling, taken)
  const { head, exemplars, metadata } = parts
  const lateDirectory = join(directory, lateDirectoryName)
  head.late.windows = lateWindowsOf(options.outOfOrderWindowMs)
  head.deletions.forgetBefore(Math.min(blocks.maxTimeMs, head.memory.lateMinTime))
  let syncSeconds: SummaryCell | undefined
  const wal = new WalWriter({
    directory: walDirectory,
    firstSegment: replay.nextSegment,
    references: replay.references,
    compresses: options.walCompression ?? true,
    onSync: (seconds) => syncSeconds?.observe(seconds),
    onSyncError(cause) {
      disk.noteFailure(cause)
      if (!isDiskFull(cause)) log.error('Syncing the write-ahead log failed', { dir: walDirectory, err: cause.message })
    },
    refusal: () => disk.refusal(),
    onWriteError: (cause) => disk.noteFailure(cause),
  })
  const logRanges = new LogRanges({
    rangeMs: chunkRangeMs,
    newestMs: head.memory.maxTime,
    segment: wal.segment,
    nextSegment: () => wal.nextSegment(),
  })
  const lateLog = new LateLog({
    wal,
    directory: lateDirectory,
    nextSegment: lateReplay.nextSegment,
    hasUnread: lateReplay.unreadRecords.size > 0 || lateReplay.samplesRefused > 0,
    compresses: options.walCompression ?? true,
    onSyncError: (cause) => disk.noteFailure(cause),
    refusal: () => disk.refusal(),
    onWriteError: (cause) => disk.noteFailure(cause),
  })
  head.startLogging(lateLog)
  metadata.endRestore()
  exemplars.startLogging(wal)
  if (options.logsMetadata === true) metadata.startLogging(wal)
  const headChunkBytes = (): number => bytesIfThere(join(directory, headChunksDirectoryName))
  const thread = new GuardedThread(options.thread ?? new CompactionThread(), disk)
  const now = options.now ?? Date.now
  const compactor = new Compactor({
    head,
    blocks,
    log,
    minRangeMs: chunkRangeMs,
    maxRangeMs: options.maxBlockRangeMs ?? Math.min(maxBlockRangeMsMax, (retentionMs || Infinity) / 10),
    retention: { timeMs: retentionMs, bytesMax: options.retentionBytesMax ?? 0 },
    otherBytes: () => bytesIfThere(walDirectory) + bytesIfThere(lateDirectory) + headChunkBytes(),
    lateSegments: lateLog,
    lateBytesMax: memoryBytesMax * lateShareOfMemory,
    onLateCut: () => head.releaseFiling(() => !mustHoldChunks(directory)),
    // A checkpoint keeps of them only what is newer than the blocks, and the blocks would not have them.
    beginCheckpoint(minTimeMs) {
      const settledSegment = logRanges.settledSegment(minTimeMs)
      if (hasUnreadData(replay) || options.mayCutLog?.(walDirectory, wal.segment + 1, settledSegment) === false) return undefined
      disk.makeRoom()
      const activeSegment = wal.nextSegment()
      const { gone } = wal.references
      return { directory: walDirectory, activeSegment, settledSegment, gone, minTimeMs, compresses: options.walCompression ?? true }
    },
    endCheckpoint(lastSegment) {
      wal.references.dropGone(lastSegment)
      logRanges.forget(lastSegment)
    },
    thread,
    hasRoomFor: (bytes) => disk.hasRoomFor(bytes),
    ...(options.readersEnded === undefined ? {} : { readersEnded: options.readersEnded }),
    ...(options.uploadedFile === undefined ? {} : { uploadedFile: options.uploadedFile }),
    now,
  })
  const writeState = (): Promise<void> => {
    const hasFailed = wal.writesFailed > 0 || lateLog.figures.writesFailed > 0
    return state.write(parts, headChunks.writer, lacks ?? (hasFailed ? 'a write to the logs has failed' : undefined))
  }
  const logReferenceOf = (ref: number): number => wal.references.of(ref)
  const admin = new StoreAdmin({ directory, head, wal, blocks, compactor, thread, log, now, logReferenceOf })
  if (options.registry !== undefined) {
    syncSeconds = registerStoreMetrics(options.registry, {
      head,
      wal,
      replay,
      wasLeftBehind: lock.wasLeftBehind,
      memoryBytesMax,
      blocks,
      compactor,
      admin,
      disk,
    })
    registerHeadChunkMetrics(options.registry, head, headChunks.replay, headChunkBytes)
    registerLateMetrics(options.registry, head, lateLog)
    registerExemplarMetrics(options.registry, exemplars.ring)
  }
  return new Store({
    head,
    headChunks: headChunks.writer,
    exemplars,
    metadata,
    wal,
    logRanges,
    lateLog,
    replay,
    lock,
    blocks,
    compactor,
    admin,
    disk,
    writeState,
  })
}

/** Of a directory that may be missing, and of which files may go meanwhile: the next look counts again. */
function bytesIfThere(directory: string): number {
  try {
    return directoryBytes(directory)
  } catch {
    return 0
  }
}
