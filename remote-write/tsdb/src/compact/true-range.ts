import { basename, join } from 'node:path'
import { BlockError } from '../block/block-error.ts'
import { metaFileName, readBlockMeta } from '../block/block-meta.ts'
import type { BlockMeta } from '../block/block-meta.ts'
import { IndexReader } from '../block/index-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { BlockSeries } from '../block/series-entry.ts'

const cacheBytesMax = 4 * 1024 * 1024

/**
 * The meta.json of a block with the times that its samples have. The file has no checksum, and a damaged time in it would hide samples of
 * the block, of the log (what lies before the newest block's end is not read from it) or end other blocks' retention. Blocks begin and end at
 * multiples of `rangeMs`, which no single damaged digit keeps; of one that does not, as the first of a head, the index is read. `onOther` is
 * told of times that are wrong. Throws a `BlockError` for a block that cannot be read.
 */
export function readMetaWithTrueRange(directory: string, rangeMs: number, onOther: (problem: string) => void): BlockMeta {
  const path = join(directory, metaFileName)
  const meta = readBlockMeta(directory)
  const { ulid, minTime, maxTime } = meta
  if (ulid !== basename(directory))
    throw BlockError.damage(path, 0, `want ulid ${basename(directory)} as the directory's name, got ${ulid}`)
  if (minTime % rangeMs === 0 && maxTime % rangeMs === 0) return meta
  const { first, last } = readRange(directory)
  const isTrue = minTime <= first && last < maxTime
  // Some way behind its last sample a block may well end.
  if (isTrue && minTime >= first - rangeMs && maxTime <= last + 1 + rangeMs) return meta
  if (!isTrue) onOther(`want minTime and maxTime around samples of [${first}, ${last}], got ${minTime} and ${maxTime}`)
  return { ...meta, minTime: isTrue ? Math.max(minTime, first) : first, maxTime: last + 1 }
}

function readRange(directory: string): { first: number; last: number } {
  const index = IndexReader.open(join(directory, 'index'), new PageCache(cacheBytesMax))
  try {
    const series = new BlockSeries()
    let first = Infinity
    let last = -Infinity
    const references = index.eachSeries()
    for (let reference = references.next(); reference >= 0; reference = references.next()) {
      index.readSeries(reference, series)
      const { chunkCount, minTimes, maxTimes } = series
      if (chunkCount === 0) continue
      first = Math.min(first, minTimes[0]!)
      last = Math.max(last, maxTimes[chunkCount - 1]!)
    }
    if (first > last) throw BlockError.damage(index.file.path, 0, 'want series with samples, got none')
    return { first, last }
  } finally {
    index.close()
  }
}
