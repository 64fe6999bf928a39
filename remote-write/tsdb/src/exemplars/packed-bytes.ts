const firstBytes = 4096

/**
 * One byte string for each slot, all in one buffer: it grows when it is full and is packed when half of it belongs to strings that have gone.
 * The arrays are replaced then; string i is `bytes` at [starts[i], starts[i] + lengths[i]).
 */
export class PackedBytes {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(firstBytes)
  starts: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  lengths: Uint32Array<ArrayBuffer> = new Uint32Array(64)
  readonly #bytesMax: number
  /** Everything from here on is free. */
  #end = 0
  #used = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Where the last string ends. */
  get end(): number {
    return this.#end
  }

  /** Bytes of the buffers. */
  get usedBytes(): number {
    return this.bytes.length + this.starts.byteLength + this.lengths.byteLength
  }

  /** Copies source[from, to) into a slot; false, and the slot is empty, if that would be more than `bytesMax` in all. */
  set(slot: number, source: Uint8Array, from: number, to: number): boolean {
    this.clear(slot)
    const length = to - from
    if (this.#used + length > this.#bytesMax) return false
    if (slot >= this.starts.length) this.#addSlots(slot)
    if (this.#end + length > this.bytes.length) this.#makeRoom(length)
    this.bytes.set(source.subarray(from, to), this.#end)
    this.starts[slot] = this.#end
    this.lengths[slot] = length
    this.#end += length
    this.#used += length
    return true
  }

  clear(slot: number): void {
    if (slot >= this.lengths.length) return
    this.#used -= this.lengths[slot]!
    this.lengths[slot] = 0
    if (this.#used === 0) this.#end = 0
  }

  /** Whether the string of a slot is source[from, to). */
  equals(slot: number, source: Uint8Array, from: number, to: number): boolean {
    const start = this.starts[slot]!
    if (this.lengths[slot] !== to - from) return false
    for (let i = 0; i < to - from; i++) if (this.bytes[start + i] !== source[from + i]) return false
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

  #makeRoom(length: number): void {
    const want = this.#used + length
    // Half of it free again: packing as often as that costs a copy of two bytes for each that is set.
    const size = want <= this.bytes.length / 2 ? this.bytes.length : Math.max(2 * this.bytes.length, 2 * want)
    const packed = new Uint8Array(size)
    let end = 0
    for (let slot = 0; slot < this.lengths.length; slot++) {
      const bytes = this.lengths[slot]!
      if (bytes === 0) continue
      const start = this.starts[slot]!
      packed.set(this.bytes.subarray(start, start + bytes), end)
      this.starts[slot] = end
      end += bytes
    }
    this.bytes = packed
    this.#end = end
  }
}
