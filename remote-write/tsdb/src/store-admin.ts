import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Matcher } from '@narthex/model/matcher'
import type { Logger } from '@narthex/service/logger'
import type { Deletion } from './block/delete-from-block.ts'
import { hasTombstones } from './block/tombstones.ts'
import { makeUlid } from './block/ulid.ts'
import type { BlockSet } from './compact/block-set.ts'
import type { CompactionAnswer, CompactionTask } from './compact/compaction-protocol.ts'
import type { Compactor } from './compact/compactor.ts'
import { makeSnapshotName, writeSnapshot } from './compact/snapshot.ts'
import type { Head } from './head/head.ts'
import { RecordBuilder } from './wal/record-builder.ts'
import { tombstonesRecord } from './wal/wal-format.ts'
import type { WalWriter } from './wal/wal-writer.ts'

/** Deletions in one record of the log, some 90 KB: below a millisecond. */
const stonesPerRecord = 4096

export interface StoreAdminOptions {
  /** The data directory. */
  readonly directory: string
  readonly head: Head
  readonly wal: WalWriter
  readonly blocks: BlockSet
  readonly compactor: Compactor
  readonly thread: { run(task: CompactionTask): Promise<CompactionAnswer> }
  readonly log: Logger
  readonly now: () => number
  /** What the log being written calls a series of the head. */
  readonly logReferenceOf: (ref: number) => number
}

/**
 * What an administrator asks of the storage. One thing at a time, and never while blocks are cut or merged; what is heavy is done in the
 * compactor's thread. When a promise resolves the disk has what was done. Errors are for whoever asked; what was done before one stays.
 */
export class StoreAdmin {
  /** Called with the seconds that a cleaning of tombstones took. */
  onCleaned: (seconds: number) => void = () => {}
  readonly #options: StoreAdminOptions

  constructor(options: StoreAdminOptions) {
    this.#options = options
  }

