import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { locateSymbols } from '@narthex/wire/symbol-table'
import { nextLayoutId, noFamily } from '../store/frame.ts'
import type { FamilyMetadata, SeriesLayout } from '../store/frame.ts'
import type { LabelTexts } from './label-texts.ts'
import { LayoutSymbols } from './layout-symbols.ts'
import type { SeriesList } from './series-index.ts'

const labelsRefsTag = 0x0a
const packed = new ByteWriter(256)

/** Where an edit is worked out; a finished one leaves it to the next. */
class EditSpace {
  readonly symbols = new LayoutSymbols()
  readonly refs = new ByteWriter(4096)
  // Open addressing by the bytes of a series' references: slot → series + 1. Only `slotCount` are in use.
  slots = new Int32Array(1024)
  slotCount = 0

  get byteLength(): number {
    return this.refs.bytes.length + this.symbols.byteLength + this.slots.byteLength
  }

  /** Empties the slots; there are at least four for each of so many series. */
  clearSlots(series: number): void {
    this.slotCount = 64
    while (this.slotCount < series * 4) this.slotCount *= 2
    if (this.slotCount > this.slots.length) this.slots = new Int32Array(this.slotCount)
    else this.slots.fill(0, 0, this.slotCount)
  }
}

/** A space that has grown beyond this is not kept for the next edit. */
const spareBytesMax = 1 << 20
let spare: EditSpace | undefined

export interface EditedLayout {
  readonly layout: SeriesLayout
  /** Old series number (added ones count on behind the old ones) → new number, -1 for those left out. */
  readonly renumbered: Int32Array
}

/**
 * Makes a layout out of another by leaving series out and adding some. Kept series are copied as bytes with the symbol numbers they have, so
 * a target whose series come and go costs little more than its newcomers. Made for one edit and of no use after `build`.
 */
export class LayoutEditor {
  readonly #from: SeriesLayout | undefined
  readonly #space: EditSpace
  readonly #refs: ByteWriter
  // Made when they are needed first: leaving series out needs neither.
  #hasSymbols = false
  #hasSlots = false
  readonly #offsets: number[]
  readonly #families: (FamilyMetadata | undefined)[] = []
  readonly #found: number[] = []

  constructor(from: SeriesLayout | undefined) {
    this.#from = from
    this.#space = spare ?? new EditSpace()
    spare = undefined
    this.#refs = this.#space.refs
    this.#refs.reset()
    this.#offsets = from === undefined ? [0] : Array.from(from.seriesRefOffsets.subarray(0, from.seriesCount + 1))
    if (from !== undefined) this.#refs.raw(from.seriesRefs)
  }

  get #symbols(): LayoutSymbols {
    const { symbols } = this.#space
    if (!this.#hasSymbols) symbols.reset(this.#from)
    this.#hasSymbols = true
    return symbols
  }

  /** Old and added series. */
  get seriesCount(): number {
    return this.#offsets.length - 1
  }

