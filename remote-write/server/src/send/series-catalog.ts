import { readPairs, readTexts } from '@narthex/agent/send/prepared-layout'
import type { FamilyMetadata, SeriesLayout } from '@narthex/agent/store/frame'
import { nextLayoutId, noFamily } from '@narthex/agent/store/frame'
import { LayoutBuilder } from '@narthex/agent/store/layout-builder'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { readText } from '@narthex/exposition/text-cache'
import { ReferenceTable } from './reference-table.ts'
import type { SeriesFamilies } from './series-families.ts'

const blockShift = 9
/** Series of a block: neighbours in the log, which are mostly of one target, and so come together. */
export const blockSeries = 2 ** blockShift
const indexMask = blockSeries - 1

/** Some of a block's series as senders know them: those from `first` to before `first + layout.seriesCount`. */
export interface SeriesPart {
  readonly first: number
  readonly layout: SeriesLayout
}

interface Block {
  readonly id: number
  /** By series: its reference in the log, and the last segment with its record. */
  refs: number[]
  segments: number[]
  parts: SeriesPart[]
  /** Labels of the last series, which are in no part yet. */
  waiting: (readonly string[])[]
  familiesVersion: number
}

/**
 * The series that the log names, by their references, grouped into layouts: what a sender prepares once and then uses for all samples. A series
 * keeps its block for life, and the block is what senders take for a target, so its samples stay in order.
 */
export class SeriesCatalog {
  readonly #families: SeriesFamilies
  readonly #slots = new ReferenceTable()
  readonly #blocks: (Block | undefined)[] = []
  readonly #freeIds: number[] = []
  readonly #builder = new LayoutBuilder()
  #open: Block | undefined
  /** The last layout that `nameOf` was asked about, and its texts: it is asked about neighbours. */
  #named: { readonly layout: SeriesLayout; readonly texts: readonly string[] } | undefined
  size = 0

  constructor(families: SeriesFamilies) {
    this.#families = families
  }

  /** Takes the record of a series in this segment; its labels are [start, end) of `record`. */
  add(reference: number, segment: number, record: Uint8Array, start: number, end: number): void {
    const slot = this.#slots.get(reference)
    if (slot >= 0) {
      const { segments } = this.#blocks[slot >>> blockShift]!
      segments[slot & indexMask] = Math.max(segments[slot & indexMask]!, segment)
      return
    }
    let block = this.#open
    if (block === undefined || block.refs.length === blockSeries) this.#open = block = this.#createBlock()
    this.#slots.set(reference, (block.id << blockShift) | block.refs.length)
    block.refs.push(reference)
    block.segments.push(segment)
    block.waiting.push(readLabels(record, start, end))
    this.size++
  }

  /** Where a series is: block and index in it; -1 if it is not known. Good until the next `forget`. */
  slotOf(reference: number): number {
    return this.#slots.get(reference)
  }

  static blockOf(slot: number): number {
    return slot >>> blockShift
  }

  static indexOf(slot: number): number {
    return slot & indexMask
  }

