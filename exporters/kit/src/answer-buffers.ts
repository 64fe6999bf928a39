/** Buffers kept for the next answers; as many scrapes seldom run at once. */
const buffersMax = 2
/** A larger answer gets memory of its own, which the collector frees. */
const bufferBytesMax = 4 * 1024 * 1024

/**
 * Memory for answers, used again and again: with each answer in memory of its own, a process that is asked often holds tens of them that nobody has
 * collected yet. Whoever does not give a buffer back leaves it to the collector.
 */
export class AnswerBuffers {
  readonly #free: Buffer[] = []

  /** A copy of the bytes, to be given to `release` when nobody reads it any more. */
  copy(bytes: Uint8Array): Buffer {
    const kept = this.#free.pop()
    const buffer = kept !== undefined && kept.length >= bytes.length ? kept : Buffer.allocUnsafeSlow(bytes.length + (bytes.length >> 3))
    buffer.set(bytes)
    return buffer.subarray(0, bytes.length)
  }

  release(copy: Uint8Array): void {
    const { buffer } = copy
    if (this.#free.length < buffersMax && buffer.byteLength <= bufferBytesMax) this.#free.push(Buffer.from(buffer))
  }
}
