import type { Labels } from '@narthex/model/labels'
import type { FamilyMetadata, SeriesLayout } from '../store/frame.ts'
import type { FamilyTable } from './family-table.ts'
import { LabelTexts } from './label-texts.ts'
import { LayoutEditor } from './layout-editor.ts'
import { SeriesIndex } from './series-index.ts'

/** Series of one layout. Nearly all targets have one part; of a large target only the parts whose series come or go are made anew. */
export const partSeriesMax = 16_384

export interface SeriesPart {
  readonly layout: SeriesLayout
  /** Slot of the layout's first series; series i of it has the slot `first` + i. */
  readonly first: number
}

export interface PartsUpdate {
  /** Old slot → new slot, never a higher one, -1 for those that are gone; added series included. */
  readonly renumbered: Int32Array
  /** Slots [from, to) that belong to no series any more. */
  readonly freed: readonly (readonly [from: number, to: number])[]
}

/** Parts that are edited while an answer is read, and new ones that are full already. */
interface Edits {
  readonly editors: Map<number, LayoutEditor>
  readonly full: Map<number, SeriesLayout>
}

const reportTexts = new LabelTexts()
const noneLeftOut: readonly number[] = []

/**
 * The layouts of one target and the slots of its series. An answer is read between `begin` and `commit`: what is added stands behind the
 * series that are there, and is forgotten by the next `begin` if nothing was committed.
 */
export class SeriesParts {
  readonly #target: number
  readonly #families: FamilyTable
  readonly #partSize: number
  #parts: SeriesPart[]
  /** Series left out of each part's layout since its symbols were last made compact. */
  #leftOut: readonly number[] = noneLeftOut
  #seriesCount = 0
  // Only with several parts.
  #index: SeriesIndex | undefined

  // Of the answer being read: parts that are edited, new parts that are full, and the part that takes what is added.
  #edits: Edits | undefined
  #open = -1
  #added = 0

  /** `report` holds the series that never go; they have the first slots. */
  constructor(
    target: number,
    families: FamilyTable,
    report: readonly { readonly labels: Labels; readonly family: FamilyMetadata }[],
    partSize = partSeriesMax,
  ) {
    this.#target = target
    this.#families = families
    this.#partSize = partSize
    const editor = new LayoutEditor(undefined)
    for (const { labels, family } of report) {
      reportTexts.take(labels)
      editor.add(reportTexts, family)
    }
    const { layout } = editor.build(
      target,
      () => true,
      () => undefined,
      false,
    )
    this.#parts = [{ layout, first: 0 }]
    this.#seriesCount = report.length
  }

  get parts(): readonly SeriesPart[] {
    return this.#parts
  }

  get seriesCount(): number {
    return this.#seriesCount
  }

  /** Series that were added since `begin`. */
  get added(): number {
    return this.#added
  }

