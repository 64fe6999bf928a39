import { growInts } from '@narthex/bytes/grow'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { uvarintBytes } from '@narthex/wire/sample-field'
import { locateSymbols } from '@narthex/wire/symbol-table'
import type { SeriesLayout } from '../store/frame.ts'
import { labelHash } from './label-texts.ts'
import type { LabelTexts } from './label-texts.ts'

const symbolTag = 0x22

/**
 * The symbols of a layout in the making, found by their bytes: reference r, from 1, is the symbol that came r-th. Made once and filled again
 * for the next layout.
 */
export class LayoutSymbols {
  /** In the form of SeriesLayout.symbolBytes. */
  readonly bytes = new ByteWriter(4096)
  count = 0
  // Of symbol r at r - 1: where its text is in `bytes`, and its hash.
  #starts = new Int32Array(256)
  #ends = new Int32Array(256)
  #lows = new Int32Array(256)
  #highs = new Int32Array(256)
  // Open addressing by the low half of the hash: place → reference, 0 for none. Only `#placeCount`, a power of two, are in use.
  #places = new Int32Array(1024)
  #placeCount = 1024

  get byteLength(): number {
    return this.bytes.bytes.length + 4 * this.#starts.byteLength + this.#places.byteLength
  }

  /** Holds the symbols of `from` and no others. */
  reset(from: Pick<SeriesLayout, 'symbolBytes' | 'symbolCount'> | undefined): void {
    this.bytes.reset()
    this.count = 0
    this.#clearPlaces(from?.symbolCount ?? 0)
    if (from !== undefined) this.#addAll(from.symbolBytes, from.symbolCount)
  }

  /** The reference of text `i`, 0 if it is not in here. */
  find(texts: LabelTexts, i: number): number {
    const places = this.#places
    const mask = this.#placeCount - 1
    const low = texts.lows[i]!
    const high = texts.highs[i]!
    for (let place = low & mask; places[place] !== 0; place = (place + 1) & mask) {
      const ref = places[place]!
      if (this.#lows[ref - 1] === low && this.#highs[ref - 1] === high && this.#isText(ref, texts, i)) return ref
    }
    return 0
  }

  /** Adds text `i`, which is not in here, and returns its reference. */
  add(texts: LabelTexts, i: number): number {
    const { bytes } = this
    const length = texts.lengths[i]!
    bytes.u8(symbolTag)
    bytes.uvarint(length)
    const start = bytes.length
    bytes.raw(texts.sources[i]!, texts.starts[i]!, texts.starts[i]! + length)
    return this.#put(start, texts.lows[i]!, texts.highs[i]!)
  }

  #addAll(symbolBytes: Uint8Array, symbolCount: number): void {
    const offsets = locateSymbols(symbolBytes, symbolCount)
    this.bytes.raw(symbolBytes)
    const view = new DataView(this.bytes.bytes.buffer)
    for (let i = 0; i < symbolCount; i++) {
      // Behind the tag and the length; the length of the length follows from that of the text with both.
      const field = offsets[i]! + 1
      const end = offsets[i + 1]!
      let start = field + 1
      while (uvarintBytes(end - start) !== start - field) start++
      labelHash.of(view, start, end - start)
      this.#put(start, labelHash.low, labelHash.high, end)
    }
  }

  #put(start: number, low: number, high: number, end = this.bytes.length): number {
    if (this.count === this.#starts.length) this.#growSymbols()
    const i = this.count++
    this.#starts[i] = start
    this.#ends[i] = end
    this.#lows[i] = low
    this.#highs[i] = high
    if (this.count * 2 > this.#placeCount) this.#growPlaces()
    else this.#index(i)
    return this.count
  }

  #isText(ref: number, texts: LabelTexts, i: number): boolean {
    const start = this.#starts[ref - 1]!
    const length = texts.lengths[i]!
    if (this.#ends[ref - 1]! - start !== length) return false
    const { bytes } = this.bytes
    const source = texts.sources[i]!
    const from = texts.starts[i]!
    for (let at = 0; at < length; at++) if (bytes[start + at] !== source[from + at]) return false
    return true
  }

  #index(i: number): void {
    const mask = this.#placeCount - 1
    let place = this.#lows[i]! & mask
    while (this.#places[place] !== 0) place = (place + 1) & mask
    this.#places[place] = i + 1
  }

  #clearPlaces(symbols: number): void {
    this.#placeCount = 256
    while (this.#placeCount < symbols * 4) this.#placeCount *= 2
    if (this.#placeCount > this.#places.length) this.#places = new Int32Array(this.#placeCount)
    else this.#places.fill(0, 0, this.#placeCount)
  }

  #growPlaces(): void {
    this.#clearPlaces(this.count)
    for (let i = 0; i < this.count; i++) this.#index(i)
  }

  #growSymbols(): void {
    const room = this.#starts.length * 2
    this.#starts = growInts(this.#starts, room)
    this.#ends = growInts(this.#ends, room)
    this.#lows = growInts(this.#lows, room)
    this.#highs = growInts(this.#highs, room)
  }
}
