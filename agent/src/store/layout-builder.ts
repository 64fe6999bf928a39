import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import { nextLayoutId, noFamily } from './frame.ts'
import type { FamilyMetadata, SeriesLayout } from './frame.ts'

const symbolTag = 0x22
const labelsRefsTag = 0x0a
/** Texts go through here for their length in bytes: an encoder would make an array of each. */
const textBytes = new ByteWriter(256)

/** Collects the series of a target into a `SeriesLayout`. Strings are touched here only, once per changed series set. */
export class LayoutBuilder {
  #symbols = new Map<string, number>()
  #symbolBytes = new ByteWriter(4096)
  #refs = new ByteWriter(4096)
  #packed = new ByteWriter(256)
  #offsets: number[] = [0]
  #familyOfSeries: number[] = []
  #families: FamilyMetadata[] = []
  #familyIndex = new Map<FamilyMetadata, number>()

  get seriesCount(): number {
    return this.#offsets.length - 1
  }

  /** Adds a series and returns its index. The same label set twice gives two series: the caller keeps them apart. */
  addSeries(labels: Labels, family?: FamilyMetadata): number {
    return this.addPairs(labels.pairs, family)
  }

  /** As `addSeries`; pairs are flat name, value, … sorted bytewise by name, without empty values. */
  addPairs(pairs: readonly string[], family?: FamilyMetadata): number {
    const packed = this.#packed
    packed.reset()
    for (const text of pairs) packed.uvarint(this.#intern(text))
    const refs = this.#refs
    refs.u8(labelsRefsTag)
    refs.uvarint(packed.length)
    refs.raw(packed.bytes, 0, packed.length)
    this.#offsets.push(refs.length)
    this.#familyOfSeries.push(family === undefined ? noFamily : this.#internFamily(family))
    return this.#offsets.length - 2
  }

  /** The layout of what was added; the builder is empty afterwards. */
  build(target: number): SeriesLayout {
    const layout: SeriesLayout = {
      id: nextLayoutId(),
      target,
      symbolBytes: this.#symbolBytes.bytes.slice(0, this.#symbolBytes.length),
      symbolCount: this.#symbols.size,
      seriesRefs: this.#refs.bytes.slice(0, this.#refs.length),
      seriesRefOffsets: Uint32Array.from(this.#offsets),
      seriesCount: this.#offsets.length - 1,
      families: this.#families,
      familyOfSeries: this.#families.length === 0 ? undefined : Uint32Array.from(this.#familyOfSeries),
    }
    this.#symbols = new Map()
    this.#symbolBytes.reset()
    this.#refs.reset()
    this.#offsets = [0]
    this.#familyOfSeries = []
    this.#families = []
    this.#familyIndex = new Map()
    return layout
  }

  #intern(text: string): number {
    if (text === '') return 0
    const known = this.#symbols.get(text)
    if (known !== undefined) return known
    const ref = this.#symbols.size + 1
    this.#symbols.set(text, ref)
    const bytes = this.#symbolBytes
    bytes.u8(symbolTag)
    textBytes.reset()
    bytes.uvarint(textBytes.utf8(text))
    bytes.raw(textBytes.bytes, 0, textBytes.length)
    return ref
  }

  #internFamily(family: FamilyMetadata): number {
    const known = this.#familyIndex.get(family)
    if (known !== undefined) return known
    this.#familyIndex.set(family, this.#families.length)
    this.#families.push(family)
    return this.#families.length - 1
  }
}