  /** The number of the series with these labels, added ones included, or -1. */
  find(texts: LabelTexts): number {
    if (!this.#hasSlots) this.#growSlots()
    const { count } = texts
    const symbols = this.#symbols
    const found = this.#found
    for (let i = 0; i < count; i++) if ((found[i] = symbols.find(texts, i)) === 0) return -1
    const start = this.#refs.length
    this.#writeRefs(count)
    const { slots } = this.#space
    const series = slots[this.#slotOf(start, this.#refs.length)]! - 1
    this.#refs.length = start
    return series
  }

  /** Adds a series that is not in it and returns its number. */
  add(texts: LabelTexts, family: FamilyMetadata | undefined): number {
    const { count } = texts
    const symbols = this.#symbols
    const found = this.#found
    for (let i = 0; i < count; i++) {
      const known = symbols.find(texts, i)
      found[i] = known === 0 ? symbols.add(texts, i) : known
    }
    this.#writeRefs(count)
    this.#offsets.push(this.#refs.length)
    this.#families[this.seriesCount - 1] = family
    if (!this.#hasSlots) return this.seriesCount - 1
    if (this.seriesCount * 2 > this.#space.slotCount) this.#growSlots()
    else this.#index(this.seriesCount - 1)
    return this.seriesCount - 1
  }

  /**
   * The layout of all series that `keeps`. `refresh` gives the metadata of today for a family of the old layout. With `compacts` the symbols
   * that no series needs any more go too.
   */
  build(
    target: number,
    keeps: (series: number) => boolean,
    refresh: (name: string) => FamilyMetadata | undefined,
    compacts: boolean,
  ): EditedLayout {
    const families = this.#resolveFamilies(refresh)
    const renumbered = new Int32Array(this.seriesCount)
    let kept = 0
    for (let series = 0; series < this.seriesCount; series++) renumbered[series] = keeps(series) ? kept++ : -1
    const layout = compacts ? this.#buildCompact(target, renumbered, kept, families) : this.#buildByCopy(target, renumbered, kept, families)
    if (this.#space.byteLength <= spareBytesMax) spare = this.#space
    return { layout, renumbered }
  }

  #buildByCopy(target: number, renumbered: Int32Array, count: number, families: readonly (FamilyMetadata | undefined)[]): SeriesLayout {
    const refs = this.#keptRefs(renumbered)
    const offsets = new Uint32Array(count + 1)
    const familyOfSeries = new Uint32Array(count)
    const familyIndex = new Map<FamilyMetadata, number>()
    let length = 0
    for (let series = 0; series < renumbered.length; series++) {
      const number = renumbered[series]!
      if (number < 0) continue
      length += this.#offsets[series + 1]! - this.#offsets[series]!
      offsets[number + 1] = length
      familyOfSeries[number] = indexOf(familyIndex, families[series])
    }
    return {
      id: nextLayoutId(),
      target,
      symbolBytes: this.#allSymbols(),
      symbolCount: this.#symbolCount,
      seriesRefs: refs,
      seriesRefOffsets: offsets,
      seriesCount: count,
      families: [...familyIndex.keys()],
      familyOfSeries: familyIndex.size === 0 ? undefined : familyOfSeries,
    }
  }

  /** Old and added series as they are now. */
  list(): SeriesList {
    return {
      symbolBytes: this.#allSymbols(),
      symbolCount: this.#symbolCount,
      seriesRefs: this.#refs.view(),
      seriesRefOffsets: Uint32Array.from(this.#offsets),
      seriesCount: this.seriesCount,
    }
  }

  get #symbolCount(): number {
    return this.#hasSymbols ? this.#space.symbols.count : (this.#from?.symbolCount ?? 0)
  }

  #allSymbols(): Uint8Array {
    const from = this.#from
    if (from !== undefined && this.#symbolCount === from.symbolCount) return from.symbolBytes
    return this.#symbols.bytes.view().slice()
  }

  /** The references of the series that stay, copied in runs of neighbours. */
  #keptRefs(renumbered: Int32Array): Uint8Array {
    const offsets = this.#offsets
    let length = 0
    for (let series = 0; series < renumbered.length; series++) {
      if (renumbered[series]! >= 0) length += offsets[series + 1]! - offsets[series]!
    }
    const refs = new Uint8Array(length)
    let at = 0
    for (let series = 0; series < renumbered.length; series++) {
      if (renumbered[series]! < 0) continue
      const first = series
      while (series + 1 < renumbered.length && renumbered[series + 1]! >= 0) series++
      refs.set(this.#refs.bytes.subarray(offsets[first], offsets[series + 1]), at)
      at += offsets[series + 1]! - offsets[first]!
    }
    return refs
  }

  /** As `#buildByCopy`, with only those symbols that are referred to, numbered anew. */
  #buildCompact(target: number, renumbered: Int32Array, count: number, families: readonly (FamilyMetadata | undefined)[]): SeriesLayout {
    const layout = this.#buildByCopy(target, renumbered, count, families)
    const { symbolBytes, symbolCount, seriesRefs, seriesRefOffsets } = layout
    const offsets = locateSymbols(symbolBytes, symbolCount)
    const newRefs = new Int32Array(symbolCount + 1)
    const symbols = new ByteWriter(symbolBytes.length)
    const refs = new ByteWriter(seriesRefs.length)
    const refOffsets = new Uint32Array(count + 1)
    let kept = 0
    for (let series = 0; series < count; series++) {
      const reader = new ByteReader(seriesRefs, seriesRefOffsets[series]! + 1, seriesRefOffsets[series + 1]!)
      reader.uvarint()
      packed.reset()
      while (reader.remaining > 0) {
        const ref = reader.uvarint()
        if (newRefs[ref] === 0) {
          newRefs[ref] = ++kept
          symbols.raw(symbolBytes, offsets[ref - 1], offsets[ref])
        }
        packed.uvarint(newRefs[ref]!)
      }
      writePacked(refs)
      refOffsets[series + 1] = refs.length
    }
    return {
      ...layout,
      symbolBytes: symbols.view().slice(),
      symbolCount: kept,
      seriesRefs: refs.view().slice(),
      seriesRefOffsets: refOffsets,
    }
  }

  #resolveFamilies(refresh: (name: string) => FamilyMetadata | undefined): (FamilyMetadata | undefined)[] {
    const from = this.#from
    if (from === undefined || from.familyOfSeries === undefined) return this.#families
    const today = from.families.map((family) => refresh(family.name) ?? family)
    for (let series = 0; series < from.seriesCount; series++) {
      const family = from.familyOfSeries[series]!
      this.#families[series] = family === noFamily ? undefined : today[family]
    }
    return this.#families
  }

  /** The first `count` of #found as a series' references. */
  #writeRefs(count: number): void {
    packed.reset()
    for (let i = 0; i < count; i++) packed.uvarint(this.#found[i]!)
    writePacked(this.#refs)
  }

  #growSlots(): void {
    this.#hasSlots = true
    this.#space.clearSlots(this.seriesCount)
    for (let series = 0; series < this.seriesCount; series++) this.#index(series)
  }

  #index(series: number): void {
    const slot = this.#slotOf(this.#offsets[series]!, this.#offsets[series + 1]!)
    // The first of two equal series is the one that is found.
    const { slots } = this.#space
    if (slots[slot] === 0) slots[slot] = series + 1
  }

  /** The slot of the series with the bytes [start, end) of #refs, or the free one where it would go. */
  #slotOf(start: number, end: number): number {
    const { bytes } = this.#refs
    const { slots } = this.#space
    const mask = this.#space.slotCount - 1
    let hash = 0
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & mask
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const series = slots[slot]! - 1
      const other = this.#offsets[series]!
      const length = this.#offsets[series + 1]! - other
      let i = 0
      while (i < length && bytes[other + i] === bytes[start + i]) i++
      if (i === length && length === end - start) break
    }
    return slot
  }
}

function indexOf(families: Map<FamilyMetadata, number>, family: FamilyMetadata | undefined): number {
  if (family === undefined) return noFamily
  let index = families.get(family)
  if (index === undefined) {
    index = families.size
    families.set(family, index)
  }
  return index
}

function writePacked(refs: ByteWriter): void {
  refs.u8(labelsRefsTag)
  refs.uvarint(packed.length)
  refs.raw(packed.bytes, 0, packed.length)
}
