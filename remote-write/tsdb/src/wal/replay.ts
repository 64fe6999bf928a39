import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@narthex/bytes/crc32c'
import type { Head } from '../head/head.ts'
import { RecordReader } from './record-reader.ts'
import type { RecordCounts } from './record-reader.ts'
import { SegmentReader } from './segment-reader.ts'
import { SeriesMap } from './series-map.ts'
import { CorruptionError, fragmentHeaderBytes, pageBytes, samplesRecord, seriesRecord } from './wal-format.ts'

/** Damage that was found and dealt with. */
export interface Damage {
  readonly path: string
  /** Where the damaged record begins; everything before it was read. */
  readonly offset: number
  /** 'torn': the end of the newest segment, cut off. 'corrupt': moved to `setAside`. */
  readonly kind: 'torn' | 'corrupt'
  readonly setAside?: string
  readonly bytes: number
  readonly reason: string
}

export interface ReplayResult extends Readonly<RecordCounts> {
  readonly segments: number
  readonly bytes: number
  readonly damages: readonly Damage[]
  /** Records by type that are not read (histograms, exemplars, …); they stay in the log. */
  readonly unreadRecords: ReadonlyMap<number, number>
  /** Index for the next segment. */
  readonly nextSegment: number
  /** To be added to the head's references in new segments; 0 if the log's references are the head's. */
  readonly refBase: number
  readonly seconds: number
}

/**
 * Reads the log of a data directory into an empty head: the newest checkpoint, then the segments after it. Memory is bounded by
 * one record beside the head. A torn tail is cut off. Damage further in ends its segment: the rest of it is moved to
 * `<segment>.corrupt-<n>`, and reading goes on with the next segment (samples of series that are thereby unknown are counted).
 * What is older than the retention is dropped from the head after each segment, so that it leaves room for what is newer.
 */
export function replayLog(directory: string, head: Head, onDamage: (damage: Damage) => void, retentionMs = Infinity): ReplayResult {
  const start = performance.now()
  const counts: RecordCounts = { series: 0, samples: 0, seriesRefused: 0, samplesUnknown: 0, samplesOutOfOrder: 0, samplesRefused: 0 }
  const map = new SeriesMap()
  const unread = new Map<number, number>()
  const damages: Damage[] = []
  const records = new RecordReader(head, map, counts)
  const { paths, nextSegment } = listLog(directory)
  let bytes = 0
  head.startReplay()
  for (const [i, path] of paths.entries()) {
    const segment = new SegmentReader(path)
    bytes += segment.size
    let damage: CorruptionError | undefined
    try {
      readSegment(segment, records, unread)
    } catch (error) {
      // Numbers that end early in a record of good checksum are damage of the writer's making.
      if (error instanceof CorruptionError) damage = error
      else if (error instanceof RangeError)
        damage = new CorruptionError(`cannot read record at offset ${segment.recordOffset}`, { cause: error })
      else throw error
    } finally {
      segment.close()
    }
    records.commit()
    const cutoffMs = head.memory.maxTime - retentionMs
    if (head.memory.minTime < cutoffMs) head.dropBefore(cutoffMs, 1, head.seriesCount)
    if (damage === undefined) continue
    const dealtWith = repair(path, segment.recordOffset, segment.size, i === paths.length - 1, damage)
    damages.push(dealtWith)
    onDamage(dealtWith)
  }
  return {
    ...counts,
    segments: paths.length,
    bytes,
    damages,
    unreadRecords: unread,
    nextSegment,
    refBase: map.isIdentity ? 0 : Math.max(map.highest, head.seriesCount),
    seconds: (performance.now() - start) / 1000,
  }
}

function readSegment(segment: SegmentReader, records: RecordReader, unread: Map<number, number>): void {
  for (let record = segment.next(); record !== undefined; record = segment.next()) {
    const type = record[0]
    if (type === undefined) continue
    if (type === seriesRecord) records.readSeries(record)
    else if (type === samplesRecord) records.readSamples(record)
    else unread.set(type, (unread.get(type) ?? 0) + 1)
  }
}

/** The segments to read in order. Other names in the directory are left alone. */
function listLog(directory: string): { paths: string[]; nextSegment: number } {
  const names = readdirSync(directory)
  const checkpoints = names.flatMap((name) => /^checkpoint\.(\d+)$/.exec(name)?.[1] ?? []).sort((a, b) => Number(a) - Number(b))
  const newest = checkpoints.at(-1)
  const covered = newest === undefined ? -1 : Number(newest)
  const inCheckpoint = newest === undefined ? [] : listSegments(join(directory, `checkpoint.${newest}`))
  const segments = listSegments(directory)
  const last = segments.at(-1)?.index ?? -1
  return {
    paths: [...inCheckpoint, ...segments.filter(({ index }) => index > covered)].map(({ path }) => path),
    nextSegment: Math.max(last, covered) + 1,
  }
}

function listSegments(directory: string): { index: number; path: string }[] {
  return readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ index: Number(name), path: join(directory, name) }))
    .sort((a, b) => a.index - b.index)
}

function repair(path: string, offset: number, size: number, isNewest: boolean, cause: CorruptionError): Damage {
  const found = { path, offset, bytes: size - offset, reason: cause.message }
  if (isNewest && !hasFragmentAfter(path, offset, size)) {
    truncateSync(path, offset)
    return { ...found, kind: 'torn' }
  }
  let number = 1
  while (existsSync(`${path}.corrupt-${number}`)) number++
  const setAside = `${path}.corrupt-${number}`
  copyTail(path, offset, setAside)
  truncateSync(path, offset)
  return { ...found, kind: 'corrupt', setAside }
}

/** Whether a later page begins with a fragment of good checksum, so that the damage is not just an unfinished write. */
function hasFragmentAfter(path: string, offset: number, size: number): boolean {
  const page = new Uint8Array(pageBytes)
  const fd = openSync(path, 'r')
  try {
    for (let start = (Math.floor(offset / pageBytes) + 1) * pageBytes; start < size; start += pageBytes) {
      const length = readSync(fd, page, 0, pageBytes, start)
      const count = (page[1]! << 8) | page[2]!
      if (page[0] === 0 || length < fragmentHeaderBytes + count) continue
      const stored = ((page[3]! << 24) | (page[4]! << 16) | (page[5]! << 8) | page[6]!) >>> 0
      if (crc32c(page, fragmentHeaderBytes, fragmentHeaderBytes + count) === stored) return true
    }
    return false
  } finally {
    closeSync(fd)
  }
}

function copyTail(path: string, offset: number, target: string): void {
  const buffer = new Uint8Array(1024 * 1024)
  const fd = openSync(path, 'r')
  try {
    for (let at = offset; ;) {
      const count = readSync(fd, buffer, 0, buffer.length, at)
      if (count === 0) return
      appendFileSync(target, buffer.subarray(0, count))
      at += count
    }
  } finally {
    closeSync(fd)
  }
}
