import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import type { Head } from './head/head.ts'
import type { LateWindows } from './head/late-window.ts'
import type { LateLog } from './wal/late-log.ts'
import type { Steps } from './steps.ts'
import { replayLateSamples } from './wal/replay-late.ts'
import type { LateReplay } from './wal/replay-late.ts'
import type { Damage } from './wal/repair.ts'
import type { ReplayResult } from './wal/replay.ts'

/** Of the log of late samples, in the data directory. */
export const lateDirectoryName = 'wbl'
/** Of samples that others send, if the configuration says nothing: a sender that was cut off for a while, or several side by side. */
const receivedWindowDefaultMs = 30 * 60 * 1000
/** Of the head's memory: with more late samples they go into blocks, as far as they can, before the head is cut. */
export const lateShareOfMemory = 1 / 8

/** `configuredMs`: `storage.tsdb.out_of_order_time_window`, which is for all samples; undefined if it is not set. */
export function lateWindowsOf(configuredMs: number | undefined): LateWindows {
  if (configuredMs === undefined) return { receivedMs: receivedWindowDefaultMs, ownMs: 0 }
  return { receivedMs: configuredMs, ownMs: configuredMs }
}

/** Reads the log of late samples into a head that has just read its log, and tells what it found. */
export function* restoreLateSamples(
  directory: string,
  head: Head,
  replay: ReplayResult,
  retentionMs: number,
  log: Logger,
  onDamage: (damage: Damage) => void,
): Steps<LateReplay> {
  const startMs = performance.now()
  const newestMs = Math.max(head.memory.maxTime, head.cutBeforeMs)
  const restored = yield* replayLateSamples(directory, head, replay, newestMs - (retentionMs || Infinity), onDamage)
  const { segments, samples, samplesUnknown, samplesRefused, histogramsUnusable, unreadRecords } = restored
  if (segments > 0) {
    log.info('WBL replay completed', { segments, samples, duration: `${((performance.now() - startMs) / 1000).toFixed(3)}s` })
  }
  if (samplesUnknown > 0) log.warn('Late samples of the log belong to no series', { samples: samplesUnknown })
  if (samplesRefused > 0) log.warn('Late samples found no memory in the head; they stay in the log', { samples: samplesRefused })
  if (histogramsUnusable > 0) log.warn('Late native histograms of the log cannot be used', { histograms: histogramsUnusable })
  for (const [type, count] of unreadRecords) {
    log.warn('Records of the log of late samples are not read yet: it is not cut down', { type, count })
  }
  return restored
}

/** What the metrics of Prometheus have about late samples. */
export function registerLateMetrics(registry: Registry, head: Head, lateLog: LateLog): void {
  const appended = registry.counter(
    'prometheus_tsdb_head_out_of_order_samples_appended_total',
    'Total number of appended out of order samples.',
    ['type'],
  )
  const floats = appended.labels('float')
  const histograms = appended.labels('histogram')
  registry.onCollect(() => {
    floats.setTotal(head.counters.lateAppended)
    histograms.setTotal(head.counters.lateHistogramsAppended)
  })
  const delta = registry
    .histogram(
      'prometheus_tsdb_sample_ooo_delta',
      'Delta in seconds by which a sample is considered out of order (reported regardless of OOO time window and whether sample is accepted or not).',
      [],
      [600, 1800, 3600, 7200, 10_800, 21_600, 43_200],
    )
    .labels()
  head.late.onDelta = (seconds) => delta.observe(seconds)
  const prefix = 'prometheus_tsdb_out_of_order_wbl_'
  const counter = (name: string, help: string, read: () => number): void => {
    const cell = registry.counter(`${prefix}${name}`, help).labels()
    registry.onCollect(() => cell.setTotal(read()))
  }
  const segment = registry.gauge(`${prefix}segment_current`, 'Write log segment index that TSDB is currently writing to.').labels()
  registry.onCollect(() => segment.set(lateLog.figures.segment))
  counter('completed_pages_total', 'Total number of completed pages.', () => lateLog.figures.pagesCompleted)
  counter('page_flushes_total', 'Total number of page flushes.', () => lateLog.figures.flushes)
  counter('writes_failed_total', 'Total number of write log writes that failed.', () => lateLog.figures.writesFailed)
  counter('truncations_total', 'Total number of write log truncations attempted.', () => lateLog.truncations)
  counter('truncations_failed_total', 'Total number of write log truncations that failed.', () => lateLog.truncationsFailed)
  const syncs = registry.summary(`${prefix}fsync_duration_seconds`, 'Duration of write log fsync.', [], [0.5, 0.9, 0.99]).labels()
  lateLog.onSync = (seconds) => syncs.observe(seconds)
}
