import { statSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'
import type { Logger } from '@narthex/service/logger'
import type { SummaryCell } from '@narthex/service/metrics'
import { BlockSet } from './compact/block-set.ts'
import { CompactionThread } from './compact/compaction-thread.ts'
import { Compactor } from './compact/compactor.ts'
import { GuardedThread } from './compact/guarded-thread.ts'
import { directoryBytes } from './directory-bytes.ts'
import { DiskGuard } from './disk-guard.ts'
import { DiskReserve, isDiskFull, reserveFileName } from './disk-reserve.ts'
import { registerExemplarMetrics } from './exemplars/exemplar-metrics.ts'
import { ExemplarStorage } from './exemplars/exemplar-storage.ts'
import { defaultChunkRangeMs } from './head/chunk-time.ts'
import { Head } from './head/head.ts'
import type { HeadMemory } from './head/head-memory.ts'
import { lockDirectory } from '@narthex/service/directory-lock'
import type { DirectoryLock } from '@narthex/service/directory-lock'
import { defaultMemoryBytesMax } from './memory-ceiling.ts'
import { MetadataLog } from './metadata/metadata-log.ts'
import { registerStoreMetrics } from './store-metrics.ts'
import { exemplarsRecord, metadataRecord } from './wal/wal-format.ts'
import { LogDecodingThread } from './wal/log-decoding-thread.ts'
import { openLocalSource } from './wal/log-decoder.ts'
import type { LogPartSource } from './wal/log-decoder.ts'
import { listLog } from './wal/log-files.ts'
import type { LogFile } from './wal/log-files.ts'
import { LateLog } from './wal/late-log.ts'
import { LogReferences } from './wal/log-references.ts'
import { WalWriter } from './wal/wal-writer.ts'
import { HistogramReplay } from './wal/histogram-replay.ts'
import type { HistogramCounts } from './wal/histogram-replay.ts'
import { replayLogInSteps } from './wal/replay.ts'
import type { Damage } from './wal/repair.ts'
import type { ReplayResult } from './wal/replay.ts'
import { finishSteps } from './steps.ts'
import type { Steps } from './steps.ts'
import { endRestore, headChunksDirectoryName, openHeadChunks, registerHeadChunkMetrics } from './store-head-chunks.ts'
import { StoreAdmin } from './store-admin.ts'
import { lateDirectoryName, lateShareOfMemory, lateWindowsOf, registerLateMetrics, restoreLateSamples } from './store-late.ts'
import { Store } from './store.ts'
import type { StoreOptions } from './store.ts'

const defaultRetentionMs = 15 * 24 * 3600 * 1000
const threadLogBytesMin = 8 * 1024 * 1024
const maxBlockRangeMsMax = 31 * 24 * 3600 * 1000

/** How far the reading of the log is: numbers of segments. */
export interface ReplayProgress {
  min: number
  max: number
  current: number
}

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
  #ahead: LogDecodingThread | undefined

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

  /** For who will let steps wait: a thread begins at once to read a large log. */
  readAhead(): void {
    try {
      const { segmentsOfCheckpoint, segments } = listLog(join(this.#options.directory, 'wal'))
      this.#ahead = startDecoding([...segmentsOfCheckpoint, ...segments])
    } catch {
      // A new directory, or one that cannot be read: the first step meets it, and tells.
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
      this.#ahead?.close()
      if (store === undefined) this.#lock.release()
    }
  }

  *#open(mayWait: boolean): Steps<Store> {
    const { progress } = this
    const openSource = (segments: readonly LogFile[], memory: HeadMemory): LogPartSource => {
      const thread = this.#ahead ?? (mayWait ? startDecoding(segments) : undefined)
      this.#ahead = undefined
      return thread?.fill(memory) ?? openLocalSource(segments)
    }
    try {
      return yield* openLocked(this.#options, this.#lock, this.#reserve, { progress, openSource })
    } catch (cause) {
      if (!isDiskFull(cause) || this.#reserve.bytes === 0) throw cause
      this.#reserve.release()
      return yield* openLocked(this.#options, this.#lock, this.#reserve, { progress, openSource })
    }
  }
}

interface OpeningWay {
  readonly progress: ReplayProgress
  /** Who reads the log, for the head with this memory. */
  openSource(segments: readonly LogFile[], memory: HeadMemory): LogPartSource
}

/** Undefined: so little is read before a thread would have started. */
function startDecoding(segments: readonly LogFile[]): LogDecodingThread | undefined {
  const bytes = segments.reduce((sum, { path }) => sum + statSync(path).size, 0)
  return bytes >= threadLogBytesMin ? new LogDecodingThread(segments) : undefined
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
  const head = new Head({
    memoryBytesMax,
    seriesMax: options.seriesMax ?? 0,
    seriesPerMetricMax: options.seriesPerMetricMax ?? 0,
    ...(options.now === undefined ? {} : { now: options.now }),
    chunkRangeMs,
  })
  head.refused.onTell = ({ reason, metric, series }, count) => log.warn('New series are refused', { count, reason, metric, series })
  const blocks = BlockSet.load(directory, chunkRangeMs, ({ directory: block, reason, isUsed }) => {
    if (isUsed === true) log.error('The meta.json of a block is damaged; its times are those of its samples', { block, err: reason })
    else log.error('A block cannot be used; it is left where it is', { block, err: reason })
  })
  head.refuseBefore(blocks.maxTimeMs)
  const retentionMs = options.retentionMs ?? defaultRetentionMs
  const exemplars = new ExemplarStorage(head, options.exemplarsMax ?? 0)
  const metadata = new MetadataLog(head)
  head.onSeriesFreed = (ref) => {
    exemplars.forgetSeries(ref)
    metadata.forgetSeries(ref)
  }
  head.takesCustomBuckets = options.customBuckets ?? false
  const references = new LogReferences()
  const headChunks = yield* openHeadChunks(directory, head, references, blocks.maxTimeMs, disk, log)
  const histograms = new HistogramReplay(head)
  const replay = yield* replayLogInSteps(walDirectory, head, {
    onDamage: (damage) => logDamage(log, damage),
    retentionMs: retentionMs || Infinity,
    references,
    restored: headChunks.replay.chunks > 0 ? headChunks.restored : undefined,
    onSegment: (min, max, current) => Object.assign(way.progress, { min, max, current }),
    openSource: (segments) => way.openSource(segments, head.memory),
    target: {
      histograms: (type, record, entries) => histograms.take(type, record, entries),
      tombstones: ({ refs, times, secondTimes, length }) => head.deletions.add(refs, times, secondTimes, length),
      exemplars: (record, entries) => exemplars.restore(record, entries, blocks.maxTimeMs),
      metadata: (record, entries) => metadata.restore(record, entries),
    },
  })
  endRestore(headChunks, log)
  const lateDirectory = join(directory, lateDirectoryName)
  const lateReplay = yield* restoreLateSamples(lateDirectory, head, replay, retentionMs, log, (damage) => logDamage(log, damage))
  head.late.windows = lateWindowsOf(options.outOfOrderWindowMs)
  head.deletions.forgetBefore(Math.min(blocks.maxTimeMs, head.memory.lateMinTime))
  logReplay(log, replay)
  logHistograms(log, histograms.counts)
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
    // A checkpoint keeps of them only what is newer than the blocks, and the blocks would not have them.
    beginCheckpoint() {
      if (hasUnreadData(replay) || options.mayCutLog?.(walDirectory, wal.segment + 1) === false) return undefined
      disk.makeRoom()
      const activeSegment = wal.nextSegment()
      return { directory: walDirectory, activeSegment, gone: wal.references.gone, compresses: options.walCompression ?? true }
    },
    endCheckpoint: (lastSegment) => wal.references.dropGone(lastSegment),
    thread,
    hasRoomFor: (bytes) => disk.hasRoomFor(bytes),
    ...(options.readersEnded === undefined ? {} : { readersEnded: options.readersEnded }),
    ...(options.uploadedFile === undefined ? {} : { uploadedFile: options.uploadedFile }),
    now,
  })
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
  return new Store({ head, headChunks: headChunks.writer, exemplars, metadata, wal, lateLog, replay, lock, blocks, compactor, admin, disk })
}

/** Of a directory that may be missing, and of which files may go meanwhile: the next look counts again. */
function bytesIfThere(directory: string): number {
  try {
    return directoryBytes(directory)
  } catch {
    return 0
  }
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
  if (hasUnreadData(replay)) log.warn('The write-ahead log has records that are not known: it is not cut down')
}

function logHistograms(log: Logger, { histograms, outOfOrder, refused, unusable }: HistogramCounts): void {
  if (histograms > 0) log.info('Native histograms of the write-ahead log are read', { histograms, outOfOrder })
  if (refused > 0 || unusable > 0)
    log.warn('Native histograms of the write-ahead log are not in the head', { refusedForMemory: refused, unusable })
}

/** Whether the log has what no block would get. Exemplars and metadata leave Prometheus' log with a checkpoint, too. */
function hasUnreadData({ unreadRecords }: ReplayResult): boolean {
  return [...unreadRecords.keys()].some((type) => type !== exemplarsRecord && type !== metadataRecord)
}
