import { sharedCodec } from './wire-codec.ts'

/** Shorter ranges are copied a byte at a time: a view for `set` takes longer. */
const shortBytes = 48

/**
 * Hashes label bytes into 96 bits with keys that this thread drew. Two different byte strings meet with a probability of about 2^-96 (2^-93 for the
 * worst two), whoever chose them without knowing the keys; wire-codec.wat says why. Bytes that `useUncompressed` gave are hashed where they lie, others
 * are copied first.
 */
export class LabelHasher {
  readonly #codec = sharedCodec()
  readonly #hash = this.#codec.hash
  readonly #memory = this.#codec.bytes
  /** The three words of the last hash, of any hasher. */
  readonly words: Uint32Array = this.#codec.hashWords
  /** Longer strings are not hashed. */
  readonly bytesMax: number = this.#codec.hashBytesMax
  /** The bytes that were hashed last, and where they lie in the memory; -1 = elsewhere. */
  #bytes: Uint8Array | undefined
  #base = -1

  /** Hashes [start, end) of `bytes`, at most `bytesMax` of them, into `words`. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) this.#look(bytes)
    const base = this.#base
    if (base >= 0) this.#hash(base + start, base + end)
    else this.#hashCopy(bytes, start, end)
  }

  /** Lets go of the bytes that were hashed last. */
  forget(): void {
    this.#bytes = undefined
  }

  #look(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#base = bytes.buffer === this.#memory.buffer ? bytes.byteOffset : -1
  }

  #hashCopy(bytes: Uint8Array, start: number, end: number): void {
    const memory = this.#memory
    const at = this.#codec.scratchAt
    if (end - start > shortBytes) memory.set(bytes.subarray(start, end), at)
    else for (let i = start, to = at; i < end; i++, to++) memory[to] = bytes[i]!
    this.#hash(at, at + end - start)
  }
}
