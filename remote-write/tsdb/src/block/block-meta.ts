import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BlockError, asBlockError } from './block-error.ts'
import { replaceBlockFile } from './output-file.ts'
import { isUlid } from './ulid.ts'

export const metaFileName = 'meta.json'
/** Hint of a block that has only late samples: others may follow in order of its time. */
export const lateHint = 'from-out-of-order'
const metaVersion = 1
const metaBytesMax = 64 * 1024 * 1024

/** The fields have the names that they have in the file. */
export interface BlockStats {
  readonly numSamples?: number
  readonly numFloatSamples?: number
  readonly numHistogramSamples?: number
  readonly numSeries?: number
  readonly numChunks?: number
  readonly numTombstones?: number
}

export interface BlockParent {
  readonly ulid: string
  readonly minTime: number
  readonly maxTime: number
}

export interface BlockCompaction {
  /** 1 for a block that was cut from the head, more for one that was made of blocks. */
  readonly level: number
  /** The blocks of level 1 that went into it. */
  readonly sources?: readonly string[]
  /** Set when no sample is left. */
  readonly deletable?: boolean
  /** The blocks that it replaces. */
  readonly parents?: readonly BlockParent[]
  readonly failed?: boolean
  /** `from-out-of-order`, `from-stale-series`, `from-selected-series`. */
  readonly hints?: readonly string[]
}

/** `meta.json` of a block. Fields that are not known here (`thanos` of Thanos and Mimir) stay where they are. */
export interface BlockMeta {
  readonly ulid: string
  /** Milliseconds: samples lie in [minTime, maxTime). */
  readonly minTime: number
  readonly maxTime: number
  readonly stats?: BlockStats
  readonly compaction: BlockCompaction
  readonly version: 1
  readonly [other: string]: unknown
}

/** Whether a block has only late samples. */
export function isLateBlock({ compaction }: BlockMeta): boolean {
  return compaction.hints?.includes(lateHint) === true
}

/** Reads and checks `meta.json` in a block's directory. */
export function readBlockMeta(directory: string): BlockMeta {
  const path = join(directory, metaFileName)
  let text: string
  try {
    const { size } = statSync(path)
    if (size > metaBytesMax) throw BlockError.damage(path, 0, `want at most ${metaBytesMax} bytes, got ${size}`)
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw asBlockError(path, 0, cause)
  }
  return parseBlockMeta(text, path)
}

/** `path` is for the errors. */
export function parseBlockMeta(text: string, path: string): BlockMeta {
  let parsed: unknown
  try {
    parsed = JSON.parse(text, keepLongNumber)
  } catch (cause) {
    throw asBlockError(path, 0, cause)
  }
  const problem = findProblem(parsed)
  if (problem !== undefined) throw BlockError.damage(path, 0, problem)
  return parsed as BlockMeta
}

/** Replaces `meta.json`; when it resolves the new one survives a power cut. Before that either the old or the new one stands there. */
export async function writeBlockMeta(directory: string, meta: BlockMeta): Promise<void> {
  await replaceBlockFile(directory, metaFileName, formatBlockMeta(meta))
}

/** Indented by tabs, as Prometheus writes it. */
export function formatBlockMeta(meta: BlockMeta): string {
  return JSON.stringify(meta, null, '\t')
}

// Whole numbers of others may have 64 bits: those that a double would change go through as the text they were.
function keepLongNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const { source } = context ?? {}
  const { rawJSON } = JSON as unknown as { rawJSON?: (text: string) => unknown }
  return source === undefined || rawJSON === undefined || String(value) === source ? value : rawJSON(source)
}

/** What keeps a parsed file from being a block's meta; undefined if nothing does. */
function findProblem(parsed: unknown): string | undefined {
  if (!isObject(parsed)) return 'want an object'
  if (parsed['version'] !== metaVersion) return `want version ${metaVersion}, got ${JSON.stringify(parsed['version'])}`
  if (typeof parsed['ulid'] !== 'string' || !isUlid(parsed['ulid'])) return `want ulid to be a ULID, got ${JSON.stringify(parsed['ulid'])}`
  const { minTime, maxTime } = parsed
  for (const [name, time] of Object.entries({ minTime, maxTime })) {
    if (!Number.isSafeInteger(time)) return `want ${name} to be a whole number of milliseconds, got ${JSON.stringify(time)}`
  }
  if ((minTime as number) > (maxTime as number)) return `want minTime up to maxTime, got ${String(minTime)} and ${String(maxTime)}`
  return findStatsProblem(parsed['stats']) ?? findCompactionProblem(parsed['compaction'])
}

function findStatsProblem(stats: unknown): string | undefined {
  if (stats === undefined || stats === null) return undefined
  if (!isObject(stats)) return `want stats to be an object, got ${JSON.stringify(stats)}`
  for (const name of ['numSamples', 'numFloatSamples', 'numHistogramSamples', 'numSeries', 'numChunks', 'numTombstones']) {
    const count = stats[name] ?? 0
    if (!(Number.isSafeInteger(count) && (count as number) >= 0)) return `want stats.${name} to be a count, got ${JSON.stringify(count)}`
  }
  return undefined
}

function findCompactionProblem(compaction: unknown): string | undefined {
  if (!isObject(compaction)) return `want compaction to be an object, got ${JSON.stringify(compaction)}`
  const { level, sources = [], parents = [], hints = [], deletable = false, failed = false } = compaction
  if (!(Number.isSafeInteger(level) && (level as number) >= 0)) return `want compaction.level to be a count, got ${JSON.stringify(level)}`
  if (!isList(sources, (source) => typeof source === 'string' && isUlid(source))) return 'want compaction.sources to be ULIDs'
  if (!isList(parents, isParent)) return 'want compaction.parents to have ulid, minTime and maxTime'
  if (!isList(hints, (hint) => typeof hint === 'string')) return 'want compaction.hints to be texts'
  for (const [name, value] of Object.entries({ deletable, failed })) {
    if (typeof value !== 'boolean') return `want compaction.${name} to be true or false, got ${JSON.stringify(value)}`
  }
  return undefined
}

function isParent(parent: unknown): boolean {
  if (!isObject(parent)) return false
  const { ulid, minTime, maxTime } = parent
  return typeof ulid === 'string' && isUlid(ulid) && Number.isSafeInteger(minTime) && Number.isSafeInteger(maxTime)
}

function isList(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return value === null || (Array.isArray(value) && value.every(isItem))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
