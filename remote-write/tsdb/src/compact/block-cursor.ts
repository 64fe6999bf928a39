import type { BlockReader } from '../block/block-reader.ts'
import type { SeriesReferences } from '../block/series-references.ts'
import { BlockSeries } from '../block/series-entry.ts'

/** Stands on one series of a block after the other, in the order of their labels. */
export class BlockCursor {
  readonly block: BlockReader
  readonly series = new BlockSeries()
  /** Of the series: ordinals in the merged list of symbols, name and value by turns. */
  labels = new Uint32Array(32)
  labelLength = 0
  readonly #references: SeriesReferences
  readonly #ordinals: Uint32Array
  #isAtEnd = false

  constructor(block: BlockReader, ordinals: Uint32Array) {
    this.block = block
    this.#ordinals = ordinals
    this.#references = block.index.eachSeries()
    this.#read()
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd
  }

  advance(): void {
    this.#read()
  }

  /** As Labels.compare. */
  compare(other: BlockCursor): number {
    const { labels, labelLength } = this
    const shorter = Math.min(labelLength, other.labelLength)
    for (let i = 0; i < shorter; i++) if (labels[i] !== other.labels[i]) return labels[i]! - other.labels[i]!
    return labelLength - other.labelLength
  }

  #read(): void {
    const reference = this.#references.next()
    this.#isAtEnd = reference < 0
    if (this.#isAtEnd) return
    const { series } = this
    this.block.readSeries(reference, series)
    this.labelLength = series.labelCount * 2
    if (this.labels.length < this.labelLength) this.labels = new Uint32Array(this.labelLength * 2)
    for (let i = 0; i < this.labelLength; i++) this.labels[i] = this.#ordinals[series.labels[i]!]!
  }
}
