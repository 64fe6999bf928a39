const initialBytes = 128

/** Writes bits into a growing buffer, most significant first, and ends as Prometheus' writer does. */
export class BitWriter {
  #bytes = new Uint8Array(initialBytes)
  /** Where `#word`, whose upper bits are filled, will stand. */
  #at = 0
  #word = 0
  #free = 32
  // Prometheus' writer puts whole bytes first and single bits after them. When the bits end at a byte's end, the last byte put whole has
  // begun one byte more.
  #endsWhole = false

  /** Bytes so far, as `finish` will give them. */
  get byteLength(): number {
    const bits = this.#at * 8 + 32 - this.#free
    return Math.ceil(bits / 8) + (this.#endsWhole && (bits & 7) === 0 ? 1 : 0)
  }

  reset(): void {
    this.#at = 0
    this.#word = 0
    this.#free = 32
    this.#endsWhole = false
  }

  /** The low `count` bits (1…32) of `bits`, of which no higher one may be set unless `count` is 32. */
  put(bits: number, count: number): void {
    this.#endsWhole = (count & 7) === 0
    const free = this.#free - count
    if (free > 0) {
      this.#word |= bits << free
      this.#free = free
      return
    }
    this.#flush(this.#word | (bits >>> -free))
    this.#free = 32 + free
    this.#word = free === 0 ? 0 : bits << (32 + free)
  }

  /** `count` bits (1…64) of a 64-bit word from bit `shift` up. */
  putPart(low: number, high: number, shift: number, count: number): void {
    if (shift >= 32) {
      this.put(high >>> (shift - 32), count)
      return
    }
    const lowPart = shift === 0 ? low : (low >>> shift) | (high << (32 - shift))
    if (count > 32) {
      this.put(high >>> shift, count - 32)
      this.put(lowPart, 32)
      this.#endsWhole = (count & 7) === 0
    } else {
      this.put(lowPart, count)
    }
  }

  putWord64(low: number, high: number): void {
    this.put(high, 32)
    this.put(low, 32)
  }

  /** Base 128, least significant group first; `value` is a whole number of at least 0. */
  putUvarint(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.put((rest % 128) | 0x80, 8)
      rest = Math.floor(rest / 128)
    }
    this.put(rest, 8)
  }

  /** Zigzag, then base 128. The doubled number may pass 2^53, so the first group is cut off before doubling. */
  putVarint(value: number): void {
    const magnitude = value < 0 ? -value - 1 : value
    const first = (magnitude % 64) * 2 + (value < 0 ? 1 : 0)
    if (magnitude < 64) {
      this.put(first, 8)
      return
    }
    this.put(first | 0x80, 8)
    this.putUvarint(Math.floor(magnitude / 64))
  }

  // The range of n bits reaches from -(2^(n-1) - 1) to 2^(n-1).
  /** A whole number in 1 to 72 bits (FORMAT.md, "varbit"). */
  putVarbitInt(value: number): void {
    if (value === 0) this.put(0, 1)
    else if (value >= -3 && value <= 4) this.put(0b10000 | (value & 7), 5)
    else if (value >= -31 && value <= 32) this.put(0b110000000 | (value & 63), 9)
    else if (value >= -255 && value <= 256) this.put(0x1c00 | (value & 0x1ff), 13)
    else if (value >= -2047 && value <= 2048) this.put(0x1e000 | (value & 0xfff), 17)
    else if (value >= -131071 && value <= 131072) this.#putShort(0b111110, 6, value & 0x3ffff, 18)
    else if (value >= -16777215 && value <= 16777216) this.#putShort(0b1111110, 7, value & 0x1ffffff, 25)
    else this.#putLong(value, value > -(2 ** 55) && value <= 2 ** 55)
  }

  /** A whole number of at least 0 in 1 to 72 bits. */
  putVarbitUint(value: number): void {
    if (value === 0) this.put(0, 1)
    else if (value < 8) this.put(0b10000 | value, 5)
    else if (value < 64) this.put(0b110000000 | value, 9)
    else if (value < 0x200) this.put(0x1c00 | value, 13)
    else if (value < 0x1000) this.put(0x1e000 | value, 17)
    else if (value < 0x40000) this.#putShort(0b111110, 6, value, 18)
    else if (value < 0x2000000) this.#putShort(0b1111110, 7, value, 25)
    else this.#putLong(value, value < 2 ** 56)
  }

  /** A copy of what was written, with the last byte filled up with zeros. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.byteLength)
    bytes.set(this.#bytes.subarray(0, this.#at))
    for (let at = this.#at, shift = 24; shift >= 0 && at < bytes.length; at++, shift -= 8) bytes[at] = this.#word >>> shift
    return bytes
  }

  #putShort(prefix: number, prefixCount: number, bits: number, count: number): void {
    this.put(prefix, prefixCount)
    this.put(bits, count)
  }

  #putLong(value: number, fits56: boolean): void {
    const high = Math.floor(value / 0x1_0000_0000)
    this.put(fits56 ? 0xfe : 0xff, 8)
    if (fits56) this.put(high & 0xff_ffff, 24)
    else this.put(high >>> 0, 32)
    this.put(value >>> 0, 32)
  }

  #flush(word: number): void {
    const at = this.#at
    if (at + 4 > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2)
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    const bytes = this.#bytes
    bytes[at] = word >>> 24
    bytes[at + 1] = word >>> 16
    bytes[at + 2] = word >>> 8
    bytes[at + 3] = word
    this.#at = at + 4
  }
}
