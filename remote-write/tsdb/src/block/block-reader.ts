import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { readBlockMeta } from './block-meta.ts'
import type { BlockMeta } from './block-meta.ts'
import type { BlockError } from './block-error.ts'
import type { SelectionCheck } from './block-select.ts'
import { selectLabelNames, selectLabelValues, selectSeries } from './block-select.ts'
import { ChunkFiles } from './chunk-files.ts'
import type { ChunkData } from './chunk-files.ts'
import { IndexReader } from './index-reader.ts'
import { verifyBlock } from './block-verify.ts'
import type { PageCache } from './page-cache.ts'
import type { BlockSeries } from './series-entry.ts'
import { Tombstones, tombstonesFileName } from './tombstones.ts'

const noCheck = (): void => {}

/**
 * A block, open for reading through a cache of the thread. Reads are synchronous: for worker threads and tools. What disagrees with
 * the format throws a `BlockError` with file and offset, when it is first read. All files are open from the start, so a block that is deleted meanwhile can be read to the
 * end. `tombstones` are those of the opening, or of the last `rereadTombstones`.
 */
export class BlockReader {
  readonly directory: string
  readonly meta: BlockMeta
  #tombstones: Tombstones
  readonly index: IndexReader
  readonly chunks: ChunkFiles

  private constructor(directory: string, meta: BlockMeta, tombstones: Tombstones, index: IndexReader, chunks: ChunkFiles) {
    this.directory = directory
    this.meta = meta
    this.#tombstones = tombstones
    this.index = index
    this.chunks = chunks
  }

  static open(directory: string, cache: PageCache): BlockReader {
    const meta = readBlockMeta(directory)
    const tombstones = Tombstones.read(join(directory, tombstonesFileName))
    const index = IndexReader.open(join(directory, 'index'), cache)
    try {
      return new BlockReader(directory, meta, tombstones, index, ChunkFiles.open(join(directory, 'chunks'), cache))
    } catch (error) {
      index.close()
      throw error
    }
  }

  get tombstones(): Tombstones {
    return this.#tombstones
  }

  /** Takes over what was deleted since. The block has to stand where it stood: that its file is missing would mean that nothing is deleted. */
  rereadTombstones(): void {
    this.#tombstones = Tombstones.read(join(this.directory, tombstonesFileName))
  }

  close(): void {
    this.index.close()
    this.chunks.close()
  }

  /**
   * References of the series that all matchers select (all series if there are none), ascending: also the order of their labels.
   * `check` is called every few milliseconds, here and below; it may throw to give up.
   */
  select(matchers: readonly Matcher[], check: SelectionCheck = noCheck): Uint32Array {
    return selectSeries(this.index, matchers, check)
  }

  /** Sorted bytewise; of the selected series, or of all if there are no matchers. */
  labelNames(matchers: readonly Matcher[] = [], check: SelectionCheck = noCheck): string[] {
    return selectLabelNames(this.index, matchers, check)
  }

  /** Sorted bytewise; of the selected series, or of all if there are no matchers. */
  labelValues(name: string, matchers: readonly Matcher[] = [], check: SelectionCheck = noCheck): string[] {
    return selectLabelValues(this.index, name, matchers, check)
  }

  /** All symbols in byte order; each is valid until the next is asked for. Its place is the ordinal that `BlockSeries.labels` has. */
  symbols(): Iterable<Uint8Array> {
    return this.index.symbols.all()
  }

  get symbolCount(): number {
    return this.index.symbols.count
  }

  /** Fills `into` with the series of this reference. */
  readSeries(reference: number, into: BlockSeries): void {
    this.index.readSeries(reference, into)
  }

  /** The labels of a series that was read, as text: what is not UTF-8 becomes U+FFFD. For the bytes see `symbol`. */
  labels(series: BlockSeries): Labels {
    const texts: string[] = []
    for (let i = 0; i < series.labelCount * 2; i++) texts.push(this.index.symbols.text(series.labels[i]!))
    return Labels.fromPairs(texts)
  }

  /** The bytes of a symbol by its ordinal, valid until the next read. */
  symbol(ordinal: number): Uint8Array {
    return this.index.symbols.bytes(ordinal)
  }

  /** The chunk of a reference out of `BlockSeries.chunks`, the caller's own bytes. Deleted samples are still in it: see `tombstones`. */
  chunk(reference: number): ChunkData {
    return this.chunks.read(reference)
  }

  /** As `chunk`, but its bytes are valid until the next read. `lastReference`: those up to it follow. */
  viewChunk(reference: number, lastReference?: number): ChunkData {
    return this.chunks.view(reference, lastReference)
  }

  /** Walks all of the block and gives what is wrong with it, at most 100 things; see `verifyBlock`. */
  verify(): BlockError[] {
    return verifyBlock(this)
  }
}
