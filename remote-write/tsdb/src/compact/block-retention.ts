/** What the retention looks at of a block. */
export interface RetainedBlock {
  readonly ulid: string
  /** Exclusive. */
  readonly maxTimeMs: number
  /** Bytes of its files. */
  readonly bytes: number
}

export interface Retention {
  /** 0 = for ever. */
  readonly timeMs: number
  /** Of blocks, log and head chunks together; 0 = no limit. */
  readonly bytesMax: number
}

/**
 * The blocks that go, as in Prometheus: whole ones whose end is `timeMs` or more before the newest block's, and from the newest back those with
 * which all blocks and `otherBytes` (log, head chunks) are more than `bytesMax`.
 */
export function findExpired(blocks: readonly RetainedBlock[], retention: Retention, otherBytes: number): RetainedBlock[] {
  const newestFirst = blocks.toSorted((a, b) => b.maxTimeMs - a.maxTimeMs)
  const newest = newestFirst[0]
  if (newest === undefined) return []
  let bytes = otherBytes
  let isOver = false
  return newestFirst.filter((block) => {
    bytes += block.bytes
    if (retention.timeMs > 0 && newest.maxTimeMs - block.maxTimeMs >= retention.timeMs) isOver = true
    if (retention.bytesMax > 0 && bytes > retention.bytesMax) isOver = true
    return isOver
  })
}
