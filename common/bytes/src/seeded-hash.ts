import { randomBytes } from 'node:crypto'

// Odd constants with about as many ones as zeros, the first two those of MurmurHash3.
const lowPrime = 0xcc9e2d51 | 0
const lowPrime2 = 0x1b873593
const highPrime = 0x9e3779b1 | 0
const highPrime2 = 0x85ebca77 | 0

/**
 * 64-bit hashes, as two 32-bit halves, of bytes that strangers choose: the seed is new in each process, so that nobody can prepare two texts
 * with one hash. Two different texts are taken for the same with a probability of about 2^-64. Not for anything that is stored or sent.
 */
export class SeededHash {
  /** The last result. */
  low = 0
  high = 0
  readonly #lowSeed: number
  readonly #highSeed: number

  constructor(seed: Uint8Array = randomBytes(8)) {
    const view = new DataView(seed.buffer, seed.byteOffset, 8)
    this.#lowSeed = view.getInt32(0)
    this.#highSeed = view.getInt32(4)
  }

  /** Of the `length` bytes at `start` of the view. */
  of(view: DataView, start: number, length: number): void {
    let low = this.#lowSeed ^ length
    let high = this.#highSeed + length
    const end = start + length
    let i = start
    for (; i + 8 <= end; i += 8) {
      const a = view.getInt32(i, true)
      const b = view.getInt32(i + 4, true)
      low = Math.imul(((low ^ a) << 15) | ((low ^ a) >>> 17), lowPrime)
      high = Math.imul(((high ^ b) << 13) | ((high ^ b) >>> 19), highPrime)
      low = Math.imul(((low ^ b) << 17) | ((low ^ b) >>> 15), lowPrime2)
      high = Math.imul(((high ^ a) << 16) | ((high ^ a) >>> 16), highPrime2)
    }
    if (i + 4 <= end) {
      const a = view.getInt32(i, true)
      low = Math.imul(((low ^ a) << 15) | ((low ^ a) >>> 17), lowPrime)
      high = Math.imul(((high ^ a) << 13) | ((high ^ a) >>> 19), highPrime)
      i += 4
    }
    for (; i < end; i++) {
      const a = view.getUint8(i)
      low = Math.imul(((low ^ a) << 15) | ((low ^ a) >>> 17), lowPrime)
      high = Math.imul(((high ^ a) << 13) | ((high ^ a) >>> 19), highPrime)
    }
    this.low = avalanche(low)
    this.high = avalanche(high ^ low)
  }

  /** Begins a hash of hashes, to which `add` adds. */
  begin(): void {
    this.low = this.#lowSeed
    this.high = this.#highSeed
  }

  /** Adds another hash; the order counts. */
  add(low: number, high: number): void {
    const a = this.low ^ low
    const b = this.high ^ high
    this.low = avalanche(Math.imul((a << 15) | (a >>> 17), lowPrime) + b)
    this.high = avalanche(Math.imul((b << 13) | (b >>> 19), highPrime) ^ a)
  }
}

/** The last steps of MurmurHash3: every bit of the input reaches every bit. */
function avalanche(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
