import { Labels } from '@narthex/model/labels'
import { applyRelabel } from '@narthex/relabel/relabel'
import type { RelabelRule } from '@narthex/relabel/relabel'
import { locateSymbols, symbolText } from '@narthex/wire/symbol-table'
import { noFamily } from '../store/frame.ts'
import type { SeriesLayout } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { SymbolDictionary } from './symbol-dictionary.ts'

/** A layout as a remote wants it: with external labels, after its write_relabel_configs. */
export interface PreparedLayout {
  readonly layout: SeriesLayout
  /** Series of `layout` per series of the scraped layout, -1 = dropped by a rule; undefined = all at their places. */
  readonly places: Int32Array | undefined
}

/** Prepares each layout once: rules see strings only when a target's series set changes. */
export class LayoutPreparer {
  readonly #externalLabels: Labels
  readonly #rules: readonly RelabelRule[]
  readonly #prepared = new WeakMap<SeriesLayout, PreparedLayout>()
  /** Of all layouts that were prepared here; requests of one remote are built one at a time. */
  readonly symbols = new SymbolDictionary()

  constructor(externalLabels: Labels, rules: readonly RelabelRule[]) {
    this.#externalLabels = externalLabels
    this.#rules = rules
  }

  prepare(layout: SeriesLayout): PreparedLayout {
    let prepared = this.#prepared.get(layout)
    if (prepared === undefined) this.#prepared.set(layout, (prepared = this.#build(layout)))
    return prepared
  }

  #build(layout: SeriesLayout): PreparedLayout {
    if (this.#rules.length === 0 && this.#externalLabels.size === 0) return { layout, places: undefined }
    const texts = readTexts(layout)
    const builder = new LayoutBuilder()
    const places = new Int32Array(layout.seriesCount).fill(-1)
    for (let i = 0; i < layout.seriesCount; i++) {
      const labels = this.#transform(readPairs(layout, i, texts))
      const family = layout.familyOfSeries?.[i] ?? noFamily
      if (labels !== undefined) places[i] = builder.addSeries(labels, layout.families[family])
    }
    return { layout: builder.build(layout.target), places }
  }

  /** A scraped label wins over the external one of its name. */
  #transform(pairs: readonly string[]): Labels | undefined {
    const all = Labels.fromPairs([...this.#externalLabels.pairs, ...pairs])
    const relabelled = this.#rules.length === 0 ? all : applyRelabel(this.#rules, all)
    return relabelled === undefined || relabelled.size === 0 ? undefined : relabelled
  }
}

/** The symbols of a layout by reference; 0 is "". */
export function readTexts({ symbolBytes, symbolCount }: SeriesLayout): string[] {
  const offsets = locateSymbols(symbolBytes, symbolCount)
  return ['', ...Array.from({ length: symbolCount }, (_, i) => symbolText(symbolBytes, offsets, i + 1))]
}

/** Labels of one series: name and value by turns. `texts` are the layout's symbols by reference. */
export function readPairs(layout: SeriesLayout, series: number, texts: readonly string[]): string[] {
  const { seriesRefs, seriesRefOffsets } = layout
  const end = seriesRefOffsets[series + 1]!
  let at = seriesRefOffsets[series]! + 1
  while (seriesRefs[at++]! >= 0x80);
  const pairs: string[] = []
  while (at < end) {
    let ref = 0
    for (let shift = 0; ; shift += 7) {
      const byte = seriesRefs[at++]!
      ref |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    pairs.push(texts[ref]!)
  }
  return pairs
}
