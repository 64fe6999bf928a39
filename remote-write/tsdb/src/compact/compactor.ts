import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '@narthex/service/logger'
import { lateHint } from '../block/block-meta.ts'
import type { ChunkCounts } from './chunk-statistics.ts'
import type { BlockMeta } from '../block/block-meta.ts'
import { makeUlid } from '../block/ulid.ts'
import type { Head } from '../head/head.ts'
import { findExpired } from './block-retention.ts'
import type { Retention } from './block-retention.ts'
import type { BlockSet } from './block-set.ts'
import { blockRanges, planCompaction } from './compaction-plan.ts'
import type { PlannedBlock } from './compaction-plan.ts'
import { LateCompaction } from './late-compaction.ts'
import type { LateSegments } from './late-compaction.ts'
import type { CheckpointRequest, CompactionAnswer, CompactionTask } from './compaction-protocol.ts'
import { selectUploaded } from './uploaded-blocks.ts'

/** The head is cut when it has this many ranges: samples half a range late are still taken. */
const headRangesMax = 1.5
// Series looked at in one turn of the loop: below a millisecond.
const seriesPerSweep = 10_000

export interface CompactorOptions {
  readonly head: Head
  readonly blocks: BlockSet
  readonly log: Logger
  /** Range of the blocks that are cut from the head, and the longest of those that are made of them. */
  readonly minRangeMs: number
  readonly maxRangeMs: number
  readonly retention: Retention
  /** Bytes of the data directory that are not in blocks. */
  otherBytes(): number
  /** Whether the disk has so much room that a block of this size may be written only to have fewer blocks. */
  hasRoomFor?(bytes: number): boolean
  /** Begins a new segment of the log: of all older ones what is from before a time is not wanted any more. Undefined: the log stays. */
  beginCheckpoint(minTimeMs: number): CheckpointRequest | undefined
  /** The log of late samples. */
  readonly lateSegments: LateSegments
  /** With more bytes of late samples they go into blocks at once, as far as they can. */
  readonly lateBytesMax: number
  /** Late samples of before a cut are in blocks. */
  onLateCut?(): void
  /** A checkpoint stands for the log up to this segment. */
  endCheckpoint(lastSegment: number): void
  /** Resolves when what is being read now, with the blocks there were until now, has been read. */
  readersEnded?(): Promise<void>
  readonly thread: { run(task: CompactionTask): Promise<CompactionAnswer>; end(): Promise<void> }
  /** The sidecar's list of blocks that are uploaded; undefined: nobody uploads. */
  readonly uploadedFile?: string
  readonly now: () => number
}

/** Figures of what was done, for metrics. */
export interface CompactionCounts {
  triggered: number
  cuts: number
  merges: number
  /** Cuts and merges that failed, and runs that ended for another reason. */
  failed: number
  /** Merges of blocks whose times overlap. */
  overlaps: number
  truncations: number
  truncationsFailed: number
  checkpoints: number
  checkpointsFailed: number
  /** Times that blocks were deleted. */
  timeRetentions: number
  sizeRetentions: number
}

/** Hears how long things took, in seconds, and what came of them. */
export interface CompactionDurations {
  /** Writing a block of the head or of other blocks. */
  onBlock(seconds: number): void
  /** The chunks of a block of the head. */
  onChunks(chunks: ChunkCounts): void
  /** Letting go of what is in blocks. */
  onTruncation(seconds: number): void
  /** Making a checkpoint. */
  onCheckpoint(seconds: number): void
}

/**
 * Moves samples out of the head into blocks, merges blocks into longer ones and deletes those that are out of the retention: one thing after
 * the other, all heavy work in a thread. Each step leaves a directory that is whole at any moment: a block is written under another name, synced
 * and renamed before the head, the log or other blocks let go of what is in it.
 */
