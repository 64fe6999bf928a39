import type { Matcher } from '@narthex/model/matcher'
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { BlockError } from '../block/block-error.ts'
import { BlockReader } from '../block/block-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { BlockQueryable } from './block-queryable.ts'
import type { Queryable, SeriesSet } from './queryable.ts'

/** A block by where it stands; plain data. */
export interface ShelvedBlock {
  readonly directory: string
  readonly minTimeMs: number
  /** Exclusive. */
  readonly maxTimeMs: number
  /** How often something of it was deleted since the start: who has it open with another number reads its tombstones again. */
  readonly deletions: number
}

const warningsMax = 100

/**
 * A block, or a damaged series or chunk of one (`isPart`), cannot be read: queries go on without it. Called once for a block, and for a part
 * by each query that comes to it.
 */
export type OnBroken = (directory: string, reason: string, isPart: boolean) => void

/** A block that was listed is there no more: it was compacted or is out of the retention. The query has to begin anew with a list of now. */
export class BlockGoneError extends Error {
  override name = 'BlockGoneError'
}

/** The blocks that one thread reads from: opened when a query needs them, kept open until they are listed no more. */
export class BlockShelf {
  /** Called every few milliseconds of a selection; may throw to end it. */
  onProgress: () => void = () => {}
  /** What the answers since `list` are without, as damage keeps it from being read. */
  readonly warnings = new Set<string>()
  readonly #onBroken: OnBroken
  /** Given up by a query that may still have some of it in hand. */
  readonly #givenUp: BlockReader[] = []
  readonly #cache: PageCache
  #listed: readonly ShelvedBlock[] = []
  /** By directory; no reader for a broken one. */
  readonly #open = new Map<string, OpenBlock>()

  constructor(cacheBytesMax: number, onBroken: OnBroken) {
    this.#cache = new PageCache(cacheBytesMax)
    this.#onBroken = onBroken
  }

  /** The blocks of now. Nothing may be read any more from what `queryables` gave before. */
  list(blocks: readonly ShelvedBlock[]): void {
    this.#listed = blocks
    this.warnings.clear()
    const listed = new Set(blocks.map(({ directory }) => directory))
    for (const [directory, { reader }] of this.#open) {
      if (listed.has(directory)) continue
      reader?.close()
      this.#open.delete(directory)
    }
    for (const reader of this.#givenUp.splice(0)) reader.close()
  }

  /** Tries again those that could not be read. */
  forgetBroken(): void {
    for (const [directory, { reader }] of this.#open) if (reader === undefined) this.#open.delete(directory)
  }

  /** What was read of blocks is read again when it is wanted next. */
  forgetPages(): void {
    this.#cache.forgetPages()
  }

  queryables(): Queryable[] {
    return this.#listed.map(
      (block) =>
        new LazyBlock(
          block,
          () => this.#find(block),
          (error) => this.#giveUp(block, error),
        ),
    )
  }

  close(): void {
    this.list([])
  }

  #find(block: ShelvedBlock): BlockQueryable | undefined {
    const { directory, deletions } = block
    const open = this.#open.get(directory)
    let reader = open?.reader
    if (open === undefined) reader = this.#try(block, () => BlockReader.open(directory, this.#cache))
    else if (reader !== undefined && open.deletions !== deletions) {
      const stale = reader
      reader = this.#try(block, () => rereadTombstones(stale))
      if (reader === undefined) stale.close()
    }
    this.#open.set(directory, { reader, deletions })
    if (reader === undefined) {
      this.#warn(`block ${basename(directory)} cannot be read: the result is without its samples`)
      return undefined
    }
    const onDamage = (damage: BlockError): void => {
      this.#warn(`block ${basename(directory)} is damaged: the result is without some of its samples`)
      this.#onBroken(directory, damage.message, true)
    }
    const queryable = new BlockQueryable(reader, onDamage, block)
    queryable.onProgress = () => this.onProgress()
    return queryable
  }

  /** A block whose index turns out to be damaged is not read any more; what is wrong with it now may have come after it was opened. */
  #giveUp({ directory, deletions }: ShelvedBlock, error: BlockError): void {
    const reader = this.#open.get(directory)?.reader
    if (reader !== undefined) this.#givenUp.push(reader)
    this.#open.set(directory, { reader: undefined, deletions })
    this.#warn(`block ${basename(directory)} cannot be read: the result is without its samples`)
    this.#onBroken(directory, error.message, false)
  }

  #warn(text: string): void {
    if (this.warnings.size < warningsMax) this.warnings.add(text)
  }

  #try({ directory }: ShelvedBlock, read: () => BlockReader): BlockReader | undefined {
    try {
      return read()
    } catch (error) {
      if (!existsSync(directory)) throw new BlockGoneError(`cannot read block ${directory}: it is gone`, { cause: error })
      this.#onBroken(directory, error instanceof Error ? error.message : String(error), false)
      return undefined
    }
  }
}

interface OpenBlock {
  readonly reader: BlockReader | undefined
  /** Of `ShelvedBlock`, when its tombstones were read. */
  readonly deletions: number
}

function rereadTombstones(reader: BlockReader): BlockReader {
  reader.rereadTombstones()
  // A block that is being deleted has another name already, under which its tombstones were not found.
  if (!existsSync(reader.directory)) throw new Error(`${reader.directory} is gone`)
  return reader
}

/** Opens its block when a query reaches into its time. */
class LazyBlock implements Queryable {
  readonly #block: ShelvedBlock
  readonly #open: () => BlockQueryable | undefined
  readonly #giveUp: (error: BlockError) => void

  constructor(block: ShelvedBlock, open: () => BlockQueryable | undefined, giveUp: (error: BlockError) => void) {
    this.#block = block
    this.#open = open
    this.#giveUp = giveUp
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    return this.#ask(minTimeMs, maxTimeMs, emptySet, (block) => block.select(matchers, minTimeMs, maxTimeMs))
  }

  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.#ask(minTimeMs, maxTimeMs, [], (block) => block.labelNames(matchers, minTimeMs, maxTimeMs))
  }

  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.#ask(minTimeMs, maxTimeMs, [], (block) => block.labelValues(name, matchers, minTimeMs, maxTimeMs))
  }

  #ask<T>(minTimeMs: number, maxTimeMs: number, nothing: T, ask: (block: BlockQueryable) => T): T {
    const block = this.#find(minTimeMs, maxTimeMs)
    if (block === undefined) return nothing
    try {
      return ask(block)
    } catch (error) {
      if (!(error instanceof BlockError)) throw error
      this.#giveUp(error)
      return nothing
    }
  }

  #find(minTimeMs: number, maxTimeMs: number): BlockQueryable | undefined {
    const { minTimeMs: first, maxTimeMs: end } = this.#block
    return first <= maxTimeMs && minTimeMs < end ? this.#open() : undefined
  }
}

const emptySet: SeriesSet = {
  next: () => false,
  labels: () => {
    throw new Error('cannot give labels: there is no series')
  },
  samples: () => {},
}
