import { BlockError } from '../block/block-error.ts'
import { deleteFromBlock } from '../block/delete-from-block.ts'
import { PageCache } from '../block/page-cache.ts'
import { isDiskFull } from '../disk-reserve.ts'
import { createCheckpoint } from '../wal/checkpoint.ts'
import { ChunkStatistics } from './chunk-statistics.ts'
import type { CompactionAnswer, CompactionTask } from './compaction-protocol.ts'
import { findInHead } from './find-in-head.ts'
import { writeHeadBlock } from './head-block.ts'
import { findLateRanges } from './late-ranges.ts'
import { mergeBlocks } from './merge-blocks.ts'

/** A merge reads each file of its blocks from one end to the other. */
const cacheBytesMax = 2 * 1024 * 1024

/** Does one task in the thread that calls it; never rejects: what goes wrong is the answer. */
export async function doCompaction(task: CompactionTask): Promise<CompactionAnswer> {
  try {
    // Series that the head has stay: it names them by their references as long as it lives.
    if (task.kind === 'checkpoint') return { kind: 'checkpointed', result: await createCheckpoint({ ...task.request, keeps: () => true }) }
    if (task.kind === 'find') return { kind: 'found', found: findInHead(task.head, task.deletion) }
    if (task.kind === 'late-ranges') return { kind: 'ranges', starts: findLateRanges(task.head, task.beforeMs, task.rangeMs) }
    if (task.kind === 'delete') {
      return { kind: 'done', meta: await deleteFromBlock(task.directory, task.deletion, new PageCache(cacheBytesMax)) }
    }
    if (task.kind === 'cut') {
      const statistics = new ChunkStatistics()
      const meta = await writeHeadBlock(task.head, task.request, statistics)
      return { kind: 'done', meta, chunks: statistics.counts() }
    }
    return { kind: 'done', meta: await mergeBlocks(task.request, new PageCache(cacheBytesMax)) }
  } catch (error) {
    if (error instanceof BlockError) return { kind: 'failed', reason: error.message, isDamage: isDamage(error) }
    // A full disk is told in one line, a bug of ours with its place.
    const reason = error instanceof Error ? (isDiskFull(error) ? error.message : (error.stack ?? error.message)) : String(error)
    return { kind: 'failed', reason, isDamage: false }
  }
}

/** Bytes that disagree with the format, and not a disk that could not be read or written. */
function isDamage({ message, cause }: BlockError): boolean {
  return message.startsWith('cannot read') && !(cause instanceof Error && 'code' in cause)
}
