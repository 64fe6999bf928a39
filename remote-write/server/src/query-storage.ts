import { BlockShelf } from '@narthex/tsdb/select/block-shelf'
import type { HeadReader } from '@narthex/tsdb/select/head-reader'
import { MergedQueryable } from '@narthex/tsdb/select/merged-queryable'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import type { QueryCall, QueryReply } from './query-protocol.ts'

/** Pages of blocks that are kept, per thread. */
const blockCacheBytesMax = 64 * 1024 * 1024

type BrokenBlocks = NonNullable<QueryReply['brokenBlocks']>

/** Head and blocks as this thread reads them. */
export class QueryStorage {
  readonly head: HeadReader
  readonly #shelf: BlockShelf
  #broken: BrokenBlocks[number][] = []

  constructor(head: HeadReader) {
    this.head = head
    this.#shelf = new BlockShelf(blockCacheBytesMax, (directory, reason) => this.#broken.push({ directory, reason }))
  }

  /** For one query. The head comes last, as it is the newest; of samples that a block has as well that of the block is given. */
  open(blocks: QueryCall['blocks'], onProgress: () => void): Queryable {
    this.head.onProgress = onProgress
    this.#shelf.onProgress = onProgress
    this.#shelf.list(blocks)
    return blocks.length === 0 ? this.head : new MergedQueryable([...this.#shelf.queryables(), this.head])
  }

  /** Blocks that could not be read since this was called last. */
  takeBroken(): BrokenBlocks {
    return this.#broken.splice(0)
  }
}
