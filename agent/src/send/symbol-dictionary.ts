import type { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { locateSymbols, symbolText } from '@narthex/wire/symbol-table'
import type { SeriesLayout } from '../store/frame.ts'

/** More texts than this are forgotten, and numbered anew as they come. */
const textsMax = 500_000
/** A layout with more symbols than this shares none with others, and a request gets those only that its own series name. */
const sharedSymbolsMax = 8192

/** The symbols of a layout, numbered in the dictionary. */
interface SharedSymbols {
  readonly kind: 'shared'
  readonly generation: number
  /** Per symbol of the layout: its number. */
  readonly numbers: Uint32Array
  /** As of `locateSymbols`. */
  readonly offsets: Uint32Array
  /** References in the request by those of the layout. */
  readonly map: Uint32Array
  /** The request that `map` is of. */
  request: number
}

/** The symbols of a large layout, by themselves. */
interface OwnSymbols {
  readonly kind: 'own'
  readonly offsets: Uint32Array
  readonly map: Uint32Array
  /** Per reference: the request in which `map` has it. */
  readonly seenIn: Uint32Array
}

/**
 * Numbers for the texts of all layouts of a remote, so that a request with the frames of many targets carries a text that they share once: for a
 * hundred targets of one job that is nearly all of them. Texts are compared once per layout, requests compare numbers.
 */
export class SymbolDictionary {
  #numbers = new Map<string, number>()
  #generation = 0
  readonly #layouts = new WeakMap<SeriesLayout, SharedSymbols | OwnSymbols>()
  // Per number: the request in which it was seen last, and its reference there.
  #seenIn = new Uint32Array(1024)
  #references = new Uint32Array(1024)
  /** Per number: how many layouts have it, up to two. */
  #layoutCounts = new Uint8Array(1024)
  #request = 0

  /** Requests are built one after the other; each one begins here. */
  beginRequest(): void {
    if (this.#numbers.size > textsMax) {
      this.#numbers = new Map()
      this.#generation++
      this.#seenIn.fill(0)
      this.#layoutCounts.fill(0)
    }
    this.#request++
  }

  /**
   * Adds the symbols that the series [from, to) of the layout name and the request does not have yet. Gives the request's references by those of
   * the layout, for all series that were asked for in this request; 0 stays 0.
   */
  addTo(writer: RemoteWrite2Writer, layout: SeriesLayout, from: number, to: number): Uint32Array {
    const symbols = this.#symbolsOf(layout)
    if (symbols.kind === 'own') this.#addOwn(writer, layout, symbols, from, to)
    else if (symbols.request !== this.#request) this.#addShared(writer, layout, symbols)
    return symbols.map
  }

  /** As `addTo`, for single series of a layout: of a small layout too a request gets only what they name. */
  addSeries(writer: RemoteWrite2Writer, layout: SeriesLayout, series: number): Uint32Array {
    const symbols = this.#symbolsOf(layout)
    if (symbols.kind === 'own') this.#addOwn(writer, layout, symbols, series, series + 1)
    else if (symbols.request !== this.#request) this.#addNamed(writer, layout, symbols, series)
    return symbols.map
  }

  /** `map` has garbage where no series of this request names a symbol. */
  #addNamed(
    writer: RemoteWrite2Writer,
    { symbolBytes, seriesRefs, seriesRefOffsets }: SeriesLayout,
    symbols: SharedSymbols,
    series: number,
  ): void {
    const { numbers, offsets, map } = symbols
    const request = this.#request
    const seenIn = this.#seenIn
    const references = this.#references
    const end = seriesRefOffsets[series + 1]!
    let at = seriesRefOffsets[series]! + 1
    while (seriesRefs[at++]! >= 0x80);
    while (at < end) {
      let ref = seriesRefs[at++]!
      if (ref >= 0x80) {
        ref &= 0x7f
        for (let shift = 7; ; shift += 7) {
          const byte = seriesRefs[at++]!
          ref |= (byte & 0x7f) << shift
          if (byte < 0x80) break
        }
      }
      if (ref === 0) continue
      const number = numbers[ref - 1]!
      if (seenIn[number] !== request) {
        seenIn[number] = request
        references[number] = writer.addSymbolField(symbolBytes, offsets[ref - 1]!, offsets[ref]!)
      }
      map[ref] = references[number]!
    }
  }

  #addShared(writer: RemoteWrite2Writer, { symbolBytes }: SeriesLayout, symbols: SharedSymbols): void {
    const { numbers, offsets, map } = symbols
    const request = this.#request
    const seenIn = this.#seenIn
    const references = this.#references
    const layoutCounts = this.#layoutCounts
    symbols.request = request
    let hasOwn = false
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!
      if (seenIn[number] !== request) {
        if (layoutCounts[number] === 1) {
          hasOwn = true
          continue
        }
        seenIn[number] = request
        references[number] = writer.addSymbolField(symbolBytes, offsets[i]!, offsets[i + 1]!)
      }
      map[i + 1] = references[number]!
    }
    if (!hasOwn) return
    // Last, so that they get references of the same length as those of the next layout: its series are written by these (`similarRun`).
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!
      if (seenIn[number] === request) continue
      seenIn[number] = request
      map[i + 1] = references[number] = writer.addSymbolField(symbolBytes, offsets[i]!, offsets[i + 1]!)
    }
  }

  /** Symbols that are neighbours in the layout, as most newcomers of a large target are, are added as one. */
  #addOwn(writer: RemoteWrite2Writer, layout: SeriesLayout, { offsets, map, seenIn }: OwnSymbols, from: number, to: number): void {
    const { symbolBytes, seriesRefs, seriesRefOffsets } = layout
    const request = this.#request
    let next = writer.nextSymbol
    // Fields that are not added yet.
    let runStart = 0
    let runEnd = 0
    let runCount = 0
    for (let series = from; series < to; series++) {
      const end = seriesRefOffsets[series + 1]!
      let at = seriesRefOffsets[series]! + 1
      while (seriesRefs[at++]! >= 0x80);
      while (at < end) {
        let ref = seriesRefs[at++]!
        if (ref >= 0x80) {
          ref &= 0x7f
          for (let shift = 7; ; shift += 7) {
            const byte = seriesRefs[at++]!
            ref |= (byte & 0x7f) << shift
            if (byte < 0x80) break
          }
        }
        if (ref === 0 || seenIn[ref] === request) continue
        seenIn[ref] = request
        map[ref] = next++
        const start = offsets[ref - 1]!
        if (start !== runEnd) {
          if (runCount > 0) writer.addSymbolFields(symbolBytes, runStart, runEnd, runCount)
          runStart = start
          runCount = 0
        }
        runEnd = offsets[ref]!
        runCount++
      }
    }
    if (runCount > 0) writer.addSymbolFields(symbolBytes, runStart, runEnd, runCount)
  }

  #symbolsOf(layout: SeriesLayout): SharedSymbols | OwnSymbols {
    const known = this.#layouts.get(layout)
    if (known !== undefined && (known.kind === 'own' || known.generation === this.#generation)) return known
    const { symbolBytes, symbolCount } = layout
    const offsets = known?.offsets ?? locateSymbols(symbolBytes, symbolCount)
    const map = new Uint32Array(symbolCount + 1)
    let symbols: SharedSymbols | OwnSymbols
    if (symbolCount > sharedSymbolsMax) symbols = { kind: 'own', offsets, map, seenIn: new Uint32Array(symbolCount + 1) }
    else {
      const numbers = new Uint32Array(symbolCount)
      for (let i = 0; i < symbolCount; i++) {
        const number = this.#numberOf(symbolText(symbolBytes, offsets, i + 1))
        numbers[i] = number
        if (this.#layoutCounts[number]! < 2) this.#layoutCounts[number]!++
      }
      symbols = { kind: 'shared', generation: this.#generation, numbers, offsets, map, request: 0 }
    }
    this.#layouts.set(layout, symbols)
    return symbols
  }

  #numberOf(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    const number = this.#numbers.size
    this.#numbers.set(text, number)
    if (number >= this.#seenIn.length) {
      this.#seenIn = grow(this.#seenIn)
      this.#references = grow(this.#references)
      const counts = new Uint8Array(this.#seenIn.length)
      counts.set(this.#layoutCounts)
      this.#layoutCounts = counts
    }
    return number
  }
}

function grow(numbers: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(numbers.length * 2)
  grown.set(numbers)
  return grown
}
