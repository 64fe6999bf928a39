import type { Registry, SummaryCell } from '@narthex/service/metrics'
import type { BlockSet } from './compact/block-set.ts'
import { chunkBounds } from './compact/chunk-statistics.ts'
import type { Compactor } from './compact/compactor.ts'
import type { DiskGuard } from './disk-guard.ts'
import type { Head } from './head/head.ts'
import { registerSeriesLimitMetrics } from './series-limit-metrics.ts'
import type { StoreAdmin } from './store-admin.ts'
import type { WalWriter } from './wal/wal-writer.ts'
import type { ReplayResult } from './wal/replay.ts'

// What Prometheus prints for the times of an empty head: Go's largest and smallest int64.
const emptyMinTime = 2 ** 63
const emptyMaxTime = -(2 ** 63)

export interface StoreState {
  readonly head: Head
  readonly wal: WalWriter
  readonly replay: ReplayResult
  readonly wasLeftBehind: boolean
  readonly memoryBytesMax: number
  readonly blocks: BlockSet
  readonly compactor: Compactor
  readonly admin: StoreAdmin
  readonly disk: DiskGuard
}

/** The store's metrics under Prometheus' names, and ours; gives the cell for fsync durations. */
export function registerStoreMetrics(registry: Registry, state: StoreState): SummaryCell {
  const { head, wal, replay } = state
  const gauge = (name: string, help: string, read: () => number): void => {
    const cell = registry.gauge(name, help).labels()
    registry.onCollect(() => cell.set(read()))
  }
  const counter = (name: string, help: string, read: () => number): void => {
    const cell = registry.counter(name, help).labels()
    registry.onCollect(() => cell.setTotal(read()))
  }
  const byType = (name: string, help: string, readAll: () => number, readHistograms: () => number): void => {
    const metric = registry.counter(name, help, ['type'])
    const floats = metric.labels('float')
    const histograms = metric.labels('histogram')
    registry.onCollect(() => {
      floats.setTotal(readAll() - readHistograms())
      histograms.setTotal(readHistograms())
    })
  }
  const minTime = (): number => (head.memory.minTime === Infinity ? emptyMinTime : head.memory.minTime)
  const lowestTime = (): number => state.blocks.blocks[0]?.meta.minTime ?? minTime()
  const maxTime = (): number => (head.memory.maxTime === -Infinity ? emptyMaxTime : head.memory.maxTime)

  gauge('prometheus_tsdb_head_series', 'Total number of series in the head block.', () => head.seriesCount)
  gauge('prometheus_tsdb_head_chunks', 'Total number of chunks in the head block.', () => head.stats().chunks)
  counter('prometheus_tsdb_head_chunks_created_total', 'Total number of chunks created in the head', () => head.counters.chunksCreated)
  counter('prometheus_tsdb_head_chunks_removed_total', 'Total number of chunks removed in the head', () => head.counters.chunksRemoved)
  counter('prometheus_tsdb_head_series_created_total', 'Total number of series created in the head', () => head.counters.seriesCreated)
  counter('prometheus_tsdb_head_series_removed_total', 'Total number of series removed in the head', () => head.counters.seriesRemoved)
  counter('prometheus_tsdb_head_series_not_found_total', 'Total number of requests for series that were not found.', () => 0)
  byType(
    'prometheus_tsdb_head_samples_appended_total',
    'Total number of appended samples.',
    () => head.counters.samplesAppended,
    () => head.counters.histogramsAppended,
  )
  byType(
    'prometheus_tsdb_out_of_order_samples_total',
    'Total number of out of order samples ingestion failed attempts due to out of order being disabled.',
    () => head.counters.outOfOrder,
    () => head.counters.histogramsOutOfOrder,
  )
  byType(
    'prometheus_tsdb_out_of_bound_samples_total',
    'Total number of out of bound samples ingestion failed attempts with out of order support disabled.',
    () => head.counters.outOfBounds,
    () => head.counters.histogramsOutOfBounds,
  )
  byType(
    'prometheus_tsdb_too_old_samples_total',
    'Total number of out of order samples ingestion failed attempts with out of support enabled, but sample outside of time window.',
    () => head.counters.tooOld,
    () => head.counters.histogramsTooOld,
  )
  gauge('prometheus_tsdb_head_min_time', 'Minimum time bound of the head block. The unit is decided by the library consumer.', minTime)
  gauge('prometheus_tsdb_head_max_time', 'Maximum timestamp of the head block. The unit is decided by the library consumer.', maxTime)
  gauge('prometheus_tsdb_head_min_time_seconds', 'Minimum time bound of the head block.', () => minTime() / 1000)
  gauge('prometheus_tsdb_head_max_time_seconds', 'Maximum timestamp of the head block.', () => maxTime() / 1000)
  gauge(
    'prometheus_tsdb_lowest_timestamp',
    'Lowest timestamp value stored in the database. The unit is decided by the library consumer.',
    lowestTime,
  )
  gauge('prometheus_tsdb_lowest_timestamp_seconds', 'Lowest timestamp value stored in the database.', () => lowestTime() / 1000)
  gauge('prometheus_tsdb_symbol_table_size_bytes', 'Size of symbol table in memory for loaded blocks', () => head.memory.symbols.usedBytes)
  gauge(
    'prometheus_tsdb_clean_start',
    '-1: lockfile is disabled. 0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean',
    () => (state.wasLeftBehind ? 0 : 1),
  )
  gauge('prometheus_tsdb_data_replay_duration_seconds', 'Time taken to replay the data on disk.', () => replay.seconds)
  counter('prometheus_tsdb_wal_corruptions_total', 'Total number of WAL corruptions.', () => replay.damages.length)
  gauge('prometheus_tsdb_wal_segment_current', 'Write log segment index that TSDB is currently writing to.', () => wal.segment)
  counter('prometheus_tsdb_wal_completed_pages_total', 'Total number of completed pages.', () => wal.pagesCompleted)
  counter('prometheus_tsdb_wal_page_flushes_total', 'Total number of page flushes.', () => wal.flushes)
  counter('prometheus_tsdb_wal_writes_failed_total', 'Total number of write log writes that failed.', () => wal.writesFailed)

  registerBlockMetrics(state, gauge, counter)
  registerCompactionDurations(registry, state.compactor)
  const cleanups = registry
    .histogram('prometheus_tsdb_tombstone_cleanup_seconds', 'The time taken to recompact blocks to remove tombstones.')
    .labels()
  state.admin.onCleaned = (seconds) => cleanups.observe(seconds)
  registerDiskMetrics(state.disk, gauge, counter)

  registerSeriesLimitMetrics(registry, head)
  gauge('narthex_tsdb_head_memory_bytes', 'Memory of the head: series, labels, postings, chunks and tables.', () => head.usedBytes)
  gauge('narthex_tsdb_head_memory_ceiling_bytes', 'Ceiling of the memory of the head.', () => state.memoryBytesMax)
  counter(
    'narthex_tsdb_head_series_refused_total',
    'Series refused for the memory ceiling or broken labels.',
    () => head.counters.seriesRefused,
  )
  counter('narthex_tsdb_head_samples_refused_total', 'Samples refused at the memory ceiling.', () => head.counters.ceilingRefused)
  counter(
    'narthex_tsdb_head_histograms_dropped_total',
    'Native histograms that are in the log and found no memory in the head: a restart with more of it has them.',
    () => head.counters.histogramsDropped,
  )
  counter(
    'narthex_tsdb_head_duplicate_samples_total',
    'Samples refused for another value at the same time.',
    () => head.counters.duplicates,
  )
  return registry.summary('prometheus_tsdb_wal_fsync_duration_seconds', 'Duration of write log fsync.', [], [0.5, 0.9, 0.99]).labels()
}