  /** The layouts of a block in the order of its series, with what is known of their families now. */
  partsOf(blockId: number): readonly SeriesPart[] {
    const block = this.#blocks[blockId]!
    if (block.waiting.length > 0) this.#layOut(block)
    if (block.familiesVersion !== this.#families.version) this.#refreshFamilies(block)
    return block.parts
  }

  /** The metric name of a series; undefined if it is not known. */
  nameOf(reference: number): string | undefined {
    const slot = this.#slots.get(reference)
    if (slot < 0) return undefined
    const index = slot & indexMask
    const part = this.partsOf(slot >>> blockShift).findLast(({ first }) => first <= index)!
    const { layout } = part
    if (this.#named?.layout !== layout) this.#named = { layout, texts: readTexts(layout) }
    return metricName(readPairs(layout, index - part.first, this.#named.texts))
  }

  /** Forgets the series whose last record stands before this segment: a checkpoint has let go of them. */
  forget(beforeSegment: number): void {
    for (const block of this.#blocks) {
      if (block === undefined) continue
      let dead = 0
      for (const segment of block.segments) if (segment < beforeSegment) dead++
      if (dead === 0) continue
      if (dead === block.refs.length) this.#remove(block)
      // A few dead ones stay: laying out again what lives costs more than they take.
      else if (dead * 2 > block.refs.length) this.#compact(block, beforeSegment)
    }
  }

  #createBlock(): Block {
    const id = this.#freeIds.pop() ?? this.#blocks.length
    const block: Block = { id, refs: [], segments: [], parts: [], waiting: [], familiesVersion: this.#families.version }
    this.#blocks[id] = block
    return block
  }

  /** Newcomers get a layout of their own; it grows together with the ones before it that are no larger, so there are never many. */
  #layOut(block: Block): void {
    let pairs = block.waiting
    block.waiting = []
    let first = block.refs.length - pairs.length
    for (let last = block.parts.at(-1); last !== undefined && last.layout.seriesCount <= pairs.length; last = block.parts.at(-1)) {
      pairs = [...readAllPairs(last.layout), ...pairs]
      first = last.first
      block.parts.pop()
    }
    block.parts.push({ first, layout: this.#build(block.id, pairs) })
  }

  #build(target: number, series: readonly (readonly string[])[]): SeriesLayout {
    for (const pairs of series) this.#builder.addPairs(pairs, this.#families.find(metricName(pairs)))
    return this.#builder.build(target)
  }

  /** Layouts whose families are others now are replaced; they share their bytes. */
  #refreshFamilies(block: Block): void {
    block.familiesVersion = this.#families.version
    block.parts = block.parts.map(({ first, layout }) => {
      const texts = readTexts(layout)
      const found: FamilyMetadata[] = []
      const places = new Map<FamilyMetadata, number>()
      const familyOfSeries = new Uint32Array(layout.seriesCount)
      let isSame = true
      for (let i = 0; i < layout.seriesCount; i++) {
        const family = this.#families.find(metricName(readPairs(layout, i, texts)))
        isSame &&= family === layout.families[layout.familyOfSeries?.[i] ?? noFamily]
        if (family !== undefined && !places.has(family)) places.set(family, found.push(family) - 1)
        familyOfSeries[i] = family === undefined ? noFamily : places.get(family)!
      }
      return isSame ? { first, layout } : { first, layout: { ...layout, id: nextLayoutId(), families: found, familyOfSeries } }
    })
  }

  #remove(block: Block): void {
    for (const reference of block.refs) this.#slots.delete(reference)
    this.size -= block.refs.length
    this.#blocks[block.id] = undefined
    this.#freeIds.push(block.id)
    if (this.#open === block) this.#open = undefined
  }

  #compact(block: Block, beforeSegment: number): void {
    if (block.waiting.length > 0) this.#layOut(block)
    const pairs = block.parts.flatMap(({ layout }) => readAllPairs(layout))
    const kept = block.refs.map((_, i) => i).filter((i) => block.segments[i]! >= beforeSegment)
    for (const reference of block.refs) this.#slots.delete(reference)
    this.size += kept.length - block.refs.length
    block.refs = kept.map((i) => block.refs[i]!)
    block.segments = kept.map((i) => block.segments[i]!)
    block.refs.forEach((reference, i) => this.#slots.set(reference, (block.id << blockShift) | i))
    block.parts = [
      {
        first: 0,
        layout: this.#build(
          block.id,
          kept.map((i) => pairs[i]!),
        ),
      },
    ]
  }
}

/** Name and value by turns; of neighbours nearly all texts are the same strings. */
function readLabels(record: Uint8Array, start: number, end: number): string[] {
  const reader = new ByteReader(record, start, end)
  const texts = new Array<string>(reader.uvarint() * 2)
  for (let i = 0; i < texts.length; i++) {
    const length = reader.uvarint()
    texts[i] = readText(record, reader.offset, reader.offset + length)
    reader.skip(length)
  }
  return texts
}

function readAllPairs(layout: SeriesLayout): string[][] {
  const texts = readTexts(layout)
  return Array.from({ length: layout.seriesCount }, (_, i) => readPairs(layout, i, texts))
}

function metricName(pairs: readonly string[]): string {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === '__name__') return pairs[i + 1]!
  return ''
}
