import { join } from 'node:path'
import type { Logger } from '@narthex/service/logger'
import { makeDirectory } from '@narthex/service/make-directory'
import type { Registry } from '@narthex/service/metrics'
import { floatHistogramEncoding, floatHistogramStEncoding, isKnownEncoding, xor2Encoding, xorEncoding } from './chunk/chunk-encoding.ts'
import { floatChunk, floatHistogramChunk, histogramChunk } from './chunk/open-chunk.ts'
import type { DiskGuard } from './disk-guard.ts'
import { isDiskFull } from './disk-reserve.ts'
import type { Head } from './head/head.ts'
import type { RestoredChunks } from './head/restored-chunks.ts'
import type { ChunkFileList } from './head-state/head-state.ts'
import { HeadChunkWriter } from './head-chunks/head-chunk-writer.ts'
import { replayHeadChunksInSteps } from './head-chunks/replay-head-chunks.ts'
import type { HeadChunkDamage, HeadChunkReplay } from './head-chunks/replay-head-chunks.ts'
import type { Steps } from './steps.ts'
import { lateDirectoryName } from './store-late.ts'
import { hasMarkers } from './wal/wbl.ts'
import type { LogReferences } from './wal/log-references.ts'

/** Files of closed chunks, in the data directory. */
export const headChunksDirectoryName = 'chunks_head'

export interface HeadChunks {
  /** What the files have, for the replay of the log. */
  readonly restored: RestoredChunks
  readonly replay: HeadChunkReplay
  readonly writer: HeadChunkWriter
}

/**
 * Reads the files of closed chunks of a data directory, and lets the head write there from now on. What ended before `minTimeMs` is in blocks. Their
 * references are noted, as a power failure may have taken their series from the log.
 */
export function* openHeadChunks(
  dataDirectory: string,
  head: Head,
  references: LogReferences,
  minTimeMs: number,
  disk: Pick<DiskGuard, 'noteFailure'>,
  log: Logger,
): Steps<HeadChunks> {
  const directory = join(dataDirectory, headChunksDirectoryName)
  makeDirectory(directory)
  const restored = head.restoreChunks()
  const replay = yield* replayHeadChunksInSteps(
    directory,
    (chunk, bytes) => {
      const { seriesRef, minTimeMs: firstMs, maxTimeMs: lastMs, encoding, file, offset, data } = chunk
      references.note(seriesRef)
      // Late samples are in the log of late samples, too.
      if (chunk.isOutOfOrder || lastMs < minTimeMs) return
      const samples = isKnownEncoding(encoding) && data.length >= 2 ? (data[0]! << 8) | data[1]! : 0
      restored.add(seriesRef, kindOf(encoding), samples, firstMs, lastMs, { file, offset, bytes })
    },
    (damage) => logDamage(log, damage),
  )
  return { restored, replay, writer: startFiling(dataDirectory, head, references, replay.files, disk, log) }
}

/** As `openHeadChunks`, for a head that has its chunks already, which were in `files`: nothing is read. */
export function resumeHeadChunks(
  dataDirectory: string,
  head: Head,
  references: LogReferences,
  files: ChunkFileList,
  disk: Pick<DiskGuard, 'noteFailure'>,
  log: Logger,
): Pick<HeadChunks, 'replay' | 'writer'> {
  const directory = join(dataDirectory, headChunksDirectoryName)
  makeDirectory(directory)
  const replay: HeadChunkReplay = { files: [], chunks: 0, bytes: 0, damages: [], last: undefined, seconds: 0 }
  return { replay, writer: startFiling(dataDirectory, head, references, files, disk, log) }
}

function startFiling(
  dataDirectory: string,
  head: Head,
  references: LogReferences,
  files: ChunkFileList,
  disk: Pick<DiskGuard, 'noteFailure'>,
  log: Logger,
): HeadChunkWriter {
  const directory = join(dataDirectory, headChunksDirectoryName)
  const writer = new HeadChunkWriter({
    directory,
    files,
    onWriteError(cause) {
      disk.noteFailure(cause)
      if (!isDiskFull(cause)) log.error('Writing chunks of the head failed; they stay in memory', { dir: directory, err: cause.message })
    },
    onError: (cause) => log.error('Syncing or deleting chunks of the head failed', { dir: directory, err: cause.message }),
  })
  const isHeld = mustHoldChunks(dataDirectory)
  if (isHeld) log.info('Closed chunks stay in memory until the late samples of another program are in blocks')
  head.startFiling(writer, (ref) => references.of(ref), isHeld)
  return writer
}

/**
 * Whether a Prometheus would lose samples if there were newer files of chunks. Its log of late samples has markers: the samples before one are in a chunk
 * of a file, if there is any chunk at or behind that place. But the file may be gone, damaged, or not have been written when it was killed.
 */
export function mustHoldChunks(dataDirectory: string): boolean {
  return hasMarkers(join(dataDirectory, lateDirectoryName))
}

/** Once the log is read: what no series got is forgotten. */
export function endRestore({ restored, replay }: HeadChunks, log: Logger): void {
  restored.end()
  const { files, chunks, bytes, seconds } = replay
  if (chunks === 0) return
  log.info('Head chunks are read', { files: files.length, bytes, chunks, used: restored.attached, duration: `${seconds.toFixed(3)}s` })
  if (restored.unusable > 0) {
    log.warn('Head chunks of some series are not in order; their samples are read from the log', { series: restored.unusable })
  }
}

/** What the metrics of Prometheus have about chunks in files. */
export function registerHeadChunkMetrics(registry: Registry, head: Head, replay: HeadChunkReplay, bytesOnDisk: () => number): void {
  const chunks = registry.counter('prometheus_tsdb_mmap_chunks_total', 'Total number of chunks that were memory-mapped.').labels()
  const damages = registry
    .counter('prometheus_tsdb_mmap_chunk_corruptions_total', 'Total number of memory-mapped chunk corruptions.')
    .labels()
  const size = registry.gauge('prometheus_tsdb_head_chunks_storage_size_bytes', 'Size of the chunks_head directory.').labels()
  damages.setTotal(replay.damages.filter(({ kind }) => kind !== 'after').length)
  registry.onCollect(() => {
    chunks.setTotal(head.stats().chunksFiled)
    size.set(bytesOnDisk())
  })
}

function logDamage(log: Logger, { path, offset, bytes, kind, setAside, reason }: HeadChunkDamage): void {
  if (kind === 'torn') log.warn('Torn end of a file of head chunks cut off', { file: path, offset, bytes, err: reason })
  else
    log.warn('Damaged head chunks set aside; their samples are read from the log', { file: path, offset, bytes, to: setAside, err: reason })
}

function kindOf(encoding: number): number {
  if (encoding === xorEncoding || encoding === xor2Encoding) return floatChunk
  return encoding === floatHistogramEncoding || encoding === floatHistogramStEncoding ? floatHistogramChunk : histogramChunk
}
