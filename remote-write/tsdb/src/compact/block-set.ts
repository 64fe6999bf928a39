import { existsSync, readdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isLateBlock, writeBlockMeta } from '../block/block-meta.ts'
import type { BlockMeta, BlockStats } from '../block/block-meta.ts'
import { syncDirectory } from '@narthex/service/sync-directory'
import { isUlid } from '../block/ulid.ts'
import { directoryBytes } from '../directory-bytes.ts'
import { readMetaWithTrueRange } from './true-range.ts'
import { snapshotsDirectoryName, unfinishedSnapshotSuffix } from './snapshot.ts'
import type { ShelvedBlock } from '../select/block-shelf.ts'

const deletionSuffix = '.tmp-for-deletion'
/** What a Prometheus or we left when a block was being made or deleted; `.tmp` is of old versions. */
const temporarySuffixes = ['.tmp-for-creation', deletionSuffix, '.tmp']

export interface LoadedBlock {
  readonly meta: BlockMeta
  /** Bytes of its files. */
  readonly bytes: number
  /** How often something of it was deleted since the start. */
  readonly deletions: number
}

/** A block that is there and cannot be used. */
export interface BrokenBlock {
  readonly directory: string
  readonly reason: string
  /** It is used all the same: only the times in its meta.json are wrong. */
  readonly isUsed?: boolean
}

/** The blocks of a data directory, by their meta.json: what is open where is not its business. Used by one thread. */
export class BlockSet {
  readonly directory: string
  #blocks: readonly LoadedBlock[] = []
  /** How often the blocks that there are were read or changed, and how often that failed. */
  readonly reloads = { count: 0, failures: 0 }
  /** Directories that a crash left, and blocks that others replace. */
  #leftovers: string[] = []

  private constructor(directory: string) {
    this.directory = directory
  }

  /**
   * Reads what is there; synchronous, for the start. Nothing is changed on the disk before `removeLeftovers`. `rangeMs`: of the blocks that are
   * cut from the head.
   */
  static load(directory: string, rangeMs: number, onBroken: (block: BrokenBlock) => void): BlockSet {
    const set = new BlockSet(directory)
    set.reloads.count++
    const found: LoadedBlock[] = []
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      const path = join(directory, entry.name)
      if (temporarySuffixes.some((suffix) => entry.name.endsWith(suffix) && isUlid(entry.name.slice(0, -suffix.length)))) {
        set.#leftovers.push(path)
      } else if (isUlid(entry.name)) {
        try {
          const meta = readMetaWithTrueRange(path, rangeMs, (reason) => onBroken({ directory: path, reason, isUsed: true }))
          found.push({ meta, bytes: directoryBytes(path), deletions: 0 })
        } catch (error) {
          set.reloads.failures++
          onBroken({ directory: path, reason: error instanceof Error ? error.message : String(error) })
        }
      }
    }
    set.#leftovers.push(...findUnfinishedSnapshots(directory))
    const replaced = new Set(found.flatMap(({ meta }) => (meta.compaction.parents ?? []).map(({ ulid }) => ulid)))
    const isGone = ({ meta }: LoadedBlock): boolean => replaced.has(meta.ulid) || meta.compaction.deletable === true
    for (const { meta } of found.filter(isGone)) set.#leftovers.push(join(directory, meta.ulid))
    set.#setBlocks(found.filter((block) => !isGone(block)))
    return set
  }

  /** In the order of their times. */
  get blocks(): readonly LoadedBlock[] {
    return this.#blocks
  }

  /** For readers; the same array until the blocks change. */
  shelf: readonly ShelvedBlock[] = []

  /** Where the newest block ends (exclusive), -Infinity without blocks: what the head has in order from before is in blocks. */
  get maxTimeMs(): number {
    return this.#blocks.reduce((most, { meta }) => {
      return isLateBlock(meta) ? most : Math.max(most, meta.maxTime)
    }, -Infinity)
  }

  get bytes(): number {
    return this.#blocks.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  async removeLeftovers(): Promise<void> {
    for (const path of this.#leftovers.splice(0)) await removeBlock(path)
  }

  /** A block that was written stands where its meta says; those of `replaced` are no longer used from now on, and then deleted. */
  async add(meta: BlockMeta | undefined, replaced: readonly string[]): Promise<void> {
    const kept = this.#blocks.filter((block) => !replaced.includes(block.meta.ulid))
    this.reloads.count++
    try {
      if (meta !== undefined) kept.push({ meta, bytes: directoryBytes(join(this.directory, meta.ulid)), deletions: 0 })
      this.#setBlocks(kept)
      for (const ulid of replaced) await removeBlock(join(this.directory, ulid))
    } catch (error) {
      this.reloads.failures++
      throw error
    }
  }

  /** Notes in their meta.json that the blocks cannot be compacted: it is not tried again. */
  async markFailed(ulids: readonly string[]): Promise<void> {
    for (const { meta } of this.#blocks.filter((block) => ulids.includes(block.meta.ulid))) {
      const failed: BlockMeta = { ...meta, compaction: { ...meta.compaction, failed: true } }
      await writeBlockMeta(join(this.directory, meta.ulid), failed)
      this.#setBlocks(this.#blocks.map((block) => (block.meta === meta ? { ...block, meta: failed } : block)))
    }
  }

  /** From now on readers leave out what the block's tombstones say. `stats`: those of its meta.json now, if they are known. */
  noteDeletion(ulid: string, stats?: BlockStats): void {
    this.#setBlocks(
      this.#blocks.map((block) => {
        if (block.meta.ulid !== ulid) return block
        const meta = stats === undefined ? block.meta : { ...block.meta, stats }
        return { meta, bytes: directoryBytes(join(this.directory, ulid)), deletions: block.deletions + 1 }
      }),
    )
  }

  #setBlocks(blocks: readonly LoadedBlock[]): void {
    this.#blocks = blocks.toSorted((a, b) => a.meta.minTime - b.meta.minTime || a.meta.maxTime - b.meta.maxTime)
    // Of samples with the same time those of the first block count: what came in order was there first.
    this.shelf = this.#blocks
      .toSorted((a, b) => Number(isLateBlock(a.meta)) - Number(isLateBlock(b.meta)))
      .map(({ meta: { ulid, minTime, maxTime }, deletions }) => {
        return { directory: join(this.directory, ulid), minTimeMs: minTime, maxTimeMs: maxTime, deletions }
      })
  }
}

function findUnfinishedSnapshots(directory: string): string[] {
  const snapshots = join(directory, snapshotsDirectoryName)
  if (!existsSync(snapshots)) return []
  const names = readdirSync(snapshots).filter((name) => name.endsWith(unfinishedSnapshotSuffix))
  return names.map((name) => join(snapshots, name))
}

/** In two steps: a directory under a block's name is a whole block, also after a crash in between. Who has it open can go on reading. */
async function removeBlock(path: string): Promise<void> {
  const isTemporary = temporarySuffixes.some((suffix) => path.endsWith(suffix))
  const dying = isTemporary ? path : path + deletionSuffix
  if (!isTemporary) {
    await rm(dying, { recursive: true, force: true })
    await rename(path, dying)
    await syncDirectory(join(path, '..'))
  }
  await rm(dying, { recursive: true, force: true })
}
