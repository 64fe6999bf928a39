import { ByteWriter } from '@narthex/bytes/byte-writer'
import { SeededHash } from '@narthex/bytes/seeded-hash'
import { growInts } from '@narthex/bytes/grow'
import type { Labels } from '@narthex/model/labels'

/** With which all label texts are hashed. */
export const labelHash = new SeededHash()
/** Enough for most series. */
const firstRoom = 32
const emptyBytes: Uint8Array = new Uint8Array(0)

/**
 * The labels of one series as bytes: name, value, … in the order of Labels.pairs, each text with a seeded labelHash. Filled anew for each series, so
 * that to look one up or to add it makes no string. Text i is `lengths[i]` bytes at `starts[i]` of `sources[i]`, which belong to someone else
 * and stay as they are until the next series.
 */
export class LabelTexts {
  count = 0
  readonly sources: Uint8Array[] = []
  starts = new Int32Array(firstRoom)
  lengths = new Int32Array(firstRoom)
  lows = new Int32Array(firstRoom)
  highs = new Int32Array(firstRoom)
  /** Of all texts in their order, once `finish` was called: label sets are taken for one when these are equal. */
  low = 0
  high = 0
  readonly #bytes = new ByteWriter(1024)
  #view = new DataView(this.#bytes.bytes.buffer)

  clear(): void {
    this.count = 0
  }

  add(source: Uint8Array, start: number, length: number, low: number, high: number): void {
    const i = this.count++
    if (i === this.lows.length) this.#grow()
    this.sources[i] = source
    this.starts[i] = start
    this.lengths[i] = length
    this.lows[i] = low
    this.highs[i] = high
  }

  /** Adds text `i` of another one, whose bytes stay. */
  copy(from: LabelTexts, i: number): void {
    this.add(from.sources[i]!, from.starts[i]!, from.lengths[i]!, from.lows[i]!, from.highs[i]!)
  }

  finish(): void {
    const { count, lows, highs } = this
    labelHash.begin()
    for (let i = 0; i < count; i++) labelHash.add(lows[i]!, highs[i]!)
    this.low = labelHash.low
    this.high = labelHash.high
  }

  /** Becomes the texts of these labels. */
  take({ pairs }: Labels): void {
    this.takeTexts(pairs)
  }

  takeTexts(texts: readonly string[]): void {
    this.clear()
    const writer = this.#bytes
    writer.reset()
    for (const text of texts) this.add(emptyBytes, writer.length, writer.utf8(text), 0, 0)
    if (this.#view.buffer !== writer.bytes.buffer) this.#view = new DataView(writer.bytes.buffer)
    for (let i = 0; i < texts.length; i++) {
      this.sources[i] = writer.bytes
      labelHash.of(this.#view, this.starts[i]!, this.lengths[i]!)
      this.lows[i] = labelHash.low
      this.highs[i] = labelHash.high
    }
    this.finish()
  }

  #grow(): void {
    const room = this.lows.length * 2
    this.starts = growInts(this.starts, room)
    this.lengths = growInts(this.lengths, room)
    this.lows = growInts(this.lows, room)
    this.highs = growInts(this.highs, room)
  }
}
