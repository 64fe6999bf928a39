import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { BlockSet } from './compact/block-set.ts'
import type { Compactor } from './compact/compactor.ts'
import type { CompactorOptions } from './compact/compactor.ts'
import type { DiskGuard } from './disk-guard.ts'
import type { ExemplarStorage } from './exemplars/exemplar-storage.ts'
import type { Head } from './head/head.ts'
import { stateWriteMsMax } from './head-state/write-state-file.ts'
import type { HeadChunkWriter } from './head-chunks/head-chunk-writer.ts'
import type { DirectoryLock } from '@narthex/service/directory-lock'
import type { MetadataLog } from './metadata/metadata-log.ts'
import type { LateLog } from './wal/late-log.ts'
import type { LogRanges } from './wal/log-ranges.ts'
import type { WalWriter } from './wal/wal-writer.ts'
import type { ReplayResult } from './wal/replay.ts'
import type { StoreAdmin } from './store-admin.ts'
import { lateWindowsOf } from './store-late.ts'

export interface StoreOptions {
  /** A Prometheus data directory; made if it is missing. */
  readonly directory: string
  /** Blocks that ended this much before the newest one's end go. Default 15 days, 0 = no limit. */
  readonly retentionMs?: number
  /** Most bytes of blocks, log and head chunks: the oldest blocks go. Default 0: no limit. */
  readonly retentionBytesMax?: number
  /** Ceiling of the head's own memory. Default: by `defaultMemoryBytesMax`. */
  readonly memoryBytesMax?: number
  /** Most series in the head, and most of one metric name; 0 or absent = no limit. */
  readonly seriesMax?: number
  readonly seriesPerMetricMax?: number
  /** Whether native histograms with custom buckets are taken, which only Prometheus from 3.0 on can read of the log and the blocks. Default false. */
  readonly customBuckets?: boolean
  /** Whether records are compressed by snappy. Default true. */
  readonly walCompression?: boolean
  /** Bytes of the disk that are kept for what makes room when it is full; default 0. See `DiskReserve`. */
  readonly diskReserveBytes?: number
  /** Block range, default two hours, as also for 0 (`--storage.tsdb.min-block-duration`). */
  readonly chunkRangeMs?: number
  /** The longest range of a block (`--storage.tsdb.max-block-duration`); default a tenth of the retention, 31 days at most. */
  readonly maxBlockRangeMs?: number
  /** A Thanos sidecar's list of uploaded blocks: others are not compacted (`--storage.tsdb.delay-compact-file.path`). */
  readonly uploadedFile?: string
  /** Resolves when the queries that run now have ended: they know only the blocks there were when they began. */
  readonly readersEnded?: () => Promise<void>
  /** Whether nobody reads what a checkpoint would take that is made while `activeSegment` is written; `settledSegment`: see `CheckpointOptions`. Default: yes. */
  readonly mayCutLog?: (walDirectory: string, activeSegment: number, settledSegment: number) => boolean
  /** Exemplars that are kept in memory (`storage.exemplars.max_exemplars`); default 0: none. */
  readonly exemplarsMax?: number
  /** Whether metadata of series go into the log (`--enable-feature=metadata-wal-records`); those of a log are always read. */
  readonly logsMetadata?: boolean
  /** Who cuts, merges and checkpoints; default: a thread of its own. */
  readonly thread?: CompactorOptions['thread']
  /** `storage.tsdb.out_of_order_time_window`; not set: half an hour for samples that others send, none for scrapes and rules. */
  readonly outOfOrderWindowMs?: number
  /** Whether the head's state is written when the store is closed, and taken over by the next opening if nothing has changed. Default true. */
  readonly keepsHeadState?: boolean
  /** Told at an opening when the log is read, with the seconds that it took; another thread may still append of it, and this one has nothing to do. */
  readonly onLogRead?: (seconds: number) => void
  /** Of this program: a state of another one is not taken over. */
  readonly version?: string
  readonly log: Logger
  readonly registry?: Registry
  readonly now?: () => number
}

const compactionEveryMs = 60_000

