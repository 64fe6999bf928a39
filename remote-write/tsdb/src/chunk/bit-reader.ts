import { ChunkError } from './xor-decoder.ts'

/** Bits of a number after a prefix of as many ones (FORMAT.md, "varbit"). */
const varbitSizes = [0, 3, 6, 9, 12, 18, 25, 56, 64] as const
const prefixMax = 8
const wordSize = 0x1_0000_0000

/** Reads bits of bytes [start, end), most significant first. Reading past the end throws `ChunkError`. */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  /** The next byte that is not in `#word`. */
  #at: number
  #word = 0
  /** Unread bits of `#word`, which stand at its low end. */
  #left = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get bitsLeft(): number {
    return (this.#end - this.#at) * 8 + this.#left
  }

  bit(): number {
    if (this.#left === 0) this.#load()
    return (this.#word >>> --this.#left) & 1
  }

  /** The next `count` bits (1…32), unsigned. */
  bits(count: number): number {
    const left = this.#left - count
    if (left >= 0) {
      this.#left = left
      const value = this.#word >>> left
      return count === 32 ? value : value & ((1 << count) - 1)
    }
    const missing = -left
    const upper = this.#left === 0 ? 0 : this.#word & ((1 << this.#left) - 1)
    this.#load()
    if (this.#left < missing) this.#fail()
    this.#left -= missing
    // A shift by 32 would be none, but then there is no upper part.
    return ((upper << missing) | (this.#word >>> this.#left)) >>> 0
  }

  /** A whole number written by `putVarbitInt`; exact up to 2^53. */
  varbitInt(): number {
    const ones = this.#prefix()
    if (ones === 0) return 0
    if (ones < 7) {
      const size = varbitSizes[ones]!
      const bits = this.bits(size)
      // The range of n bits reaches from -(2^(n-1) - 1) to 2^(n-1).
      return bits > 1 << (size - 1) ? bits - (1 << size) : bits
    }
    const high = this.bits(ones === 7 ? 24 : 32)
    const low = this.bits(32)
    // Signed before it is put together: a double cannot hold 56 bits.
    if (ones === 8) return (high | 0) * wordSize + low
    return (high > 0x80_0000 || (high === 0x80_0000 && low > 0) ? high - 0x100_0000 : high) * wordSize + low
  }

  /** A whole number of at least 0 written by `putVarbitUint`; exact up to 2^53. */
  varbitUint(): number {
    const ones = this.#prefix()
    if (ones === 0) return 0
    if (ones < 7) return this.bits(varbitSizes[ones]!)
    return this.bits(ones === 7 ? 24 : 32) * wordSize + this.bits(32)
  }

  uvarint(): number {
    let value = 0
    let unit = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.bits(8)
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
      unit *= 128
    }
    throw new ChunkError('cannot read chunk: want a number of at most 64 bits, got more')
  }

  varint(): number {
    // zigzag: even numbers are 2v, odd ones -2v - 1
    const first = this.bits(8)
    const magnitude = ((first & 0x7f) >>> 1) + (first >= 0x80 ? this.uvarint() * 64 : 0)
    return (first & 1) === 0 ? magnitude : -magnitude - 1
  }

  /** Ones up to the first zero, at most `max`; the zero is read too. */
  prefix(max: number): number {
    let ones = 0
    while (ones < max && this.bit() === 1) ones++
    return ones
  }

  #prefix(): number {
    if (this.#left <= prefixMax) return this.prefix(prefixMax)
    const ones = Math.clz32(~(this.#word << (32 - this.#left)))
    if (ones >= prefixMax) {
      this.#left -= prefixMax
      return prefixMax
    }
    this.#left -= ones + 1
    return ones
  }

  #load(): void {
    const bytes = this.#bytes
    const at = this.#at
    const count = this.#end - at
    if (count >= 4) {
      this.#word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
      this.#left = 32
      this.#at = at + 4
      return
    }
    if (count <= 0) this.#fail()
    this.#word = 0
    for (let i = at; i < this.#end; i++) this.#word = (this.#word << 8) | bytes[i]!
    this.#left = count * 8
    this.#at = this.#end
  }

  #fail(): never {
    throw new ChunkError(`cannot read chunk: want more bits, got the end at byte ${this.#end}`)
  }
}
