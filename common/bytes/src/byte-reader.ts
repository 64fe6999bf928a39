// A byte order mark is part of the text: dropping it would make two label values one.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const scratchFloat = new Float64Array(1)
const scratchWords = new Uint32Array(scratchFloat.buffer)

const wordSize = 0x1_0000_0000

/**
 * A reader over `bytes[start, end)` with the methods of ByteWriter. Reading past `end`, or a varint of more than 64 bits, throws
 * a `RangeError` that says what was wanted and where; `offset` then stands where the failed value begins.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  offset: number
  end: number
  /** The halves of the word that `words64be`, `words64le` or `varintWords` read last, unsigned. */
  low = 0
  high = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    if (start < 0 || end > bytes.length || start > end) {
      throw new RangeError(`cannot read bytes [${start}, ${end}): want a range within ${bytes.length} bytes`)
    }
    this.bytes = bytes
    this.offset = start
    this.end = end
  }

  get remaining(): number {
    return this.end - this.offset
  }

  u8(): number {
    if (this.offset >= this.end) this.#short('byte', 1)
    return this.bytes[this.offset++]!
  }

  u16be(): number {
    const at = this.#take('u16', 2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  u32be(): number {
    return this.#u32beAt(this.#take('u32', 4))
  }

  /** A number: exact up to 2^53, rounded above; for all 64 bits use `words64be`. */
  u64be(): number {
    this.words64be()
    return this.high * wordSize + this.low
  }

  u32le(): number {
    return this.#u32leAt(this.#take('u32', 4))
  }

  /** A number loses the payload of a signalling NaN: where stale markers pass, use `words64le`. */
  f64le(): number {
    this.words64le()
    scratchWords[0] = this.low
    scratchWords[1] = this.high
    return scratchFloat[0]!
  }

  /** Reads a big endian 64-bit word into `low` and `high`. */
  words64be(): void {
    const at = this.#take('u64', 8)
    this.high = this.#u32beAt(at)
    this.low = this.#u32beAt(at + 4)
  }

  /** Reads a little endian 64-bit word into `low` and `high`. */
  words64le(): void {
    const at = this.#take('u64', 8)
    this.low = this.#u32leAt(at)
    this.high = this.#u32leAt(at + 4)
  }

  /** Base 128, at most 64 bits. Exact up to 2^53, rounded above (a length that large fails its bound anyway). */
  uvarint(): number {
    const { bytes, offset } = this
    if (offset < this.end) {
      const first = bytes[offset]!
      if (first < 0x80) {
        this.offset = offset + 1
        return first
      }
    }
    this.varintWords()
    return this.high * wordSize + this.low
  }

  /** As Go's `binary.Varint` (zigzag). Exact for |value| <= 2^53. */
  varint(): number {
    this.varintWords()
    const { low, high } = this
    const magnitude = (high >>> 1) * wordSize + (((high << 31) | (low >>> 1)) >>> 0)
    return low & 1 ? -magnitude - 1 : magnitude
  }

  /** A protobuf `int64`: two's complement in base 128, so negative numbers take ten bytes. Exact for |value| <= 2^53. */
  int64Varint(): number {
    this.varintWords()
    return (this.high | 0) * wordSize + this.low
  }

  // A group is 7 bits; group i carries bits 7i…7i+6:
  // ┌ low ┬ groups 0–3 and 4 bits of group 4 ┐ ┌ high ┬ 3 bits of group 4, groups 5–8 and 1 bit of group 9 ┐
  /** Reads a varint of up to 64 bits into `low` and `high`. */
  varintWords(): void {
    const { bytes, end } = this
    let low = 0
    let high = 0
    let i = this.offset
    for (let shift = 0; shift < 70; shift += 7) {
      if (i >= end) this.#short('varint', i - this.offset + 1)
      const byte = bytes[i++]!
      const group = byte & 0x7f
      if (shift < 28) low |= group << shift
      else if (shift === 28) {
        low |= group << 28
        high = group >>> 4
      } else if (shift < 63) high |= group << (shift - 32)
      else if (group > 1) break
      else high |= group << 31
      if (byte < 0x80) {
        this.low = low >>> 0
        this.high = high >>> 0
        this.offset = i
        return
      }
    }
    throw new RangeError(`cannot read varint at offset ${this.offset}: want at most 64 bits, got more`)
  }

  /** `count` bytes as a view into the source (no copy). */
  raw(count: number): Uint8Array {
    const at = this.#take('bytes', count)
    return this.bytes.subarray(at, at + count)
  }

  /** `count` bytes as text; what is not UTF-8 becomes U+FFFD. */
  utf8(count: number): string {
    const at = this.#take('text', count)
    const { bytes } = this
    if (count < 24) {
      let text = ''
      let i = at
      for (const stop = at + count; i < stop && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!)
      if (i === at + count) return text
    }
    return decoder.decode(bytes.subarray(at, at + count))
  }

  skip(count: number): void {
    this.#take('bytes', count)
  }

  #take(what: string, count: number): number {
    const at = this.offset
    if (!(count >= 0 && count <= this.end - at)) this.#short(what, count)
    this.offset = at + count
    return at
  }

  #short(what: string, wanted: number): never {
    throw new RangeError(`cannot read ${what} at offset ${this.offset}: want ${wanted} bytes, got ${this.end - this.offset}`)
  }

  #u32beAt(at: number): number {
    const { bytes } = this
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  #u32leAt(at: number): number {
    const { bytes } = this
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  }
}
