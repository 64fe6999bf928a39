import { compareBytes } from '../block/byte-order.ts'
import type { BlockReader } from '../block/block-reader.ts'

/** The symbols of several blocks as one list in byte order, and where each block's symbols are in it: 4 bytes for each of a block's. */
export class MergedSymbols {
  /** By block, then by ordinal there: the ordinal in the merged list. Filled when `texts` has run. */
  readonly ordinals: readonly Uint32Array[]
  readonly #blocks: readonly BlockReader[]

  constructor(blocks: readonly BlockReader[]) {
    this.#blocks = blocks
    this.ordinals = blocks.map((block) => new Uint32Array(block.symbolCount))
  }

  /** Each text is valid until the next. To be run once. */
  *texts(): Iterable<Uint8Array> {
    const iterators = this.#blocks.map((block) => block.symbols()[Symbol.iterator]())
    const texts = iterators.map(nextText)
    const places = this.#blocks.map(() => 0)
    for (let ordinal = 0; ; ordinal++) {
      let first: Uint8Array | undefined
      for (const text of texts) if (text !== undefined && (first === undefined || compareBytes(text, first) < 0)) first = text
      if (first === undefined) return
      const having = texts.flatMap((text, i) => (text !== undefined && (text === first || compareBytes(text, first) === 0) ? [i] : []))
      yield first
      for (const i of having) {
        this.ordinals[i]![places[i]!++] = ordinal
        texts[i] = nextText(iterators[i]!)
      }
    }
  }
}

function nextText(iterator: Iterator<Uint8Array>): Uint8Array | undefined {
  const { done, value } = iterator.next()
  return done === true ? undefined : value
}
