import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '@narthex/service/logger'
import type { DiskGuard } from './disk-guard.ts'
import { ExemplarStorage } from './exemplars/exemplar-storage.ts'
import { Head } from './head/head.ts'
import type { HeadParts } from './head-state/head-state.ts'
import type { TakenState } from './head-state/head-state-file.ts'
import { MetadataLog } from './metadata/metadata-log.ts'
import type { Steps } from './steps.ts'
import { endRestore, openHeadChunks, resumeHeadChunks } from './store-head-chunks.ts'
import type { HeadChunks } from './store-head-chunks.ts'
import { lateDirectoryName, restoreLateSamples } from './store-late.ts'
import type { StoreOptions } from './store.ts'
import { HistogramReplay } from './wal/histogram-replay.ts'
import type { HistogramCounts } from './wal/histogram-replay.ts'
import { openLocalSource } from './wal/log-decoder.ts'
import { LogDecodingThread } from './wal/log-decoding-thread.ts'
import { listLog, listSegments } from './wal/log-files.ts'
import type { LogFile } from './wal/log-files.ts'
import { LogReferences } from './wal/log-references.ts'
import type { Damage } from './wal/repair.ts'
import type { LateReplay } from './wal/replay-late.ts'
import { exemplarsRecord, metadataRecord } from './wal/wal-format.ts'
import { replayLogInSteps } from './wal/replay.ts'
import type { ReplayResult } from './wal/replay.ts'

// How a head gets what a data directory has: from the logs, or from the state that a clean stop has left.

const threadLogBytesMin = 8 * 1024 * 1024
/** Looked at in a step, below a millisecond. */
const seriesPerStep = 10_000

/** How far the reading of the log is: numbers of segments. */
export interface ReplayProgress {
  min: number
  max: number
  current: number
}

/** How an opening goes on. */
export interface OpeningWay {
  readonly progress: ReplayProgress
  /** Other threads may work for it, for which steps wait. */
  readonly mayWait: boolean
  /** A thread that reads the log already; whoever uses it takes it from here. */
  ahead?: LogDecodingThread | undefined
  /** See `StoreOptions`. */
  readonly onRead?: ((seconds: number) => void) | undefined
}

/** A thread that begins to read the log of a data directory; undefined: so little is read before it would have started. */
export function startReading(segments: readonly LogFile[]): LogDecodingThread | undefined {
  const bytes = segments.reduce((sum, { path }) => sum + statSync(path).size, 0)
  return bytes >= threadLogBytesMin ? new LogDecodingThread(segments) : undefined
}

export interface Filling {
  /** The data directory. */
  readonly directory: string
  /** Of a head that nothing is in yet. */
  readonly parts: HeadParts
  /** What was before is in blocks. */
  readonly minTimeMs: number
  readonly retentionMs: number
  readonly disk: DiskGuard
  readonly log: Logger
  readonly way: OpeningWay
}

export interface FilledHead {
  readonly headChunks: Pick<HeadChunks, 'replay' | 'writer'>
  readonly replay: ReplayResult
  readonly lateReplay: Pick<LateReplay, 'nextSegment' | 'unreadRecords' | 'samplesRefused'>
  /** What the logs have and the head has not: another start may find memory for it, or know how to read it. */
  readonly lacks: string | undefined
}

/** What the logs of a data directory are read into; what ended before `minTimeMs` is in blocks. */
export function createParts(options: StoreOptions, memoryBytesMax: number, chunkRangeMs: number, minTimeMs: number): HeadParts {
  const { log } = options
  const head = new Head({
    memoryBytesMax,
    seriesMax: options.seriesMax ?? 0,
    seriesPerMetricMax: options.seriesPerMetricMax ?? 0,
    ...(options.now === undefined ? {} : { now: options.now }),
    chunkRangeMs,
  })
  head.refused.onTell = ({ reason, metric, series }, count) => log.warn('New series are refused', { count, reason, metric, series })
  head.refuseBefore(minTimeMs)
  const exemplars = new ExemplarStorage(head, options.exemplarsMax ?? 0)
  const metadata = new MetadataLog(head)
  head.onSeriesFreed = (ref) => {
    exemplars.forgetSeries(ref)
    metadata.forgetSeries(ref)
  }
  head.takesCustomBuckets = options.customBuckets ?? false
  return { head, exemplars, metadata, references: new LogReferences() }
}