type Register = (name: string, help: string, read: () => number) => void

function registerBlockMetrics({ blocks, compactor }: StoreState, gauge: Register, counter: Register): void {
  const { counts, retention } = compactor
  gauge('prometheus_tsdb_blocks_loaded', 'Number of currently loaded data blocks', () => blocks.blocks.length)
  gauge(
    'prometheus_tsdb_storage_blocks_bytes',
    'The number of bytes that are currently used for local storage by all blocks.',
    () => blocks.bytes,
  )
  gauge(
    'prometheus_tsdb_retention_limit_bytes',
    'Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled',
    () => retention.bytesMax,
  )
  gauge('prometheus_tsdb_retention_limit_seconds', 'How long to retain samples in storage.', () => retention.timeMs / 1000)
  counter('prometheus_tsdb_compactions_triggered_total', 'Total number of triggered compactions for the partition.', () => counts.triggered)
  counter(
    'prometheus_tsdb_compactions_total',
    'Total number of compactions that were executed for the partition.',
    () => counts.cuts + counts.merges,
  )
  counter('prometheus_tsdb_compactions_failed_total', 'Total number of compactions that failed for the partition.', () => counts.failed)
  counter('prometheus_tsdb_head_truncations_total', 'Total number of head truncations attempted.', () => counts.truncations)
  counter('prometheus_tsdb_vertical_compactions_total', 'Total number of compactions done on overlapping blocks.', () => counts.overlaps)
  // Compactions are never switched off.
  counter('prometheus_tsdb_compactions_skipped_total', 'Total number of skipped compactions due to disabled auto compaction.', () => 0)
  gauge('prometheus_tsdb_compaction_populating_block', 'Set to 1 when a block is currently being written to the disk.', () =>
    compactor.isWriting ? 1 : 0,
  )
  counter('prometheus_tsdb_head_truncations_failed_total', 'Total number of head truncations that failed.', () => counts.truncationsFailed)
  // The log is cut down by a checkpoint, and what is older deleted with it.
  counter('prometheus_tsdb_wal_truncations_total', 'Total number of write log truncations attempted.', () => counts.checkpoints)
  counter(
    'prometheus_tsdb_wal_truncations_failed_total',
    'Total number of write log truncations that failed.',
    () => counts.checkpointsFailed,
  )
  counter('prometheus_tsdb_checkpoint_deletions_total', 'Total number of checkpoint deletions attempted.', () => counts.checkpoints)
  counter(
    'prometheus_tsdb_checkpoint_deletions_failed_total',
    'Total number of checkpoint deletions that failed.',
    () => counts.checkpointsFailed,
  )
  counter('prometheus_tsdb_reloads_total', 'Number of times the database reloaded block data from disk.', () => blocks.reloads.count)
  counter(
    'prometheus_tsdb_reloads_failures_total',
    'Number of times the database failed to reloadBlocks block data from disk.',
    () => blocks.reloads.failures,
  )
  counter('prometheus_tsdb_checkpoint_creations_total', 'Total number of checkpoint creations attempted.', () => counts.checkpoints)
  counter(
    'prometheus_tsdb_checkpoint_creations_failed_total',
    'Total number of checkpoint creations that failed.',
    () => counts.checkpointsFailed,
  )
  counter(
    'prometheus_tsdb_time_retentions_total',
    'The number of times that blocks were deleted because the maximum time limit was exceeded.',
    () => counts.timeRetentions,
  )
  counter(
    'prometheus_tsdb_size_retentions_total',
    'The number of times that blocks were deleted because the maximum number of bytes was exceeded.',
    () => counts.sizeRetentions,
  )
}

