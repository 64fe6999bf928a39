import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { Matcher } from '@narthex/model/matcher'
import { silentLogger } from '@narthex/service/logger'
import { BlockReader } from '@narthex/tsdb/block/block-reader'
import { PageCache } from '@narthex/tsdb/block/page-cache'
import { Tombstones } from '@narthex/tsdb/block/tombstones'
import { fileHeaderBytes, headChunkFileName } from '@narthex/tsdb/head-chunks/head-chunk-format'
import { replayHeadChunks } from '@narthex/tsdb/head-chunks/replay-head-chunks'
import { openStore } from '@narthex/tsdb/open-store'
import { SegmentReader } from '@narthex/tsdb/wal/segment-reader'
import { fragmentHeaderBytes, pageBytes } from '@narthex/tsdb/wal/wal-format'
import { commitAll, createRefs } from './known-series.ts'

// A small data directory with every kind of file, and what is to be found in it.

export const damageChunkRangeMs = 600
/** Of series 3, in the first block. */
export const deletedMs = { series: 3, first: 100, last: 199 }

export interface KnownDirectory {
  readonly path: string
  readonly timesMs: readonly number[]
  /** Files by kind, relative to the directory. */
  readonly files: ReadonlyMap<FileKind, readonly string[]>
  /** What a file may take away with it, [first, last] in milliseconds. */
  readonly ranges: ReadonlyMap<string, readonly [number, number]>
  /** Where records and chunks begin: a file of the log or of head chunks that is cut off there is whole to every reader. */
  readonly boundaries: ReadonlyMap<string, ReadonlySet<number>>
}

export const fileKinds = ['segment', 'checkpoint', 'index', 'chunks', 'tombstones', 'meta', 'head-chunks', 'lock'] as const
export type FileKind = (typeof fileKinds)[number]

export async function makeKnownDirectory(path: string): Promise<KnownDirectory> {
  const store = openStore({
    directory: path,
    chunkRangeMs: damageChunkRangeMs,
    maxBlockRangeMs: 3 * damageChunkRangeMs,
    retentionMs: 1e9,
    // The logs are what is damaged and read.
    keepsHeadState: false,
    log: silentLogger,
  })
  const refs = createRefs(store)
  const timesMs: number[] = []
  const segmentRanges = new Map<number, [number, number]>()
  const endMs = 5.3 * damageChunkRangeMs
  for (let timeMs = 7; timeMs < endMs; timeMs += 2) {
    // A commit that reaches the next range of blocks begins another segment after it.
    const { segment } = store.wal
    commitAll(store, refs, timeMs)
    timesMs.push(timeMs)
    segmentRanges.set(segment, [segmentRanges.get(segment)?.[0] ?? timeMs, timeMs])
    if ((timeMs - 7) % 100 === 0) await store.compactor.run()
    // So that the log behind the checkpoint has segments to lose, and others to keep.
    if (timeMs > endMs - 400 && (timeMs - 7) % 150 === 0) store.wal.nextSegment()
  }
  await store.compactor.run()
  const blocks = store.blocks.blocks.map(({ meta }) => meta)
  await store.close()
  writeTombstones(join(path, blocks[0]!.ulid))

  const ranges = new Map<string, readonly [number, number]>()
  for (const { ulid, minTime, maxTime } of blocks) ranges.set(ulid, [minTime, maxTime])
  for (const [index, range] of segmentRanges) ranges.set(`wal/${String(index).padStart(8, '0')}`, range)
  const files = listFiles(path)
  const boundaries = new Map<string, Set<number>>()
  for (const kind of ['segment', 'checkpoint'] as const) {
    for (const name of files.get(kind) ?? []) boundaries.set(name, findRecords(join(path, name)))
  }
  for (const name of files.get('head-chunks') ?? []) boundaries.set(name, new Set([fileHeaderBytes]))
  const noDamage = (): void => undefined
  replayHeadChunks(
    join(path, 'chunks_head'),
    ({ file, offset }) => boundaries.get(`chunks_head/${headChunkFileName(file)}`)!.add(offset),
    noDamage,
  )
  return { path, timesMs, files, ranges, boundaries }
}

function findRecords(path: string): Set<number> {
  const reader = new SegmentReader(path)
  const found = new Set([0])
  // Between the last record of a page and its end are zeros.
  for (let record = reader.next(); record !== undefined; record = reader.next()) found.add(reader.recordOffset).add(reader.offset)
  for (let at = 0; at < reader.size; at++) if ((at % pageBytes) + fragmentHeaderBytes > pageBytes) found.add(at)
  reader.close()
  return found
}

function writeTombstones(block: string): void {
  const reader = BlockReader.open(block, new PageCache())
  const [reference] = reader.select([new Matcher('=', 'i', String(deletedMs.series))])
  reader.close()
  const stones = new Tombstones()
  stones.add(reference!, deletedMs.first, deletedMs.last)
  writeFileSync(join(block, 'tombstones'), stones.encode())
}

function listFiles(path: string): Map<FileKind, string[]> {
  const files = new Map<FileKind, string[]>()
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const name = relative(path, join(entry.parentPath, entry.name))
    const kind = kindOf(name)
    if (kind === undefined) continue
    const known = files.get(kind)
    if (known === undefined) files.set(kind, [name])
    else known.push(name)
  }
  return files
}

function kindOf(name: string): FileKind | undefined {
  if (name === 'lock') return 'lock'
  if (name.startsWith('wal/checkpoint.')) return 'checkpoint'
  if (name.startsWith('wal/')) return 'segment'
  if (name.startsWith('chunks_head/')) return 'head-chunks'
  if (name.includes('/chunks/')) return 'chunks'
  const last = basename(name)
  return last === 'index' ? 'index' : last === 'tombstones' ? 'tombstones' : last === 'meta.json' ? 'meta' : undefined
}

/** A copy to be damaged; `remove` it. */
export function copyDirectory(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
}

/** Flips one to three bits, cuts the end off, or overwrites a piece; says what it did. */
export function damageFile(path: string, random: () => number): string {
  const below = (bound: number): number => Math.floor(random() * bound)
  const bytes = readFileSync(path)
  const way = below(10)
  if (bytes.length === 0) {
    writeFileSync(
      path,
      Uint8Array.from({ length: 1 + below(80) }, () => below(256)),
    )
    return 'bytes in an empty file'
  }
  if (way < 2) {
    const length = below(bytes.length)
    truncateSync(path, length)
    return `cut to ${length} of ${bytes.length} bytes`
  }
  if (way === 2) {
    const at = below(bytes.length)
    const fill = below(2) === 0 ? 0 : 0xff
    const end = Math.min(bytes.length, at + 1 + below(600))
    bytes.fill(fill, at, end)
    writeFileSync(path, bytes)
    return `${fill} at ${at} to ${end} of ${bytes.length}`
  }
  const flips = Array.from({ length: 1 + below(3) }, () => below(bytes.length * 8))
  for (const bit of flips) bytes[bit >>> 3]! ^= 1 << (bit & 7)
  writeFileSync(path, bytes)
  return `bits ${flips.map((bit) => `${bit >>> 3}.${bit & 7}`).join(', ')} of ${bytes.length} bytes`
}
