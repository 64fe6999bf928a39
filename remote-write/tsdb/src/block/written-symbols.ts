import { compareBytes, toBytes } from './byte-order.ts'

const encoder = new TextEncoder()
/** Of one UTF-16 unit. */
const utf8BytesMax = 3
/** Ordinals of texts that are kept for the next series. */
const ordinalsKeptMax = 65_536

/** The symbols of an index that is being written: bytes in one buffer, found by binary search. */
export class WrittenSymbols {
  count = 0
  #bytes = new Uint8Array(64 * 1024)
  #length = 0
  #ends = new Float64Array(4096)
  readonly #ordinals = new Map<string, number>()

  /** Bytes of all symbols together. */
  get byteLength(): number {
    return this.#length
  }

  /** False, and nothing is added, unless the symbol is greater than the last one. */
  add(symbol: string | Uint8Array): boolean {
    const start = this.#length
    let end = start
    if (typeof symbol === 'string') {
      this.#reserve(symbol.length * utf8BytesMax)
      end += encoder.encodeInto(symbol, this.#bytes.subarray(start)).written
    } else {
      this.#reserve(symbol.length)
      this.#bytes.set(symbol, start)
      end += symbol.length
    }
    if (this.count > 0 && !this.#isGreater(start, end)) return false
    this.#length = end
    this.#ends[this.count++] = end
    return true
  }

  /** Valid until the next `add`. */
  bytes(ordinal: number): Uint8Array {
    return this.#bytes.subarray(ordinal === 0 ? 0 : this.#ends[ordinal - 1], this.#ends[ordinal])
  }

  /** -1 if it is no symbol. */
  find(symbol: string | Uint8Array): number {
    if (typeof symbol !== 'string') return this.#search(symbol)
    const known = this.#ordinals.get(symbol)
    if (known !== undefined) return known
    const ordinal = this.#search(toBytes(symbol))
    if (this.#ordinals.size >= ordinalsKeptMax) this.#ordinals.clear()
    this.#ordinals.set(symbol, ordinal)
    return ordinal
  }

  /** Whether the bytes [start, end) are greater than the last symbol, which ends where they start. */
  #isGreater(start: number, end: number): boolean {
    const bytes = this.#bytes
    const last = this.count === 1 ? 0 : this.#ends[this.count - 2]!
    const shorter = Math.min(end - start, start - last)
    for (let i = 0; i < shorter; i++) if (bytes[start + i] !== bytes[last + i]) return bytes[start + i]! > bytes[last + i]!
    return end - start > start - last
  }

  #search(symbol: Uint8Array): number {
    let low = 0
    let high = this.count - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const order = compareBytes(this.bytes(middle), symbol)
      if (order === 0) return middle
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  #reserve(count: number): void {
    if (this.#length + count > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length + count, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    if (this.count === this.#ends.length) {
      const larger = new Float64Array(this.count * 2)
      larger.set(this.#ends)
      this.#ends = larger
    }
  }
}
