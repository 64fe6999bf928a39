import type { BitReader } from './bit-reader.ts'
import type { BitWriter } from './bit-writer.ts'
import { ChunkError } from './xor-decoder.ts'

const noWindow = 0xff

/**
 * The state of floats that are written as the XOR with their own previous value (FORMAT.md, "XOR chunk", "value"): the last bits and
 * the window of bits that changed, one of each per field. Values are 64-bit words in two halves.
 */
export class XorFields {
  low: Uint32Array
  high: Uint32Array
  #leading: Uint8Array
  #trailing: Uint8Array

  constructor(count: number) {
    this.low = new Uint32Array(count)
    this.high = new Uint32Array(count)
    this.#leading = new Uint8Array(count).fill(noWindow)
    this.#trailing = new Uint8Array(count)
  }

  /** Makes the first `count` fields as new. */
  reset(count: number): void {
    if (count > this.low.length) {
      const capacity = Math.max(count, this.low.length * 2)
      this.low = new Uint32Array(capacity)
      this.high = new Uint32Array(capacity)
      this.#leading = new Uint8Array(capacity)
      this.#trailing = new Uint8Array(capacity)
    }
    this.low.fill(0, 0, count)
    this.high.fill(0, 0, count)
    this.#leading.fill(noWindow, 0, count)
    this.#trailing.fill(0, 0, count)
  }

  /** A first value: all bits as they are. */
  putFirst(writer: BitWriter, k: number, low: number, high: number): void {
    this.low[k] = low
    this.high[k] = high
    writer.putWord64(low, high)
  }

  put(writer: BitWriter, k: number, low: number, high: number): void {
    const changedLow = low ^ this.low[k]!
    const changedHigh = high ^ this.high[k]!
    if ((changedLow | changedHigh) === 0) {
      writer.put(0, 1)
      return
    }
    this.low[k] = low
    this.high[k] = high
    // The format has 5 bits for the leading zeros.
    const leading = changedHigh !== 0 ? Math.clz32(changedHigh) : 31
    const trailing = changedLow !== 0 ? 31 - Math.clz32(changedLow & -changedLow) : 63 - Math.clz32(changedHigh & -changedHigh)
    const windowLeading = this.#leading[k]!
    const windowTrailing = this.#trailing[k]!
    if (leading >= windowLeading && trailing >= windowTrailing) {
      writer.put(0b10, 2)
      writer.putPart(changedLow, changedHigh, windowTrailing, 64 - windowLeading - windowTrailing)
      return
    }
    const significant = 64 - leading - trailing
    // 64 does not fit into 6 bits and is written as 0, a count that cannot occur.
    writer.put(0x1800 | (leading << 6) | (significant & 63), 13)
    writer.putPart(changedLow, changedHigh, trailing, significant)
    this.#leading[k] = leading
    this.#trailing[k] = trailing
  }

  readFirst(reader: BitReader, k: number): void {
    this.high[k] = reader.bits(32)
    this.low[k] = reader.bits(32)
  }

  read(reader: BitReader, k: number): void {
    if (reader.bit() === 0) return
    if (reader.bit() === 0) this.readInWindow(reader, k)
    else this.readWithWindow(reader, k)
  }

  /** Changed bits in the window of before; without one, all 64. */
  readInWindow(reader: BitReader, k: number): void {
    const leading = this.#leading[k]!
    if (leading === noWindow) this.#change(reader, k, 0, 64)
    else this.#change(reader, k, this.#trailing[k]!, 64 - leading - this.#trailing[k]!)
  }

  /** A new window, then the changed bits in it. */
  readWithWindow(reader: BitReader, k: number): void {
    const head = reader.bits(11)
    const leading = head >>> 6
    const significant = (head & 63) === 0 ? 64 : head & 63
    const trailing = 64 - leading - significant
    if (trailing < 0) throw new ChunkError(`cannot read value: want at most 64 bits, got ${leading} + ${significant}`)
    this.#leading[k] = leading
    this.#trailing[k] = trailing
    this.#change(reader, k, trailing, significant)
  }

  #change(reader: BitReader, k: number, trailing: number, significant: number): void {
    const upper = significant > 32 ? reader.bits(significant - 32) : 0
    const lower = reader.bits(significant > 32 ? 32 : significant)
    if (trailing === 0) {
      this.high[k]! ^= upper
      this.low[k]! ^= lower
    } else if (trailing < 32) {
      this.high[k]! ^= (upper << trailing) | (lower >>> (32 - trailing))
      this.low[k]! ^= lower << trailing
    } else {
      this.high[k]! ^= lower << (trailing - 32)
    }
  }
}
