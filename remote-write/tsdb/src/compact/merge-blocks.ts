import { join } from 'node:path'
import type { BlockMeta } from '../block/block-meta.ts'
import { isLateBlock, lateHint } from '../block/block-meta.ts'
import { BlockReader } from '../block/block-reader.ts'
import { BlockWriter } from '../block/block-writer.ts'
import type { PageCache } from '../block/page-cache.ts'
import { BlockCursor } from './block-cursor.ts'
import { MergedSymbols } from './merged-symbols.ts'
import { mergeSeries } from './series-merge.ts'

export interface MergeRequest {
  /** The data directory. */
  readonly directory: string
  /** The blocks to merge, by name; also one alone, to be rid of what its tombstones delete. */
  readonly blocks: readonly string[]
  readonly ulid: string
  /** The blocks are written anew only for that: as Prometheus does, the new one counts as one of level 1. */
  readonly cleans?: boolean
}

/**
 * Writes one block of several, without what their tombstones delete, and syncs it; they stay. Undefined, and nothing is written, if no sample is
 * left. Of samples with the same time that of the block named first stays. Throws a BlockError for a block that is damaged. Memory: 4 bytes for each
 * symbol of the blocks, one series' chunks, and what an IndexWriter holds.
 */
export async function mergeBlocks(
  { directory, blocks, ulid, cleans = false }: MergeRequest,
  cache: PageCache,
): Promise<BlockMeta | undefined> {
  const readers: BlockReader[] = []
  try {
    for (const block of blocks) readers.push(BlockReader.open(join(directory, block), cache))
    const writer = new BlockWriter(directory, ulid)
    try {
      writeAll(readers, writer)
      if (writer.numSeries > 0)
        return await writer.finish(
          describe(
            readers.map(({ meta }) => meta),
            cleans ? ulid : undefined,
          ),
        )
      await writer.discard()
      return undefined
    } catch (error) {
      await writer.discard()
      throw error
    }
  } finally {
    for (const reader of readers) reader.close()
  }
}

function writeAll(readers: readonly BlockReader[], writer: BlockWriter): void {
  const symbols = new MergedSymbols(readers)
  writer.symbols(symbols.texts())
  // As in queries, what came in order counts before late samples of the same time.
  const cursors = readers
    .map((reader, i) => new BlockCursor(reader, symbols.ordinals[i]!))
    .sort((a, b) => Number(isLateBlock(a.block.meta)) - Number(isLateBlock(b.block.meta)))
  for (;;) {
    // With a handful of blocks looking at all of them is as quick as a heap.
    let first: BlockCursor | undefined
    for (const cursor of cursors) if (!cursor.isAtEnd && (first === undefined || cursor.compare(first) < 0)) first = cursor
    if (first === undefined) return
    const leader = first
    const same = cursors.filter((cursor) => !cursor.isAtEnd && (cursor === leader || cursor.compare(leader) === 0))
    const chunks = mergeSeries(same)
    if (chunks.length > 0) writer.addSeries(leader.labels.subarray(0, leader.labelLength), chunks)
    for (const cursor of same) cursor.advance()
  }
}

/** As Prometheus describes a block that was made of others: who finds both knows which to delete. */
function describe(metas: readonly BlockMeta[], cleaned: string | undefined) {
  const sources = new Set(metas.flatMap(({ ulid, compaction }) => compaction.sources ?? [ulid]))
  // Only late samples are in it if that is so of all: where it ends then says nothing of what is in blocks.
  const isLate = metas.every(isLateBlock)
  const hints = (metas[0]!.compaction.hints ?? []).filter((hint) => hint !== lateHint || isLate)
  return {
    minTimeMs: Math.min(...metas.map(({ minTime }) => minTime)),
    maxTimeMs: Math.max(...metas.map(({ maxTime }) => maxTime)),
    compaction: {
      level: cleaned !== undefined ? 1 : Math.max(...metas.map(({ compaction }) => compaction.level)) + 1,
      sources: cleaned !== undefined ? [cleaned] : [...sources].sort(),
      parents: metas.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
      ...(hints.length === 0 ? {} : { hints }),
    },
  }
}
