const encoder = new TextEncoder()
const scratchFloat = new Float64Array(1)
const scratchWords = new Uint32Array(scratchFloat.buffer)

/** The last multiple of 128 steps that 32-bit arithmetic can take: above it a varint is divided, not shifted. */
const shiftableMax = 0x7fffffff

/**
 * An appending writer over one growing buffer. Numbers are written as the method's name says: width, then byte order.
 * A value out of a field's range is cut to the field's low bits, as an assignment to a typed array does.
 */
export class ByteWriter {
  /** The buffer; only `[0, length)` is meaningful. Replaced by a larger one when it grows. */
  bytes: Uint8Array
  length = 0

  constructor(initialBytes = 256) {
    this.bytes = new Uint8Array(initialBytes)
  }

  /** Makes room for `count` more bytes, so that as many can be put into `bytes` directly. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = value
  }

  u16be(value: number): void {
    this.reserve(2)
    const { bytes, length } = this
    bytes[length] = value >>> 8
    bytes[length + 1] = value
    this.length = length + 2
  }

  u32be(value: number): void {
    this.reserve(4)
    const { bytes, length } = this
    bytes[length] = value >>> 24
    bytes[length + 1] = value >>> 16
    bytes[length + 2] = value >>> 8
    bytes[length + 3] = value
    this.length = length + 4
  }

  u64be(high: number, low: number): void {
    this.u32be(high)
    this.u32be(low)
  }

  u32le(value: number): void {
    this.reserve(4)
    const { bytes, length } = this
    bytes[length] = value
    bytes[length + 1] = value >>> 8
    bytes[length + 2] = value >>> 16
    bytes[length + 3] = value >>> 24
    this.length = length + 4
  }

  /** A number has lost the payload of a signalling NaN: where stale markers pass, use `words64le`. */
  f64le(value: number): void {
    scratchFloat[0] = value
    this.words64le(scratchWords[0]!, scratchWords[1]!)
  }

  /** Eight bytes, big endian, from the two halves of a 64-bit word. */
  words64be(low: number, high: number): void {
    this.u32be(high)
    this.u32be(low)
  }

  /** Eight bytes, little endian, from the two halves of a 64-bit word. */
  words64le(low: number, high: number): void {
    this.u32le(low)
    this.u32le(high)
  }

  /** Base 128, least significant group first; `value` is a whole number in `[0, 2^53]`. */
  uvarint(value: number): void {
    this.reserve(10)
    this.#groups(value)
  }

  /** As Go's `binary.PutVarint`: zigzag, then base 128; `value` is a whole number with `|value| <= 2^53`. */
  varint(value: number): void {
    this.reserve(10)
    // zigzag: v >= 0 → 2v, v < 0 → 2(-v-1)+1. The doubled number may pass 2^53, so the first group is cut off before doubling.
    const magnitude = value < 0 ? -value - 1 : value
    const sign = value < 0 ? 1 : 0
    const first = (magnitude % 64) * 2 + sign
    if (magnitude < 64) {
      this.bytes[this.length++] = first
      return
    }
    this.bytes[this.length++] = first | 0x80
    this.#groups(Math.floor(magnitude / 64))
  }

  #groups(value: number): void {
    const { bytes } = this
    let { length } = this
    let rest = value
    while (rest > shiftableMax) {
      bytes[length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      bytes[length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[length++] = rest
    this.length = length
  }

  raw(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start
    this.reserve(count)
    if (count < 32) {
      // A short copy costs less than the view that `set` needs.
      const { bytes, length } = this
      for (let i = 0; i < count; i++) bytes[length + i] = source[start + i]!
    } else {
      this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length)
    }
    this.length += count
  }

  /** Appends the text as UTF-8 and returns how many bytes that took. */
  utf8(text: string): number {
    this.reserve(text.length * 3)
    const start = this.length
    const { bytes } = this
    const count = text.length
    let i = 0
    if (count < 64) {
      for (; i < count; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 0x7f) break
        bytes[start + i] = unit
      }
    }
    if (i === count) {
      this.length = start + count
      return count
    }
    const { written } = encoder.encodeInto(text, bytes.subarray(start))
    this.length = start + written
    return written
  }

  /** What was written, without a copy: valid until the next write or `reset`. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  reset(): void {
    this.length = 0
  }
}