  /**
   * Deletes the samples in [minTimeMs, maxTimeMs] of series that all matchers of any selector take: queries that begin later do not find
   * them. They leave the disk when their blocks are written anew. What a series of the head gets later is not deleted.
   */
  deleteSeries(selectors: readonly (readonly Matcher[])[], minTimeMs: number, maxTimeMs: number): Promise<void> {
    const plain = selectors.map((matchers) => matchers.map(({ type, name, value }) => ({ type, name, value })))
    const deletion: Deletion = { selectors: plain, minTimeMs, maxTimeMs }
    if (!(minTimeMs <= maxTimeMs) || selectors.length === 0) return Promise.resolve()
    return this.#options.compactor.exclusive(async () => {
      const reasons: string[] = []
      for (const { meta } of this.#options.blocks.blocks) {
        if (meta.minTime > maxTimeMs || meta.maxTime <= minTimeMs) continue
        const reason = await this.#deleteFromBlock(meta.ulid, deletion)
        if (reason !== undefined) reasons.push(reason)
      }
      await this.#deleteFromHead(deletion)
      if (reasons.length > 0) throw new Error(`cannot delete from every block: ${reasons.join('; ')}`)
    })
  }

  /** Writes blocks with deletions anew, without what is deleted; those with nothing else go. */
  cleanTombstones(): Promise<void> {
    const { directory, blocks, compactor, thread, log, now } = this.#options
    return compactor.exclusive(async () => {
      const startMs = performance.now()
      for (const { meta } of blocks.blocks) {
        const block = join(directory, meta.ulid)
        if (!hasTombstones(block)) continue
        const request = { directory, blocks: [meta.ulid], ulid: makeUlid(now()), cleans: true }
        const answer = await thread.run({ kind: 'merge', request })
        if (answer.kind !== 'done') throw new Error(`clean tombstones: ${block}: ${reasonOf(answer)}`)
        await blocks.add(answer.meta, [meta.ulid])
        log.info('Tombstones cleaned', { block: meta.ulid, ulid: answer.meta?.ulid ?? 'none: all of it was deleted' })
      }
      this.onCleaned((performance.now() - startMs) / 1000)
    })
  }

  /** Makes a snapshot below `snapshots/` of the data directory and gives its name; `withHead`: with a block of what no block has yet. */
  snapshot(withHead: boolean): Promise<string> {
    const { directory, blocks, compactor, log, now } = this.#options
    return compactor.exclusive(async () => {
      const name = makeSnapshotName(now())
      const ulids = blocks.blocks.map(({ meta }) => meta.ulid)
      await writeSnapshot(directory, name, ulids, (unfinished) => (withHead ? this.#writeHead(unfinished) : Promise.resolve()))
      log.info('Snapshot written', { name, blocks: ulids.length })
      return name
    })
  }

  /** What went wrong, if something did. */
  async #deleteFromBlock(ulid: string, deletion: Deletion): Promise<string | undefined> {
    const { directory, blocks, thread, log } = this.#options
    const answer = await thread.run({ kind: 'delete', directory: join(directory, ulid), deletion })
    if (answer.kind === 'done' && answer.meta === undefined) return undefined
    // Also after a failure: it may have come behind the writing of the tombstones, which count from then on.
    blocks.noteDeletion(ulid, answer.kind === 'done' ? answer.meta?.stats : undefined)
    if (answer.kind !== 'done') return reasonOf(answer)
    log.info('Series deleted from a block', { block: ulid, tombstones: answer.meta?.stats?.numTombstones ?? 0 })
    return undefined
  }

  async #deleteFromHead(deletion: Deletion): Promise<void> {
    const { head, wal, thread, log } = this.#options
    const { minTime, maxTime } = rangeOfHead(head)
    if (!(deletion.minTimeMs <= maxTime && deletion.maxTimeMs >= minTime)) return
    const descriptor = head.descriptor()
    let answer: CompactionAnswer
    try {
      answer = await thread.run({ kind: 'find', head: descriptor, deletion })
    } finally {
      head.releaseReader(descriptor)
    }
    if (answer.kind !== 'found') throw new Error(`cannot delete from the head: ${reasonOf(answer)}`)
    const { refs, firstMs, lastMs } = answer.found
    for (let from = 0; from < refs.length; from += stonesPerRecord) {
      const to = Math.min(refs.length, from + stonesPerRecord)
      wal.writeRecords([this.#buildRecord(refs, firstMs, lastMs, from, to)])
      head.deletions.add(refs.subarray(from, to), firstMs.subarray(from, to), lastMs.subarray(from, to))
      await nextTurn()
    }
    if (refs.length === 0) return
    await wal.sync()
    log.info('Series deleted from the head', { intervals: refs.length })
  }

  #buildRecord(refs: Uint32Array, firstMs: Float64Array, lastMs: Float64Array, from: number, to: number): Uint8Array {
    const builder = new RecordBuilder()
    builder.begin(tombstonesRecord)
    for (let i = from; i < to; i++) builder.addTombstone(this.#options.logReferenceOf(refs[i]!), firstMs[i]!, lastMs[i]!)
    return builder.view()
  }

  async #writeHead(into: string): Promise<void> {
    const { head, thread, now } = this.#options
    const { minTime, maxTime } = rangeOfHead(head)
    if (!(minTime <= maxTime)) return
    const descriptor = head.descriptor()
    const request = {
      directory: into,
      ulid: makeUlid(now()),
      minTimeMs: minTime,
      maxTimeMs: maxTime + 1,
      deletions: head.deletions.view,
      late: 'too',
    } as const
    try {
      const answer = await thread.run({ kind: 'cut', head: descriptor, request })
      if (answer.kind !== 'done') throw new Error(`cannot write a block of the head: ${reasonOf(answer)}`)
    } finally {
      head.releaseReader(descriptor)
    }
  }
}

/** Late samples included. */
function rangeOfHead({ memory: { minTime, maxTime, lateMinTime, lateMaxTime } }: Head): { minTime: number; maxTime: number } {
  return { minTime: Math.min(minTime, lateMinTime), maxTime: Math.max(maxTime, lateMaxTime) }
}

function reasonOf(answer: CompactionAnswer): string {
  return answer.kind === 'failed' ? answer.reason : 'the thread did something else'
}
