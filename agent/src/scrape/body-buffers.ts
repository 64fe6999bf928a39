const buffersMax = 8
const bufferBytesMax = 4 * 2 ** 20

/**
 * Buffers of bodies that nobody needs any more. Every target keeps its last answer, and gives one back with each new one, so a handful is
 * enough for any number of targets, and no scrape needs new memory.
 */
export class BodyBuffers {
  #free: Uint8Array[] = []

  /** A buffer of at least `bytes` with old content in it, and not much larger; empty if there is none. */
  take(bytes: number): Uint8Array {
    const at = this.#free.findIndex(({ length }) => length >= bytes && length <= bytes * 2)
    return at < 0 ? new Uint8Array(0) : this.#free.splice(at, 1)[0]!
  }

  /** Takes back the buffer under `body` when it was made for a body: pieces of larger buffers are left alone. */
  give(body: Uint8Array): void {
    const { buffer } = body
    if (body.byteOffset !== 0 || buffer.byteLength > body.length * 2 || buffer.byteLength > bufferBytesMax) return
    // The oldest goes: sizes may have changed.
    if (this.#free.length >= buffersMax) this.#free.shift()
    this.#free.push(new Uint8Array(buffer))
  }
}
