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
   *
   * The loop is long because its bit reader is written out: the current word and its unread bits stay in registers (76 → 20 ns a
   * sample against a reader of methods and fields). Each read is: take the bits, or those that are left and then the next word.
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
    let word = this.#word
    let left = this.#left
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

      if (i === 1) {
        this.#word = word
        this.#left = left
        delta = this.#uvarint()
        word = this.#word
        left = this.#left
      } else {
        if (left === 0) {
          word = this.#nextWord()
          left = 32
        }
        left--
        if (((word >>> left) & 1) === 1) {
          this.#word = word
          this.#left = left
          delta += this.#timeChange()
          word = this.#word
          left = this.#left
        }
      }
      timeMs += delta
      i++

      if (left === 0) {
        word = this.#nextWord()
        left = 32
      }
      left--
      if (((word >>> left) & 1) === 0) continue
      if (left === 0) {
        word = this.#nextWord()
        left = 32
      }
      left--
      if (((word >>> left) & 1) === 1) {
        let head = 0
        if (left >= 11) {
          left -= 11
          head = (word >>> left) & 2047
        } else {
          head = (word & ((1 << left) - 1)) << (11 - left)
          word = this.#nextWord()
          left += 21
          head |= word >>> left
        }
        leading = head >>> 6
        const significant = (head & 63) === 0 ? 64 : head & 63
        trailing = 64 - leading - significant
        if (trailing < 0) throw new ChunkError(`cannot read sample ${i}: want at most 64 bits, got ${leading} + ${significant}`)
      }
      let significant = 64 - leading - trailing
      let upper = 0
      if (significant > 32) {
        significant -= 32
        if (left >= significant) {
          left -= significant
          upper = significant === 32 ? word : (word >>> left) & ((1 << significant) - 1)
        } else {
          upper = (word & ((1 << left) - 1)) << (significant - left)
          word = this.#nextWord()
          left += 32 - significant
          upper |= word >>> left
        }
        significant = 32
      }
      let lower = 0
      if (left >= significant) {
        left -= significant
        lower = significant === 32 ? word : (word >>> left) & ((1 << significant) - 1)
      } else {
        lower = (word & ((1 << left) - 1)) << (significant - left)
        word = this.#nextWord()
        left += 32 - significant
        lower |= word >>> left
      }
      // (upper, lower) is the 64-bit change shifted down by `trailing`; upper is 0 if trailing ≥ 32.
      if (trailing === 0) {
        high ^= upper
        low ^= lower
      } else if (trailing < 32) {
        high ^= (upper << trailing) | (lower >>> (32 - trailing))
        low ^= lower << trailing
      } else {
        high ^= lower << (trailing - 32)
      }
    }
    this.#word = word
    this.#left = left
    into.length = length
    return i
  }

  /** Bits read since word `tail`, where the words lie in one run. */
  bitsSince(tail: number): number {
    return (this.#tail - tail) * 32 + 32 - this.#left
  }

  /** The word that `decode` read last. */
  get tail(): number {
    return this.#tail
  }

  /** Bits of that word that it has read. */
  get bitsOfTail(): number {
    return 32 - this.#left
  }

  #load(): void {
    const window = this.#source.window(this.#tail >>> wordShift)
    const word = window?.[this.#tail & wordMask]
    if (window === undefined || word === undefined) throw new ChunkError(`cannot read chunk: want a word at ${this.#tail}, got the end`)
    this.#window = window
    this.#word = word
    this.#left = 32
  }

  #advance(): void {
    this.#word = this.#nextWord()
    this.#left = 32
  }

  #nextWord(): number {
    const tail = ++this.#tail
    if ((tail & this.#linkMask) === this.#linkMask) return this.#followLink()
    const word = this.#window[tail & wordMask]
    if (word === undefined) throw new ChunkError(`cannot read chunk: want a word at ${tail}, got the end`)
    return word
  }

  #followLink(): number {
    this.#tail = this.#window[this.#tail & wordMask]!
    if (this.#tail === 0) throw new ChunkError('cannot read chunk: the chain ends early')
    this.#load()
    return this.#word
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

  /** After the first bit of a change that is not 0. */
  #timeChange(): number {
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
