import type { Matcher } from '@narthex/model/matcher'
import { existsSync } from 'node:fs'
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
}

/** A block that was listed is there no more: it was compacted or is out of the retention. The query has to begin anew with a list of now. */
export class BlockGoneError extends Error {
  override name = 'BlockGoneError'
}

/** The blocks that one thread reads from: opened when a query needs them, kept open until they are listed no more. */
export class BlockShelf {
  /** Called every few milliseconds of a selection; may throw to end it. */
  onProgress: () => void = () => {}
  /** A block cannot be read; queries go on without it. Called once for each. */
  readonly #onBroken: (directory: string, reason: string) => void
  readonly #cache: PageCache
  #listed: readonly ShelvedBlock[] = []
  /** By directory; undefined for a broken one. */
  readonly #open = new Map<string, BlockReader | undefined>()

  constructor(cacheBytesMax: number, onBroken: (directory: string, reason: string) => void) {
    this.#cache = new PageCache(cacheBytesMax)
    this.#onBroken = onBroken
  }

  /** The blocks of now. Nothing may be read any more from what `queryables` gave before. */
  list(blocks: readonly ShelvedBlock[]): void {
    this.#listed = blocks
    const listed = new Set(blocks.map(({ directory }) => directory))
    for (const [directory, reader] of this.#open) {
      if (listed.has(directory)) continue
      reader?.close()
      this.#open.delete(directory)
    }
  }

  queryables(): Queryable[] {
    return this.#listed.map((block) => new LazyBlock(block, () => this.#find(block)))
  }

  close(): void {
    this.list([])
  }

  #find({ directory }: ShelvedBlock): BlockQueryable | undefined {
    if (!this.#open.has(directory)) this.#open.set(directory, this.#tryOpen(directory))
    const reader = this.#open.get(directory)
    if (reader === undefined) return undefined
    const queryable = new BlockQueryable(reader)
    queryable.onProgress = () => this.onProgress()
    return queryable
  }

  #tryOpen(directory: string): BlockReader | undefined {
    try {
      return BlockReader.open(directory, this.#cache)
    } catch (error) {
      if (!existsSync(directory)) throw new BlockGoneError(`cannot read block ${directory}: it is gone`, { cause: error })
      this.#onBroken(directory, error instanceof Error ? error.message : String(error))
      return undefined
    }
  }
}

/** Opens its block when a query reaches into its time. */
class LazyBlock implements Queryable {
  readonly #block: ShelvedBlock
  readonly #open: () => BlockQueryable | undefined

  constructor(block: ShelvedBlock, open: () => BlockQueryable | undefined) {
    this.#block = block
    this.#open = open
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    return this.#find(minTimeMs, maxTimeMs)?.select(matchers, minTimeMs, maxTimeMs) ?? emptySet
  }

  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.#find(minTimeMs, maxTimeMs)?.labelNames(matchers, minTimeMs, maxTimeMs) ?? []
  }

  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.#find(minTimeMs, maxTimeMs)?.labelValues(name, matchers, minTimeMs, maxTimeMs) ?? []
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
