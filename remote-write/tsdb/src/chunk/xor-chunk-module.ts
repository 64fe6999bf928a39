import type { SampleColumns } from '@narthex/model/sample-columns'
import { wordMask, wordShift } from '../head/shared-arena.ts'
import { xorChunkBase64 } from './xor-chunk-bytes.ts'
import type { WordSource } from './xor-decoder.ts'

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly toWords: (end: number) => void
  readonly decode: (count: number, end: number, minTimeMs: number, maxTimeMs: number) => number
  readonly bitsBytesMax: WebAssembly.Global
  readonly samplesMax: WebAssembly.Global
  readonly timesAt: WebAssembly.Global
  readonly valuesAt: WebAssembly.Global
}

/**
 * An instance of xor-chunk.wat: decodes chunks of usual size several times as fast as `XorDecoder` (decision 0018). What it does not decode, as it is too large or no chunk,
 * is for that: it knows what to say.
 */
export class XorChunkModule {
  readonly #toWords: Exports['toWords']
  readonly #decode: Exports['decode']
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #bytesMax: number
  readonly #samplesMax: number
  readonly #times: Float64Array
  readonly #values: Uint32Array
  readonly #views: (DecodedViews | undefined)[]

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(xorChunkBase64, 'base64'))
    const exports = new WebAssembly.Instance(module).exports as unknown as Exports
    const { buffer } = exports.memory
    this.#toWords = exports.toWords
    this.#decode = exports.decode
    this.#bytes = new Uint8Array(buffer)
    this.#words = new Uint32Array(buffer)
    this.#bytesMax = exports.bitsBytesMax.value as number
    this.#samplesMax = exports.samplesMax.value as number
    this.#times = new Float64Array(buffer, exports.timesAt.value as number, this.#samplesMax)
    this.#values = new Uint32Array(buffer, exports.valuesAt.value as number, 2 * this.#samplesMax)
    this.#views = new Array<undefined>(this.#samplesMax + 1).fill(undefined)
  }

  /**
   * Appends to `into` those of the first `count` samples with minTimeMs ≤ time ≤ maxTimeMs, up to the first one later than that, of the bits in
   * `data[start, …)`. False, and nothing is appended, if it cannot.
   */
  decodeBytes(data: Uint8Array, start: number, count: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns): boolean {
    const length = data.length - start
    if (length > this.#bytesMax || count > this.#samplesMax) return false
    if (count === 0) return true
    // What stands behind the bits is written later.
    this.#bytes.set(data)
    if (start > 0) this.#bytes.copyWithin(0, start, data.length)
    this.#toWords(length)
    return this.#append(this.#decode(count, length * 8, minTimeMs, maxTimeMs), into)
  }

  /** As `decodeBytes`, of words from `first` on in chained pieces of `pieceWords`, the last of which is the index of the next piece, 0 for none. */
  decodePieces(
    source: WordSource,
    first: number,
    pieceWords: number,
    count: number,
    minTimeMs: number,
    maxTimeMs: number,
    into: SampleColumns,
  ): boolean {
    if (count > this.#samplesMax) return false
    if (count === 0) return true
    const words = this.#words
    let length = 0
    for (let at = first; at !== 0;) {
      const window = source.window(at >>> wordShift)
      let from = at & wordMask
      const link = from | (pieceWords - 1)
      if (window === undefined || link >= window.length || 4 * (length + pieceWords) > this.#bytesMax) return false
      while (from < link) words[length++] = window[from++]!
      at = window[link]!
    }
    return this.#append(this.#decode(count, length * 32, minTimeMs, maxTimeMs), into)
  }

  #append(found: number, into: SampleColumns): boolean {
    if (found <= 0) return found === 0
    into.reserve(found)
    const { length } = into
    const views = this.#viewsOf(found)
    into.times.set(views.times, length)
    into.words.set(views.words, 2 * length)
    into.length = length + found
    return true
  }

  /** The first `count` samples. Most chunks have as many as others: a view costs more than what it is for. */
  #viewsOf(count: number): DecodedViews {
    return (this.#views[count] ??= { times: this.#times.subarray(0, count), words: this.#values.subarray(0, 2 * count) })
  }
}

interface DecodedViews {
  readonly times: Float64Array
  /** As words: a Float64Array's copy may not keep the bits of a signalling NaN. */
  readonly words: Uint32Array
}

let shared: XorChunkModule | undefined

/** That of this thread. */
export function xorChunkModule(): XorChunkModule {
  return (shared ??= new XorChunkModule())
}
