import { BlockShelf } from '@narthex/tsdb/select/block-shelf'
import type { HeadReader } from '@narthex/tsdb/select/head-reader'
import { MergedQueryable } from '@narthex/tsdb/select/merged-queryable'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import type { QueryCall, QueryEnd } from './query-protocol.ts'

/** Damaged parts that are remembered, so that each is told once. */
const toldPartsMax = 1000

type BrokenBlocks = NonNullable<QueryEnd['brokenBlocks']>

/** Head and blocks as this thread reads them. */
export class QueryStorage {
  #head: HeadReader | undefined
  readonly #shelf: BlockShelf
  #broken: BrokenBlocks[number][] = []
  readonly #toldParts = new Set<string>()

  /** `cacheBytesMax`: pages of blocks that are kept. */
  constructor(cacheBytesMax: number) {
    this.#shelf = new BlockShelf(cacheBytesMax, (directory, reason, isPart) => {
      if (isPart && this.#toldParts.has(reason)) return
      if (isPart && this.#toldParts.size < toldPartsMax) this.#toldParts.add(reason)
      if (this.#broken.length < toldPartsMax) this.#broken.push({ directory, reason, isPart })
    })
  }

  get head(): HeadReader {
    if (this.#head === undefined) throw new Error('cannot read the head: it is not there yet')
    return this.#head
  }

  /** Before this there are blocks alone; that one of them could not be read is forgotten. */
  addHead(head: HeadReader): void {
    this.#head = head
    this.#shelf.forgetBroken()
    this.#broken = []
    this.#toldParts.clear()
  }

  /** As if nothing had been read of the blocks; what is open stays so. */
  forgetPages(): void {
    this.#shelf.forgetPages()
  }

  /** Of the newest sample of the head; -Infinity without any. */
  get maxTimeMs(): number {
    return this.#head?.maxTimeMs ?? -Infinity
  }

  /** What a query took may be used again. */
  release(): void {
    this.#head?.release()
  }

  /** For one query. The head comes last, as it is the newest; of samples that a block has as well that of the block is given. */
  open({ blocks, deletions }: Pick<QueryCall, 'blocks' | 'deletions'>, onProgress: () => void): Queryable {
    this.#shelf.onProgress = onProgress
    this.#shelf.list(blocks)
    if (this.#head === undefined) return new MergedQueryable(this.#shelf.queryables())
    this.#head.onProgress = onProgress
    this.#head.deletions = deletions
    return blocks.length === 0 ? this.#head : new MergedQueryable([...this.#shelf.queryables(), this.#head])
  }

  /** What the answer of the query is without, for who asked. */
  warnings(): string[] {
    return [...this.#shelf.warnings]
  }

  /** Blocks that could not be read since this was called last. */
  takeBroken(): BrokenBlocks {
    return this.#broken.splice(0)
  }
}