/** Reads the logs, and tells what it found. */
export function* readLogs({ directory, parts, minTimeMs, retentionMs, disk, log, way }: Filling): Steps<FilledHead> {
  const { head, exemplars, metadata, references } = parts
  const headChunks = yield* openHeadChunks(directory, head, references, minTimeMs, disk, log)
  const histograms = new HistogramReplay(head)
  const replay = yield* replayLogInSteps(join(directory, 'wal'), head, {
    onDamage: (damage) => logDamage(log, damage),
    retentionMs: retentionMs || Infinity,
    references,
    restored: headChunks.replay.chunks > 0 ? headChunks.restored : undefined,
    onSegment: (min, max, current) => Object.assign(way.progress, { min, max, current }),
    onRead: way.onRead,
    openSource(segments) {
      const thread = way.ahead ?? (way.mayWait ? startReading(segments) : undefined)
      way.ahead = undefined
      return thread ?? openLocalSource(segments)
    },
    target: {
      histograms: (type, record, entries) => histograms.take(type, record, entries),
      tombstones: ({ refs, times, secondTimes, length }) => head.deletions.add(refs, times, secondTimes, length),
      exemplars: (record, entries) => exemplars.restore(record, entries, minTimeMs),
      metadata: (record, entries) => metadata.restore(record, entries),
    },
  })
  endRestore(headChunks, log)
  const lateDirectory = join(directory, lateDirectoryName)
  const lateReplay = yield* restoreLateSamples(lateDirectory, head, replay, retentionMs, log, (damage) => logDamage(log, damage))
  logReplay(log, replay)
  logHistograms(log, histograms.counts)
  return { headChunks, replay, lateReplay, lacks: findLack(replay, lateReplay, histograms.counts) }
}

/** After the state of a head was taken over: the files are as it left them, so nothing of them is read. */
export function* resumeHead({ directory, parts, minTimeMs, disk, log, way }: Filling, taken: TakenState): Steps<FilledHead> {
  const { head, references } = parts
  const headChunks = resumeHeadChunks(directory, head, references, taken.chunkFiles, disk, log)
  // Of a stop between the writing of a block and the dropping of what is in it.
  if (head.memory.minTime < minTimeMs) {
    for (let next = 1; next !== 0; yield) next = head.dropBefore(minTimeMs, next, seriesPerStep)
  }
  head.reclaim()
  const { nextSegment, segments } = listLog(join(directory, 'wal'))
  Object.assign(way.progress, { min: segments[0]?.index ?? 0, max: Math.max(0, nextSegment - 1), current: Math.max(0, nextSegment - 1) })
  const replay: ReplayResult = {
    series: head.seriesCount,
    samples: 0,
    seriesRefused: 0,
    samplesUnknown: 0,
    samplesOutOfOrder: 0,
    samplesRefused: 0,
    segments: 0,
    bytes: 0,
    damages: [],
    unreadRecords: new Map(),
    nextSegment,
    references,
    headRefOf: () => 0,
    seconds: taken.seconds,
  }
  const lateReplay = { nextSegment: nextLateSegment(directory), unreadRecords: new Map<number, number>(), samplesRefused: 0 }
  return { headChunks, replay, lateReplay, lacks: undefined }
}

function nextLateSegment(directory: string): number {
  const path = join(directory, lateDirectoryName)
  return existsSync(path) ? (listSegments(path).at(-1)?.index ?? -1) + 1 : 0
}

function findLack(replay: ReplayResult, late: LateReplay, histograms: HistogramCounts): string | undefined {
  if (replay.unreadRecords.size > 0 || late.unreadRecords.size > 0) return 'the logs have records that are not known'
  const refused = replay.seriesRefused + replay.samplesRefused + late.samplesRefused + histograms.refused
  return refused > 0 ? 'the logs have series or samples that were refused' : undefined
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
export function hasUnreadData({ unreadRecords }: ReplayResult): boolean {
  return [...unreadRecords.keys()].some((type) => type !== exemplarsRecord && type !== metadataRecord)
}
