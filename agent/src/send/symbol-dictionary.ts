import type { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { locateSymbols, symbolText } from '@narthex/wire/symbol-table'
import type { SeriesLayout } from '../store/frame.ts'

/** More texts than this are forgotten, and numbered anew as they come. */
const textsMax = 500_000

interface NumberedSymbols {
  readonly generation: number
  /** Per symbol of the layout: its number in the dictionary. */
  readonly numbers: Uint32Array
  /** As of `locateSymbols`. */
  readonly offsets: Uint32Array
}

/**
 * Numbers for the texts of all layouts of a remote, so that a request with the frames of many targets carries a text that they share once: for a
 * hundred targets of one job that is nearly all of them. Texts are compared once per layout, requests compare numbers.
 */
export class SymbolDictionary {
  #numbers = new Map<string, number>()
  #generation = 0
  readonly #layouts = new WeakMap<SeriesLayout, NumberedSymbols>()
  // Per number: the request in which it was seen last, and its reference there.
  #seenIn = new Uint32Array(1024)
  #references = new Uint32Array(1024)
  #request = 0

  /** Requests are built one after the other; each one begins here. */
  beginRequest(): void {
    if (this.#numbers.size > textsMax) {
      this.#numbers = new Map()
      this.#generation++
      this.#seenIn.fill(0)
    }
    this.#request = this.#request === 0xffffffff ? 1 : this.#request + 1
  }

  /** Adds the layout's symbols that the request does not have yet. Gives its references by those of the layout; 0 stays 0. */
  addTo(writer: RemoteWrite2Writer, layout: SeriesLayout): Uint32Array {
    const { numbers, offsets } = this.#numbersOf(layout)
    const { symbolBytes } = layout
    const request = this.#request
    const seenIn = this.#seenIn
    const references = this.#references
    const map = new Uint32Array(numbers.length + 1)
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!
      if (seenIn[number] !== request) {
        seenIn[number] = request
        references[number] = writer.addSymbolField(symbolBytes, offsets[i]!, offsets[i + 1]!)
      }
      map[i + 1] = references[number]!
    }
    return map
  }

  #numbersOf(layout: SeriesLayout): NumberedSymbols {
    let known = this.#layouts.get(layout)
    if (known?.generation === this.#generation) return known
    const offsets = known?.offsets ?? locateSymbols(layout.symbolBytes, layout.symbolCount)
    const numbers = new Uint32Array(layout.symbolCount)
    for (let i = 0; i < layout.symbolCount; i++) numbers[i] = this.#numberOf(symbolText(layout.symbolBytes, offsets, i + 1))
    known = { generation: this.#generation, numbers, offsets }
    this.#layouts.set(layout, known)
    return known
  }

  #numberOf(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    const number = this.#numbers.size
    this.#numbers.set(text, number)
    if (number >= this.#seenIn.length) {
      this.#seenIn = grow(this.#seenIn)
      this.#references = grow(this.#references)
    }
    return number
  }
}

function grow(numbers: Uint32Array): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(numbers.length * 2)
  grown.set(numbers)
  return grown
}
