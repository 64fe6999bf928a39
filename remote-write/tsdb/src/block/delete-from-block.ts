import { Matcher } from '@narthex/model/matcher'
import type { BlockMeta } from './block-meta.ts'
import { writeBlockMeta } from './block-meta.ts'
import { BlockReader } from './block-reader.ts'
import type { PageCache } from './page-cache.ts'
import { BlockSeries } from './series-entry.ts'
import { writeTombstones } from './tombstones.ts'

/** What to delete: the samples in [minTimeMs, maxTimeMs] of series that all matchers of any selector take. Plain data. */
export interface Deletion {
  readonly selectors: readonly (readonly Pick<Matcher, 'type' | 'name' | 'value'>[])[]
  readonly minTimeMs: number
  readonly maxTimeMs: number
}

/** The matchers of a deletion that came from another thread. */
export function matchersOf({ selectors }: Deletion): readonly (readonly Matcher[])[] {
  return selectors.map((matchers) => matchers.map(({ type, name, value }) => new Matcher(type, name, value)))
}

/**
 * Notes in a block's `tombstones` what is deleted of it from now on, and then in `meta.json` how many intervals that are; both are synced. As in
 * Prometheus a series with a chunk that reaches into the time gets an interval, cut to the times of its chunks. Undefined, and nothing is
 * written, if there is no such series.
 */
export async function deleteFromBlock(directory: string, deletion: Deletion, cache: PageCache): Promise<BlockMeta | undefined> {
  const block = BlockReader.open(directory, cache)
  let found = false
  try {
    for (const matchers of matchersOf(deletion)) if (addStones(block, matchers, deletion)) found = true
  } finally {
    block.close()
  }
  if (!found) return undefined
  await writeTombstones(directory, block.tombstones)
  const meta: BlockMeta = { ...block.meta, stats: { ...block.meta.stats, numTombstones: block.tombstones.count } }
  await writeBlockMeta(directory, meta)
  return meta
}

function addStones(block: BlockReader, matchers: readonly Matcher[], { minTimeMs, maxTimeMs }: Deletion): boolean {
  const series = new BlockSeries()
  let found = false
  for (const reference of block.select(matchers)) {
    block.readSeries(reference, series)
    const { chunkCount, minTimes, maxTimes } = series
    let i = 0
    while (i < chunkCount && maxTimes[i]! < minTimeMs) i++
    if (i === chunkCount || minTimes[i]! > maxTimeMs) continue
    block.tombstones.add(reference, Math.max(minTimeMs, minTimes[0]!), Math.min(maxTimeMs, maxTimes[chunkCount - 1]!))
    found = true
  }
  return found
}
