import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BlockMeta } from '../block/block-meta.ts'
import { makeUlid } from '../block/ulid.ts'
import type { Head } from '../head/head.ts'
import type { BlockSet } from './block-set.ts'
import type { ChunkCounts } from './chunk-statistics.ts'
import type { CompactionAnswer, CompactionTask } from './compaction-protocol.ts'

/** Moved between two turns of the loop: about a millisecond. */
const samplesPerMove = 2048

/** The log of late samples, as `LateLog` has it. */
export interface LateSegments {
  readonly hasOldSegments: boolean
  nextSegment(): number
  sync(): Promise<void>
  removeBefore(index: number): Promise<void>
}

export interface LateCompactionParts {
  readonly head: Head
  readonly blocks: BlockSet
  readonly segments: LateSegments
  /** Of the blocks. */
  readonly rangeMs: number
  readonly now: () => number
  readonly thread: { run(task: CompactionTask): Promise<CompactionAnswer> }
  /** Resolves when the queries that began before have ended. */
  readonly readersEnded: (() => Promise<void>) | undefined
  readonly onBlock: (meta: BlockMeta, chunks: ChunkCounts | undefined) => void
}

/**
 * Moves late samples out of the head into blocks of their own, one for each range, which are then merged with the others of that time. Only whole
 * ranges of which the samples in order are in blocks already: where the newest block ends says what of the log is in blocks. The rest goes on in
 * the head and its log. The log lets go of what it has when the blocks, and the rest, are on the disk; a crash before leaves both, which reads as one.
 */
export class LateCompaction {
  readonly #parts: LateCompactionParts
  /** Segments before this one have what is sealed. */
  #segment = 0
  /** Ranges of what is sealed that have their blocks. */
  readonly #written = new Set<number>()

  constructor(parts: LateCompactionParts) {
    this.#parts = parts
  }

  /** Whether there are samples for blocks, with all in order from before `beforeMs` in blocks. */
  hasBefore(beforeMs: number): boolean {
    return this.#parts.head.late.samples.hasBefore(this.#endOfRanges(beforeMs))
  }

  /** Throws if something failed: what was done stays, and the next call goes on. */
  async cut(beforeMs: number): Promise<void> {
    const { head, segments, rangeMs, thread, readersEnded } = this.#parts
    const { samples } = head.late
    const endMs = this.#endOfRanges(beforeMs)
    if (samples.hasSealed) samples.restartMoving()
    else {
      // Segments of an earlier process may name series by references that the log is about to lose.
      if (!samples.hasBefore(endMs) && !segments.hasOldSegments) return
      this.#segment = segments.nextSegment()
      this.#written.clear()
      head.sealLate()
    }
    const answer = await this.#run((descriptor) => thread.run({ kind: 'late-ranges', head: descriptor, beforeMs: endMs, rangeMs }))
    if (answer.kind !== 'ranges') throw new Error(`cannot find the ranges of late samples: ${reasonOf(answer)}`)
    for (const startMs of answer.starts) if (!this.#written.has(startMs)) await this.#writeBlock(startMs)
    while (head.moveSealedLate(endMs, samplesPerMove)) await nextTurn()
    await segments.sync()
    await readersEnded?.()
    head.dropSealedLate()
    while (head.freeLate()) await nextTurn()
    await segments.removeBefore(this.#segment)
  }

  async #writeBlock(startMs: number): Promise<void> {
    const { head, blocks, rangeMs, thread, now, onBlock } = this.#parts
    const request = {
      directory: blocks.directory,
      ulid: makeUlid(now()),
      minTimeMs: startMs,
      maxTimeMs: startMs + rangeMs,
      deletions: head.deletions.view,
      late: 'only',
    } as const
    const answer = await this.#run((descriptor) => thread.run({ kind: 'cut', head: descriptor, request }))
    if (answer.kind !== 'done') throw new Error(`cannot write a block of late samples: ${reasonOf(answer)}`)
    if (answer.meta !== undefined) {
      await blocks.add(answer.meta, [])
      onBlock(answer.meta, answer.chunks)
    }
    this.#written.add(startMs)
  }

  async #run(run: (descriptor: ReturnType<Head['descriptor']>) => Promise<CompactionAnswer>): Promise<CompactionAnswer> {
    const { head } = this.#parts
    const descriptor = head.descriptor()
    try {
      return await run(descriptor)
    } finally {
      head.releaseReader(descriptor)
    }
  }

  #endOfRanges(beforeMs: number): number {
    return Math.floor(beforeMs / this.#parts.rangeMs) * this.#parts.rangeMs
  }
}

function reasonOf(answer: CompactionAnswer): string {
  return answer.kind === 'failed' ? answer.reason : 'the thread did something else'
}
