import { join } from 'node:path'
import { directoryBytes } from '@narthex/tsdb/directory-bytes'
import { lastOfCheckpoint } from '@narthex/tsdb/wal/checkpoint'
import { listLog } from '@narthex/tsdb/wal/log-files'
import { statSync } from 'node:fs'

/** The log is kept for a remote that is behind up to this many bytes, as the agent keeps its own. */
export const heldBytesMax = 4 * 2 ** 30
/** Of `--storage.tsdb.retention.size` the log that is kept for remotes takes at most this part: blocks go for it. */
const retentionShare = 0.25

/** Most bytes of the log while a remote is behind; `retentionBytesMax` 0 = no limit. */
export function holdLimit(retentionBytesMax: number): number {
  return retentionBytesMax > 0 ? Math.min(heldBytesMax, retentionBytesMax * retentionShare) : heldBytesMax
}

/** Whether the next checkpoint, made while `activeSegment` is written and `settledSegment` is settled, takes only what no remote needs. */
export function mayCutLog(walDirectory: string, activeSegment: number, settledSegment: number, neededSegment: number): boolean {
  const first = listLog(walDirectory).segments[0]?.index
  if (first === undefined) return true
  const last = lastOfCheckpoint(first, activeSegment, settledSegment)
  // Of one segment there is no checkpoint; but a new segment begins, for the next one.
  return last === undefined || neededSegment > last
}

/**
 * The segment before which remotes have to give up, so that the log can become smaller than its limit again: its newer half stays. Undefined
 * if the log is within its limit, or nobody needs what is too much.
 */
export function findGiveUp(dataDirectory: string, neededSegment: number, bytesMax: number): number | undefined {
  const walDirectory = join(dataDirectory, 'wal')
  if (directoryBytes(walDirectory) <= bytesMax) return undefined
  const { segments } = listLog(walDirectory)
  let bytes = 0
  for (const { index, path } of segments.toReversed()) {
    bytes += statSync(path).size
    if (bytes > bytesMax / 2) return neededSegment <= index && index < segments.at(-1)!.index ? index + 1 : undefined
  }
  return undefined
}