/** What a store is made of; it owns all of it. */
export interface StoreParts {
  readonly head: Head
  readonly headChunks: HeadChunkWriter
  readonly exemplars: ExemplarStorage
  readonly metadata: MetadataLog
  readonly wal: WalWriter
  readonly logRanges: LogRanges
  readonly lateLog: LateLog
  readonly replay: ReplayResult
  readonly lock: DirectoryLock
  readonly blocks: BlockSet
  readonly compactor: Compactor
  readonly admin: StoreAdmin
  readonly disk: DiskGuard
  /** Writes the head's state for the next start; when all that the head writes to is closed. Never rejects. */
  writeState(): Promise<void>
}

/**
 * The head with its log on disk, and the blocks that were made of it. Commits are in the log before they are visible; a new process reads the
 * log again, or takes over the state that a clean stop has left. Every minute the compactor looks for what there is to do.
 */
export class Store {
  readonly head: Head
  readonly exemplars: ExemplarStorage
  readonly metadata: MetadataLog
  readonly wal: WalWriter
  readonly replay: ReplayResult
  readonly blocks: BlockSet
  readonly compactor: Compactor
  /** Deletions and snapshots. */
  readonly admin: StoreAdmin
  readonly disk: DiskGuard
  readonly #headChunks: HeadChunkWriter
  readonly #lateLog: LateLog
  readonly #lock: DirectoryLock
  readonly #writeState: () => Promise<void>
  readonly #timer: NodeJS.Timeout
  #filing: NodeJS.Immediate | undefined
  #closed: Promise<void> | undefined

  constructor(parts: StoreParts) {
    const { head, headChunks, exemplars, metadata, wal, logRanges, lateLog, replay, lock, blocks, compactor, admin, disk } = parts
    this.#writeState = () => parts.writeState()
    this.head = head
    this.exemplars = exemplars
    this.metadata = metadata
    this.wal = wal
    this.#headChunks = headChunks
    this.#lateLog = lateLog
    this.replay = replay
    this.blocks = blocks
    this.compactor = compactor
    this.admin = admin
    this.disk = disk
    head.onCommit = () => {
      if (head.closedChunks > 0) this.#fileSoon()
      logRanges.follow(head.memory.maxTime)
      compactor.offer()
    }
    disk.onReadOnly = () => void compactor.run()
    disk.start()
    this.#lock = lock
    this.#timer = setInterval(() => void compactor.run(), compactionEveryMs)
    this.#timer.unref()
  }

  /** Some milliseconds of each turn of the loop until all closed chunks are in files. */
  #fileSoon(): void {
    this.#filing ??= setImmediate(() => {
      this.#filing = undefined
      if (this.head.fileChunksOfTurn()) this.#fileSoon()
    })
  }

  /** From now on late samples are taken within this window of the configuration; undefined: it has none. */
  setOutOfOrderWindow(configuredMs: number | undefined): void {
    this.head.late.windows = lateWindowsOf(configuredMs)
  }

  /** Waits until everything acknowledged is on the disk. */
  async sync(): Promise<void> {
    await Promise.all([this.wal.sync(), this.#lateLog.sync()])
  }

  /**
   * Waits until everything acknowledged is on the disk, writes the head's state for the next start, and gives the directory back. Commits fail from here
   * on. `prolong` is told how many milliseconds the writing of the state may take, when all else is done.
   */
  close(prolong?: (ms: number) => void): Promise<void> {
    this.#closed ??= this.#close(prolong)
    return this.#closed
  }

  async #close(prolong?: (ms: number) => void): Promise<void> {
    clearInterval(this.#timer)
    await this.disk.stop()
    await this.compactor.stop()
    this.#settle()
    this.head.fileChunks()
    // The last commit may have asked for it; from here on the head stays as it is.
    clearImmediate(this.#filing)
    this.head.late.close()
    await this.disk.work(() => Promise.all([this.wal.close(), this.#lateLog.close(), this.#headChunks.close()]))
    prolong?.(stateWriteMsMax)
    await this.#writeState()
    this.#lock.release()
  }

  /** Series that no commit has written to the log go there. */
  #settle(): void {
    try {
      this.head.rollback()
      this.head.commit()
    } catch {
      // A full disk: then they come again, with their samples.
    }
  }
}