export class Compactor {
  readonly counts: CompactionCounts = {
    triggered: 0,
    cuts: 0,
    merges: 0,
    failed: 0,
    overlaps: 0,
    truncations: 0,
    truncationsFailed: 0,
    checkpoints: 0,
    checkpointsFailed: 0,
    timeRetentions: 0,
    sizeRetentions: 0,
  }
  /** Set by whoever keeps figures. */
  durations: CompactionDurations | undefined
  #isWriting = false
  readonly #options: CompactorOptions
  readonly #ranges: readonly number[]
  #running: Promise<void> | undefined
  /** What was begun here last. */
  #queue: Promise<void> = Promise.resolve()
  #isStopping = false
  #hasTriedInVain = false
  #toldOfNoRoom = false
  readonly #late: LateCompaction

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#ranges = blockRanges(options.minRangeMs, options.maxRangeMs)
    this.#late = new LateCompaction({
      head: options.head,
      blocks: options.blocks,
      segments: options.lateSegments,
      rangeMs: options.minRangeMs,
      now: options.now,
      thread: options.thread,
      readersEnded: options.readersEnded === undefined ? undefined : () => options.readersEnded!(),
      onBlock: (meta, chunks) => {
        this.counts.cuts++
        if (chunks !== undefined) this.durations?.onChunks(chunks)
        this.#tell('Block of late samples written', meta)
      },
    })
  }

  /** Whether a block is being written. */
  get isWriting(): boolean {
    return this.#isWriting
  }

  get retention(): Retention {
    return this.#options.retention
  }

  /** Does what there is to do; a run that is under way is the answer. Never rejects: failures are logged and tried again by the next run. */
  run(): Promise<void> {
    this.#hasTriedInVain = false
    this.#running ??= this.exclusive(() => this.#run())
      // Only for a stop.
      .catch(() => {})
      .finally(() => (this.#running = undefined))
    return this.#running
  }

  /** Whether there is a range to be cut from the head. */
  get isHeadCompactable(): boolean {
    const { minTime, maxTime } = this.#options.head.memory
    return maxTime - minTime > headRangesMax * this.#options.minRangeMs
  }

  /** Whether late samples take so much memory that those which can go into blocks should. */
  get #isLatePressing(): boolean {
    const { head, lateBytesMax } = this.#options
    return head.memory.late.usedBytes > lateBytesMax && this.#late.hasBefore(head.cutBeforeMs)
  }

  /** To be called after commits: cuts the head as soon as it is time. What did not help is not tried again before the next `run`. */
  offer(): void {
    if (this.#running !== undefined || this.#hasTriedInVain || this.#isStopping || !this.isHeadCompactable) return
    void this.run().then(() => (this.#hasTriedInVain = this.isHeadCompactable))
  }

  /** Does `work`, which may use the thread, while nothing else is done to the blocks: it waits for a run under way. Rejects after `stop`. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(async () => {
      if (this.#isStopping) throw new Error(closingText)
      try {
        return await work()
      } catch (cause) {
        // Its thread was ended.
        throw this.#isStopping ? new Error(closingText, { cause }) : cause
      } finally {
        await this.#options.thread.end()
      }
    })
    this.#queue = done.then(ignore, ignore)
    return done
  }

  /** Ends a run under way: a block that is not whole is left for the next start to delete. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#options.thread.end()
    await this.#queue
  }

  async #run(): Promise<void> {
    const { blocks, log } = this.#options
    this.counts.triggered++
    try {
      await this.#fileChunks()
      await blocks.removeLeftovers()
      // As soon as there is a newer block, not at the end: with much to cut and merge, what should be gone would take the room on the disk for long.
      await this.#expire()
      while (!this.#isStopping && (await this.#cutHead())) await this.#expire()
      if (!this.#isStopping && this.#isLatePressing) await this.#cutLate(this.#options.head.cutBeforeMs)
      while (!this.#isStopping && (await this.#merge())) await this.#expire()
      if (!this.#isStopping) await this.#expire()
    } catch (error) {
      this.counts.failed++
      log.error('Compaction failed', { err: error instanceof Error ? error.message : String(error) })
    }
  }

  /** Writes the oldest range of the head as a block and lets go of it; false if there is nothing to do or it failed. */
  async #cutHead(): Promise<boolean> {
    const { head, blocks, minRangeMs, now } = this.#options
    const { minTime } = head.memory
    if (!this.isHeadCompactable) return false
    const maxTimeMs = (Math.floor(minTime / minRangeMs) + 1) * minRangeMs
    // No sample may come any more into what is written.
    head.refuseBefore(maxTimeMs)
    const request = {
      directory: blocks.directory,
      ulid: makeUlid(now()),
      minTimeMs: Math.floor(minTime),
      maxTimeMs,
      deletions: head.deletions.view,
    }
    const descriptor = head.descriptor()
    let meta: BlockMeta | undefined
    try {
      const answer = await this.#write({ kind: 'cut', head: descriptor, request })
      if (answer === undefined) return false
      ;({ meta } = answer)
    } finally {
      head.releaseReader(descriptor)
    }
    if (meta !== undefined) {
      await blocks.add(meta, [])
      this.counts.cuts++
      this.#tell('Head block written', meta)
      // Who began before the block was there looks for its samples in the head.
      await this.#options.readersEnded?.()
    }
    const isLateCut = await this.#cutLate(maxTimeMs)
    await this.#dropFromHead(maxTimeMs, isLateCut)
    // Deletions in the log are those of late samples, too.
    if (isLateCut) await this.#checkpoint(maxTimeMs)
    // A head that still begins where it did would be cut for ever.
    return head.memory.minTime > minTime
  }

  /** False after a failure, which is logged. */
  async #cutLate(beforeMs: number): Promise<boolean> {
    try {
      await this.#late.cut(beforeMs)
      return true
    } catch (error) {
      if (this.#isStopping) return false
      this.counts.failed++
      this.#options.log.error('Writing blocks of late samples failed', { err: error instanceof Error ? error.message : String(error) })
      return false
    }
  }

  async #fileChunks(): Promise<void> {
    const { head } = this.#options
    while (!this.#isStopping && head.fileChunksOfTurn()) await nextTurn()
    head.fileChunks()
  }

  async #dropFromHead(beforeMs: number, isLateCut: boolean): Promise<void> {
    this.counts.truncations++
    const begunMs = performance.now()
    try {
      await this.#drop(beforeMs, isLateCut)
    } catch (error) {
      this.counts.truncationsFailed++
      throw error
    }
    this.durations?.onTruncation((performance.now() - begunMs) / 1000)
  }

  async #drop(beforeMs: number, isLateCut: boolean): Promise<void> {
    const { head } = this.#options
    // Dropping chunks first files all that wait for it, at once.
    await this.#fileChunks()
    for (let next = 1; next !== 0;) {
      next = head.dropBefore(beforeMs, next, seriesPerSweep)
      await nextTurn()
    }
    if (isLateCut) {
      head.deletions.forgetBefore(beforeMs)
      head.dropFilesBefore(beforeMs)
      this.#options.onLateCut?.()
    }
    while (!this.#isStopping && head.collectSeries()) await nextTurn()
  }

  /** All blocks, or those that are uploaded. */
  #findMergeable(): readonly BlockMeta[] {
    const { blocks, uploadedFile, log } = this.#options
    const metas = blocks.blocks.map(({ meta }) => meta)
    if (uploadedFile === undefined) return metas
    return selectUploaded(metas, uploadedFile, (err) => log.warn('Blocks wait for their upload before they are compacted', { err }))
  }

  async #merge(): Promise<boolean> {
    const { blocks, now } = this.#options
    const plan = planCompaction(this.#findMergeable().map(toPlanned), this.#ranges)
    if (plan.length === 0) return false
    const ulids = plan.map(({ ulid }) => ulid)
    if (!this.#hasRoomFor(ulids)) return false
    const answer = await this.#write(
      { kind: 'merge', request: { directory: blocks.directory, blocks: ulids, ulid: makeUlid(now()) } },
      ulids,
    )
    if (answer === undefined) return false
    await blocks.add(answer.meta, ulids)
    this.counts.merges++
    if (overlaps(plan)) this.counts.overlaps++
    if (answer.meta !== undefined) this.#tell('Blocks compacted', answer.meta)
    return true
  }

  /** A merge on a disk that is nearly full would take the room of what is received. Told once. */
  #hasRoomFor(ulids: readonly string[]): boolean {
    const { blocks, log, hasRoomFor } = this.#options
    const sources = blocks.blocks.filter(({ meta }) => ulids.includes(meta.ulid))
    const want = sources.reduce((sum, { bytes }) => sum + bytes, 0)
    const hasRoom = hasRoomFor?.(want) ?? true
    if (!hasRoom && !this.#toldOfNoRoom) log.warn('Blocks are not compacted for want of room on the disk', { blocks: ulids, want })
    this.#toldOfNoRoom = !hasRoom
    return hasRoom
  }

  /** What the head had before this time is in blocks: of the log's older segments what is newer becomes a checkpoint. */
  async #checkpoint(minTimeMs: number): Promise<void> {
    const { beginCheckpoint, thread, log } = this.#options
    const request = beginCheckpoint(minTimeMs)
    if (request === undefined) return
    this.counts.checkpoints++
    const begunMs = performance.now()
    const answer = await thread.run({ kind: 'checkpoint', request })
    this.durations?.onCheckpoint((performance.now() - begunMs) / 1000)
    if (answer.kind === 'failed') {
      if (this.#isStopping) return
      this.counts.checkpointsFailed++
      log.error('Creating checkpoint failed', { err: answer.reason })
    }
    if (answer.kind !== 'checkpointed' || answer.result === undefined) return
    this.#options.endCheckpoint(answer.result.lastSegment)
    const { lastSegment, segments, bytesRead, bytesWritten, seconds } = answer.result
    log.info('WAL checkpoint complete', { last: lastSegment, segments, bytesRead, bytesWritten, duration: `${seconds.toFixed(3)}s` })
  }

  /** Undefined after a failure, which is logged; blocks that are damaged are not tried again. */
  async #write(task: CompactionTask, ulids: readonly string[] = []): Promise<{ readonly meta: BlockMeta | undefined } | undefined> {
    const begunMs = performance.now()
    this.#isWriting = true
    const answer = await this.#options.thread.run(task).finally(() => (this.#isWriting = false))
    this.durations?.onBlock((performance.now() - begunMs) / 1000)
    if (answer.kind === 'done') {
      if (answer.chunks !== undefined) this.durations?.onChunks(answer.chunks)
      return answer
    }
    if (answer.kind !== 'failed') throw new Error(`cannot ${task.kind}: the thread did something else`)
    // A thread that was ended for a stop has not failed.
    if (this.#isStopping) return undefined
    this.counts.failed++
    this.#options.log.error('Writing a block failed', { task: task.kind, blocks: ulids, err: answer.reason })
    if (answer.isDamage) await this.#options.blocks.markFailed(ulids)
    return undefined
  }

  async #expire(): Promise<void> {
    const { blocks, retention, log, otherBytes } = this.#options
    const known = blocks.blocks.map(({ meta, bytes }) => ({ ulid: meta.ulid, maxTimeMs: meta.maxTime, bytes }))
    const others = retention.bytesMax > 0 ? otherBytes() : 0
    const expired = findExpired(known, retention, others)
    if (expired.length === 0) return
    for (const { ulid } of expired) log.info('Deleting a block that is out of the retention', { block: join(blocks.directory, ulid) })
    await blocks.add(
      undefined,
      expired.map(({ ulid }) => ulid),
    )
    if (findExpired(known, { ...retention, bytesMax: 0 }, others).length > 0) this.counts.timeRetentions++
    if (findExpired(known, { ...retention, timeMs: 0 }, others).length > 0) this.counts.sizeRetentions++
  }

  #tell(message: string, meta: BlockMeta): void {
    const { ulid, minTime, maxTime, stats, compaction } = meta
    const { numSamples, numSeries, numChunks } = stats ?? {}
    this.#options.log.info(message, {
      ulid,
      minTime,
      maxTime,
      level: compaction.level,
      samples: numSamples,
      series: numSeries,
      chunks: numChunks,
    })
  }
}

const closingText = 'the storage is being closed'

function ignore(): void {}

/** Whether two of the blocks, which are in the order of their times, have a time in common. */
function overlaps(plan: readonly PlannedBlock[]): boolean {
  let end = -Infinity
  for (const { minTimeMs, maxTimeMs } of plan) {
    if (minTimeMs < end) return true
    end = Math.max(end, maxTimeMs)
  }
  return false
}

function toPlanned({ ulid, minTime, maxTime, stats, compaction }: BlockMeta): PlannedBlock {
  const hints = compaction.hints ?? []
  return {
    ulid,
    minTimeMs: minTime,
    maxTimeMs: maxTime,
    series: stats?.numSeries ?? 0,
    tombstones: stats?.numTombstones ?? 0,
    hasFailed: compaction.failed === true,
    // Blocks that were cut early are kept apart by it; those from out of order samples are merged into the others.
    kind: hints
      .filter((hint) => hint !== lateHint)
      .toSorted()
      .join(),
  }
}
