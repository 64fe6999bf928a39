import { randomFillSync } from 'node:crypto'
import type { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'

/** ┌ marker 4 B, never the begin of 1.0 label bytes ┬ references 4 B ┬ lane A ┬ lane B ┬ lane C ┐ */
export const seriesKeyBytes = 20
const marker = 0xffffffff
const retainedSymbols = 64 * 1024

/**
 * Gives a series of a 2.0 request a key that is the same in every request, as the raw label bytes are in 1.0: so the head's
 * memory of wire bytes serves both, and a known series costs neither a symbol lookup nor a look at its label pairs.
 *
 * Each symbol of a request is hashed once, into three 32-bit lanes of different kind with secret multipliers drawn for this
 * process; a series' key mixes the lanes of its symbols in their order. Two label sets meet with a probability of 2^-96.
 */
export class SymbolHashes {
  readonly key = new Uint8Array(seriesKeyBytes)
  readonly #keyWords = new Uint32Array(this.key.buffer)
  readonly #secrets = new Int32Array(6)
  /** Three lanes per symbol. */
  #lanes = new Int32Array(3 * 1024)

  constructor() {
    randomFillSync(this.#secrets)
    for (let i = 0; i < 6; i++) this.#secrets[i]! |= 1
    this.#keyWords[0] = marker
  }

  /** Hashes all symbols of a request. */
  begin(reader: RemoteWrite2Reader): void {
    const { bytes, symbolStart, symbolEnd, symbolCount } = reader
    if (this.#lanes.length < 3 * symbolCount || this.#lanes.length > 3 * retainedSymbols)
      this.#lanes = new Int32Array(3 * Math.max(1024, 2 * symbolCount))
    const lanes = this.#lanes
    const secrets = this.#secrets
    const a1 = secrets[0]!
    const a2 = secrets[1]!
    const b1 = secrets[2]!
    const b2 = secrets[3]!
    const c1 = secrets[4]!
    const c2 = secrets[5]!
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let i = 0; i < symbolCount; i++) {
      const end = symbolEnd[i]!
      let at = symbolStart[i]!
      const length = end - at
      let a = a2 ^ length
      let b = (b2 + length) | 0
      let c = Math.imul(length, c2)
      for (; at + 4 <= end; at += 4) {
        const word = view.getInt32(at, true)
        a = Math.imul(a ^ word, a1)
        a ^= a >>> 15
        b = Math.imul((b + word) | 0, b1)
        b = (b << 13) | (b >>> 19)
        c = (Math.imul(c ^ (word >>> 16) ^ (word << 16), c1) + word) | 0
        c ^= c >>> 11
      }
      let rest = 0
      for (let shift = 0; at < end; at++, shift += 8) rest |= bytes[at]! << shift
      a = Math.imul(a ^ rest, a1)
      b = Math.imul((b + rest) | 0, b1)
      c = Math.imul(c ^ rest, c1)
      lanes[3 * i] = a ^ (a >>> 16)
      lanes[3 * i + 1] = b ^ (b >>> 15)
      lanes[3 * i + 2] = c ^ (c >>> 14)
    }
  }

  /** Puts the key of the series with the label references [from, to) into `key`. */
  put(reader: RemoteWrite2Reader, from: number, to: number): void {
    const { labelRefs } = reader
    const lanes = this.#lanes
    const secrets = this.#secrets
    const a1 = secrets[0]!
    const a2 = secrets[1]!
    const b1 = secrets[2]!
    const b2 = secrets[3]!
    const c1 = secrets[4]!
    const c2 = secrets[5]!
    let a = a1
    let b = b1
    let c = c1
    for (let i = from; i < to; i++) {
      const at = 3 * labelRefs[i]!
      a = Math.imul(a ^ lanes[at]!, a2)
      a ^= a >>> 15
      b = Math.imul((b + lanes[at + 1]!) | 0, b2)
      b = (b << 13) | (b >>> 19)
      c = (Math.imul(c ^ lanes[at + 2]!, c2) + lanes[at]!) | 0
      c ^= c >>> 11
    }
    const words = this.#keyWords
    words[1] = to - from
    words[2] = a
    words[3] = b
    words[4] = c
  }
}
