import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readBlockMeta } from '@narthex/tsdb/block/block-meta'
import { isUlid } from '@narthex/tsdb/block/ulid'
import type { ShelvedBlock } from '@narthex/tsdb/select/block-shelf'

/** Of an open index some hundredths stay in memory. */
const indexBytesMax = 256 * 1024 * 1024

/** The blocks of a data directory, by their meta.json, in the order of their times. Of what cannot be read, and is only there yet, the storage tells. */
export function findBlocks(directory: string): ShelvedBlock[] {
  const found: ShelvedBlock[] = []
  for (const name of listNames(directory).filter(isUlid)) {
    const path = join(directory, name)
    try {
      const { minTime, maxTime } = readBlockMeta(path)
      found.push({ directory: path, minTimeMs: minTime, maxTimeMs: maxTime, deletions: 0 })
    } catch {
      // Not one to warm up with.
    }
  }
  return found.sort((a, b) => a.minTimeMs - b.minTimeMs)
}

/** The newest blocks, newest first, whose indexes have 256 MiB together at most. */
export function chooseSmallIndexes(blocks: readonly ShelvedBlock[]): ShelvedBlock[] {
  const chosen: ShelvedBlock[] = []
  let bytes = 0
  for (const block of blocks.toSorted((a, b) => b.maxTimeMs - a.maxTimeMs)) {
    bytes += statSync(join(block.directory, 'index'), { throwIfNoEntry: false })?.size ?? 0
    if (bytes > indexBytesMax) break
    chosen.push(block)
  }
  return chosen
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
