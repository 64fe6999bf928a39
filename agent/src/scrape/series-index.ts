import { growInts } from '@narthex/bytes/grow'
import { uvarintBytes } from '@narthex/wire/sample-field'
import { locateSymbols } from '@narthex/wire/symbol-table'
import type { SeriesLayout } from '../store/frame.ts'
import { labelHash as hash } from './label-texts.ts'
import type { LabelTexts } from './label-texts.ts'

/** The part of a layout that says which series it has. */
export type SeriesList = Pick<SeriesLayout, 'symbolBytes' | 'symbolCount' | 'seriesRefs' | 'seriesRefOffsets' | 'seriesCount'>

const removed = -1
/**
 * Finds the series of a target by their labels where they stand in several layouts, 16 to 20 bytes a series. What is compared is a seeded
 * 64-bit hash: two label sets are taken for one with a probability of about 2^-64.
 */
export class SeriesIndex {
  // Per slot.
  #low = new Int32Array(0)
  #high = new Int32Array(0)
  // Open addressing by the low half: place → slot + 1, 0 for none, `removed` for none any more.
  #places = new Int32Array(1024)
  #used = 0

  /** Adds all series of a layout: series i has the slot `first` + i. */
  addAll(list: SeriesList, first: number): void {
    eachSeries(list, (series) => this.#put(first + series, hash.low, hash.high))
  }

  add(texts: LabelTexts, slot: number): void {
    this.#put(slot, texts.low, texts.high)
  }

  /** The slot of the series with these labels, or -1. */
  find(texts: LabelTexts): number {
    return this.#find(texts.low, texts.high)
  }

  /** Calls back with each series of the layout whose labels are not in here. */
  eachMissing(list: SeriesList, onMissing: (series: number) => void): void {
    eachSeries(list, (series) => {
      if (this.#find(hash.low, hash.high) < 0) onMissing(series)
    })
  }

  /** Series got new slots, none a higher one; those of -1 are gone. */
  renumber(renumbered: Int32Array): void {
    for (let slot = 0; slot < renumbered.length; slot++) {
      const next = renumbered[slot]!
      if (next === slot) continue
      const place = this.#placeOf(slot)
      if (place < 0) continue
      this.#places[place] = next < 0 ? removed : next + 1
      if (next < 0) continue
      this.#low[next] = this.#low[slot]!
      this.#high[next] = this.#high[slot]!
    }
  }

  #find(low: number, high: number): number {
    const places = this.#places
    const mask = places.length - 1
    for (let place = low & mask; places[place] !== 0; place = (place + 1) & mask) {
      const slot = places[place]! - 1
      if (slot >= 0 && this.#low[slot] === low && this.#high[slot] === high) return slot
    }
    return -1
  }

  #placeOf(slot: number): number {
    const places = this.#places
    const mask = places.length - 1
    for (let place = this.#low[slot]! & mask; places[place] !== 0; place = (place + 1) & mask) if (places[place] === slot + 1) return place
    return -1
  }

  #put(slot: number, low: number, high: number): void {
    if (slot >= this.#low.length) {
      const capacity = Math.max(slot + 1, this.#low.length + (this.#low.length >> 1), 1024)
      this.#low = growInts(this.#low, capacity)
      this.#high = growInts(this.#high, capacity)
    }
    this.#low[slot] = low
    this.#high[slot] = high
    if (++this.#used * 4 > this.#places.length * 3) this.#rebuild()
    const places = this.#places
    const mask = places.length - 1
    let place = low & mask
    while (places[place] !== 0) place = (place + 1) & mask
    places[place] = slot + 1
  }

  /** Without the places of series that are gone, and with room for as many again. */
  #rebuild(): void {
    const slots = this.#places.filter((entry) => entry > 0)
    let size = 1024
    while (size * 3 < (slots.length + 1) * 5) size *= 2
    this.#places = new Int32Array(size)
    for (const entry of slots) {
      let place = this.#low[entry - 1]! & (size - 1)
      while (this.#places[place] !== 0) place = (place + 1) & (size - 1)
      this.#places[place] = entry
    }
    this.#used = slots.length + 1
  }
}

/** Calls back with the hash of each series in `hash`. No string is made: a symbol's bytes are hashed once, a series is made of its symbols'. */
function eachSeries(list: SeriesList, onSeries: (series: number) => void): void {
  const { symbolBytes, symbolCount, seriesRefs, seriesRefOffsets, seriesCount } = list
  const lows = new Int32Array(symbolCount + 1)
  const highs = new Int32Array(symbolCount + 1)
  const view = new DataView(symbolBytes.buffer, symbolBytes.byteOffset, symbolBytes.length)
  const offsets = locateSymbols(symbolBytes, symbolCount)
  for (let ref = 1; ref <= symbolCount; ref++) {
    const start = offsets[ref - 1]! + 1
    const at = start + uvarintBytes(varintAt(symbolBytes, start))
    hash.of(view, at, offsets[ref]! - at)
    lows[ref] = hash.low
    highs[ref] = hash.high
  }
  for (let series = 0; series < seriesCount; series++) {
    let i = seriesRefOffsets[series]! + 1
    const end = seriesRefOffsets[series + 1]!
    i += uvarintBytes(varintAt(seriesRefs, i))
    hash.begin()
    while (i < end) {
      const ref = varintAt(seriesRefs, i)
      i += uvarintBytes(ref)
      hash.add(lows[ref]!, highs[ref]!)
    }
    onSeries(series)
  }
}

function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
}