const blockSeconds = Array.from({ length: 14 }, (_, i) => 2 ** i)

function registerCompactionDurations(registry: Registry, compactor: Compactor): void {
  const blocks = registry.histogram('prometheus_tsdb_compaction_duration_seconds', 'Duration of compaction runs', [], blockSeconds).labels()
  const chunkBytes = registry.histogram(
    'prometheus_tsdb_compaction_chunk_size_bytes',
    'Final size of chunks on their first compaction',
    [],
    chunkBounds.bytes,
  )
  const chunkSamples = registry.histogram(
    'prometheus_tsdb_compaction_chunk_samples',
    'Final number of samples on their first compaction',
    [],
    chunkBounds.samples,
  )
  const chunkRange = registry.histogram(
    'prometheus_tsdb_compaction_chunk_range_seconds',
    'Final time range of chunks on their first compaction',
    [],
    chunkBounds.rangeMs,
  )
  const cells = { bytes: chunkBytes.labels(), samples: chunkSamples.labels(), rangeMs: chunkRange.labels() }
  const collection = registry
    .summary('prometheus_tsdb_head_gc_duration_seconds', 'Runtime of garbage collection in the head block.')
    .labels()
  const truncation = registry.summary('prometheus_tsdb_wal_truncate_duration_seconds', 'Duration of WAL truncation.').labels()
  compactor.durations = {
    onBlock: (seconds) => blocks.observe(seconds),
    onChunks: ({ bytes, samples, rangeMs }) => {
      cells.bytes.merge(bytes)
      cells.samples.merge(samples)
      cells.rangeMs.merge(rangeMs)
    },
    onTruncation: (seconds) => collection.observe(seconds),
    onCheckpoint: (seconds) => truncation.observe(seconds),
  }
}

function registerDiskMetrics(disk: DiskGuard, gauge: Register, counter: Register): void {
  gauge('narthex_tsdb_disk_read_only', 'Whether writes are refused for want of room on the disk.', () => (disk.isReadOnly ? 1 : 0))
  gauge('narthex_tsdb_disk_free_bytes', 'Room on the disk of the data directory, without the reserve.', () => disk.freeBytes)
  gauge('narthex_tsdb_disk_reserve_bytes', 'Bytes that are kept for what makes room on a full disk.', () => disk.reserve.bytes)
  counter('narthex_tsdb_disk_full_total', 'Times that the disk had no room and writes were refused.', () => disk.timesFull)
  counter('narthex_tsdb_disk_writes_refused_total', 'Writes refused for want of room on the disk.', () => disk.writesRefused)
}
