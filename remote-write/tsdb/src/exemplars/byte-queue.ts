const firstBytes = 4096

/**
 * Byte strings that go in the order in which they came, each in a slot that the caller chose: what goes makes room for what comes, so that in the
 * long run nothing is copied twice. String i is `bytes` at [starts[i], starts[i] + lengths[i]); the arrays are replaced when they grow.
 */
export class ByteQueue {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(firstBytes)
  starts: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  lengths: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  readonly #bytesMax: number
  #count = 0
  // From the oldest string to the end of the newest one; the newest may lie before the oldest, then strings end at `#wrap` and go on at 0.
  #head = 0
  #tail = 0
  #wrap = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of the buffers. */
  get usedBytes(): number {
    return this.bytes.length + this.starts.byteLength + this.lengths.byteLength
  }

  /** Copies source[from, to), at least one byte, into a slot that is empty; false if there is no room for it in `bytesMax`. */
  push(slot: number, source: Uint8Array, from: number, to: number): boolean {
    if (slot >= this.starts.length) this.#addSlots(slot)
    const length = to - from
    if (!this.#findRoom(length)) return false
    this.bytes.set(source.subarray(from, to), this.#tail)
    this.starts[slot] = this.#tail
    this.lengths[slot] = length
    this.#tail += length
    this.#count++
    return true
  }

  /** The oldest string goes, which is that of `slot`; that of `next` is the oldest then, if there is one. */
  shift(slot: number, next: number): void {
    this.lengths[slot] = 0
    this.#count--
    if (this.#count === 0) {
      this.#head = 0
      this.#tail = 0
    } else this.#head = this.starts[next]!
  }

  /** Whether the string of a slot is source[from, to). */
  equals(slot: number, source: Uint8Array, from: number, to: number): boolean {
    const start = this.starts[slot]!
    if (this.lengths[slot] !== to - from) return false
    for (let i = 0; i < to - from; i++) if (this.bytes[start + i] !== source[from + i]) return false
    return true
  }

  get #isWrapped(): boolean {
    return this.#count > 0 && this.#tail <= this.#head
  }

  /** Puts the tail where there are `length` bytes. */
  #findRoom(length: number): boolean {
    if (this.#isWrapped) return this.#tail + length <= this.#head || this.#grow(length)
    if (this.#tail + length <= this.bytes.length) return true
    if (this.#count === 0 || length > this.#head) return this.#grow(length)
    this.#wrap = this.#tail
    this.#tail = 0
    return true
  }

  #grow(length: number): boolean {
    const size = Math.min(this.#bytesMax, Math.max(2 * this.bytes.length, 2 * length))
    const isWrapped = this.#isWrapped
    const firstLength = (isWrapped ? this.#wrap : this.#tail) - this.#head
    const used = firstLength + (isWrapped ? this.#tail : 0)
    if (used + length > size) return false
    const bytes = new Uint8Array(size)
    bytes.set(this.bytes.subarray(this.#head, this.#head + firstLength))
    if (isWrapped) bytes.set(this.bytes.subarray(0, this.#tail), firstLength)
    for (let slot = 0; slot < this.lengths.length; slot++) {
      if (this.lengths[slot] === 0) continue
      const start = this.starts[slot]!
      this.starts[slot] = start >= this.#head ? start - this.#head : firstLength + start
    }
    this.bytes = bytes
    this.#head = 0
    this.#tail = used
    return true
  }

  #addSlots(slot: number): void {
    const count = Math.max(slot + 1, 2 * this.starts.length)
    const starts = new Uint32Array(count)
    const lengths = new Uint32Array(count)
    starts.set(this.starts)
    lengths.set(this.lengths)
    this.starts = starts
    this.lengths = lengths
  }
}