  begin(): void {
    if (this.#edits !== undefined) this.#index = undefined
    this.#edits = undefined
    this.#open = -1
    this.#added = 0
  }

  /** The slot of the series with these labels, or -1. */
  find(texts: LabelTexts): number {
    if (this.#parts.length === 1 && this.#open <= 0) return this.#edit(0).find(texts)
    return this.#needIndex().find(texts)
  }

  /** Adds a series that `find` does not know. */
  add(texts: LabelTexts, family: FamilyMetadata | undefined): number {
    const part = this.#openPart()
    const slot = part * this.#partSize + this.#edit(part).add(texts, family)
    this.#index?.add(texts, slot)
    this.#added++
    return slot
  }

  /** One behind the highest slot, added series included. */
  get slotEnd(): number {
    const last = Math.max(this.#parts.length - 1, this.#open)
    return last * this.#partSize + this.#countOf(last)
  }

  /**
   * Brings the layouts in step with the answer that was read. `isSeen` says of a slot whether its series stays, undefined: all stay. Returns
   * undefined when everything is where it was.
   */
  commit(isSeen: ((slot: number) => boolean) | undefined): PartsUpdate | undefined {
    if (isSeen === undefined && this.#edits === undefined && !this.#families.changed) return undefined
    const changed = this.#changedParts(isSeen)
    this.#families.changed = false
    const full = this.#edits?.full
    if (changed.size === 0 && (full === undefined || full.size === 0)) {
      this.#edits = undefined
      return undefined
    }
    const renumbered = new Int32Array(this.slotEnd)
    for (let slot = 0; slot < renumbered.length; slot++) renumbered[slot] = slot
    const freed: [number, number][] = []
    for (const [part, layout] of full ?? []) this.#parts[part] = { layout, first: part * this.#partSize }
    for (const [part, leaves] of changed) {
      const first = part * this.#partSize
      const editor = this.#edit(part)
      const before = editor.seriesCount
      const leftOut = (this.#leftOut[part] ?? 0) + leaves
      const compacts = leftOut > Math.max(1000, before)
      if (leftOut > 0) this.#leftOut = Array.from(this.#parts, (_, i) => (i !== part ? (this.#leftOut[i] ?? 0) : compacts ? 0 : leftOut))
      const keeps = (series: number): boolean => leaves === 0 || isSeen!(first + series)
      const edited = editor.build(this.#target, keeps, (name) => this.#families.get(name), compacts)
      this.#parts[part] = { layout: edited.layout, first }
      for (let i = 0; i < before; i++) {
        const series = edited.renumbered[i]!
        renumbered[first + i] = series < 0 ? -1 : first + series
      }
      freed.push([first + edited.layout.seriesCount, first + before])
    }
    this.#index?.renumber(renumbered)
    this.#edits = undefined
    this.#open = -1
    this.#closeEmptyParts()
    this.#seriesCount = this.#parts.reduce((count, { layout }) => count + layout.seriesCount, 0)
    return { renumbered, freed }
  }

  /** Each series of `other` that is not one of these, part by part. */
  eachMissing(other: SeriesParts, onMissing: (part: SeriesPart, series: number) => void): void {
    const index = this.#needIndex()
    for (const part of other.#parts) index.eachMissing(part.layout, (series) => onMissing(part, series))
    if (this.#parts.length === 1) this.#index = undefined
  }

  /** Parts to be made anew, and how many series leave each. */
  #changedParts(isSeen: ((slot: number) => boolean) | undefined): Map<number, number> {
    const changed = new Map<number, number>()
    for (const part of this.#edits?.editors.keys() ?? [])
      if (this.#edit(part).seriesCount > this.#committedCount(part)) changed.set(part, 0)
    for (const [part, { layout, first }] of this.#parts.entries()) {
      let leaves = 0
      if (isSeen !== undefined) for (let i = 0; i < layout.seriesCount; i++) if (!isSeen(first + i)) leaves++
      if (leaves > 0 || (this.#families.changed && this.#hasOldFamilies(layout))) changed.set(part, leaves)
    }
    return changed
  }

  #hasOldFamilies({ families }: SeriesLayout): boolean {
    return families.some((family) => (this.#families.get(family.name) ?? family) !== family)
  }

  #edit(part: number): LayoutEditor {
    this.#edits ??= { editors: new Map(), full: new Map() }
    const { editors } = this.#edits
    let editor = editors.get(part)
    if (editor === undefined) editors.set(part, (editor = new LayoutEditor(this.#parts[part]?.layout)))
    return editor
  }

  #committedCount(part: number): number {
    return this.#parts[part]?.layout.seriesCount ?? 0
  }

  #countOf(part: number): number {
    return this.#edits?.editors.get(part)?.seriesCount ?? this.#edits?.full.get(part)?.seriesCount ?? this.#committedCount(part)
  }

  /** The part that takes the next series: the emptiest. One that is full and new is made at once, as its editor takes more room. */
  #openPart(): number {
    const open = this.#open
    if (open >= 0 && this.#countOf(open) < this.#partSize) return open
    if (open >= this.#parts.length) {
      const { layout } = this.#edit(open).build(
        this.#target,
        () => true,
        () => undefined,
        false,
      )
      this.#edits!.full.set(open, layout)
      this.#edits!.editors.delete(open)
    }
    const count = Math.max(this.#parts.length, open + 1)
    let emptiest = 0
    for (let part = 1; part < count; part++) if (this.#countOf(part) < this.#countOf(emptiest)) emptiest = part
    const next = this.#countOf(emptiest) < this.#partSize ? emptiest : count
    // From here on several parts have series.
    if (next > 0) this.#needIndex()
    this.#open = next
    return next
  }

  /** Of all series, added ones included. */
  #needIndex(): SeriesIndex {
    if (this.#index !== undefined) return this.#index
    const index = new SeriesIndex()
    const count = Math.max(this.#parts.length, this.#open + 1)
    for (let part = 0; part < count; part++) {
      const list = this.#edits?.editors.get(part)?.list() ?? this.#edits?.full.get(part) ?? this.#parts[part]!.layout
      index.addAll(list, part * this.#partSize)
    }
    return (this.#index = index)
  }

  #closeEmptyParts(): void {
    while (this.#parts.length > 1 && this.#parts.at(-1)!.layout.seriesCount === 0) this.#parts.pop()
    if (this.#leftOut.length > this.#parts.length) this.#leftOut = this.#leftOut.slice(0, this.#parts.length)
    if (this.#parts.length === 1) this.#index = undefined
  }
}
