import type { SampleColumns } from '@narthex/model/sample-columns'
import { wordMask, wordShift } from '../head/shared-arena.ts'

/** Where a decoder finds the words of window `index`; undefined past the end. */
export interface WordSource {
  window(index: number): Uint32Array | undefined
}

/** Thrown when a chunk's bits end before its samples do, or a link leads nowhere. */
export class ChunkError extends Error {
  override name = 'ChunkError'
}

/**
 * Decodes Prometheus' XOR chunks (FORMAT.md, "XOR chunk") from 32-bit words, most significant bit first. The words lie either
 * in chained pieces of `linkEvery` words whose last one is the index of the next piece, or (linkEvery = 0) in one run.
 */
export class XorDecoder {
  readonly #source: WordSource
  readonly #linkMask: number
  #window: Uint32Array = new Uint32Array(0)
  #tail = 0
  #word = 0
  /** Unread bits of `#word`, which stand at its low end. */
  #left = 0
  #high = 0

  constructor(source: WordSource, linkEvery: number) {
    this.#source = source
    this.#linkMask = linkEvery === 0 ? -1 : linkEvery - 1
  }

  /**
   * Appends to `into` those of the first `count` samples with minTimeMs ≤ time ≤ maxTimeMs; the data begin at word `tail`.
   * Stops at the first sample after `maxTimeMs`. Gives the number of samples decoded.
   */
  decode(tail: number, count: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns): number {
    if (count === 0) return 0
    into.reserve(count)
    const { times, words } = into
    let length = into.length
    this.#tail = tail
    this.#load()
    let timeMs = this.#varint()
    let high = this.#bits(32)
    let low = this.#bits(32)
    let delta = 0
    let leading = 0
    let trailing = 0
    let i = 1
    for (;;) {
      if (timeMs > maxTimeMs) break
      if (timeMs >= minTimeMs) {
        times[length] = timeMs
        words[2 * length] = low
        words[2 * length + 1] = high
        length++
      }
      if (i === count) break
      delta = i === 1 ? this.#uvarint() : delta + this.#timeChange()
      timeMs += delta
      i++
      if (this.#bits(1) === 0) continue
      if (this.#bits(1) === 1) {
        const head = this.#bits(11)
        leading = head >>> 6
        const significant = (head & 63) === 0 ? 64 : head & 63
        trailing = 64 - leading - significant
        if (trailing < 0) throw new ChunkError(`cannot read sample ${i}: want at most 64 bits, got ${leading} + ${significant}`)
      }
      const significant = 64 - leading - trailing
      if (significant > 32) {
        const upper = this.#bits(significant - 32)
        const lower = this.#bits(32)
        if (trailing === 0) {
          high ^= upper
          low ^= lower
        } else {
          high ^= (upper << trailing) | (lower >>> (32 - trailing))
          low ^= lower << trailing
        }
      } else {
        const bits = this.#bits(significant)
        if (trailing >= 32) high ^= bits << (trailing - 32)
        else if (trailing === 0) low ^= bits
        else {
          high ^= bits >>> (32 - trailing)
          low ^= bits << trailing
        }
      }
    }
    into.length = length
    return i
  }

  /** Bits read since word `tail`, where the words lie in one run. */
  bitsSince(tail: number): number {
    return (this.#tail - tail) * 32 + 32 - this.#left
  }

  #load(): void {
    const window = this.#source.window(this.#tail >>> wordShift)
    if (window === undefined) throw new ChunkError(`cannot read chunk: no word ${this.#tail}`)
    this.#window = window
    this.#read()
  }

  #read(): void {
    const word = this.#window[this.#tail & wordMask]
    if (word === undefined) throw new ChunkError(`cannot read chunk: want a word at ${this.#tail}, got the end`)
    this.#word = word
    this.#left = 32
  }

  #advance(): void {
    this.#tail++
    if ((this.#tail & this.#linkMask) === this.#linkMask) {
      this.#tail = this.#window[this.#tail & wordMask]!
      if (this.#tail === 0) throw new ChunkError('cannot read chunk: the chain ends early')
      this.#load()
    } else {
      this.#read()
    }
  }

  /** The next `count` bits (1…32) as a number whose low bits they are; signed when 32. */
  #bits(count: number): number {
    if (this.#left === 0) this.#advance()
    const left = this.#left - count
    if (left >= 0) {
      this.#left = left
      const value = this.#word >>> left
      return count === 32 ? value : value & ((1 << count) - 1)
    }
    const missing = -left
    const upper = this.#word & ((1 << this.#left) - 1)
    this.#advance()
    this.#left = 32 - missing
    return (upper << missing) | (this.#word >>> this.#left)
  }

  #timeChange(): number {
    if (this.#bits(1) === 0) return 0
    if (this.#bits(1) === 0) return spread(this.#bits(14), 0x4000)
    if (this.#bits(1) === 0) return spread(this.#bits(17), 0x20000)
    if (this.#bits(1) === 0) return spread(this.#bits(20), 0x100000)
    this.#high = this.#bits(32) | 0
    return this.#high * 0x1_0000_0000 + (this.#bits(32) >>> 0)
  }

  #uvarint(): number {
    let value = 0
    let unit = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#bits(8)
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
      unit *= 128
    }
    throw new ChunkError('cannot read chunk: want a number of at most 64 bits, got more')
  }

  #varint(): number {
    // zigzag: even numbers are 2v, odd ones -2v - 1
    const first = this.#bits(8)
    const magnitude = ((first & 0x7f) >>> 1) + (first >= 0x80 ? this.#uvarint() * 64 : 0)
    return (first & 1) === 0 ? magnitude : -magnitude - 1
  }
}

/** Prometheus' ranges of n bits reach from -(2^(n-1) - 1) to 2^(n-1). */
function spread(bits: number, range: number): number {
  return bits > range / 2 ? bits - range : bits
}
