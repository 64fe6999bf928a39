import type { FrameChunk } from './sample-frame.ts'

/** A buffer of frames that is used again when nobody holds it; made with one hold. */
export class Chunk implements FrameChunk {
  readonly bytes: Uint8Array
  readonly #onFree: (chunk: Chunk) => void
  #holders = 1

  constructor(bytes: number, onFree: (chunk: Chunk) => void) {
    this.bytes = new Uint8Array(bytes)
    this.#onFree = onFree
  }

  hold(): void {
    this.#holders++
  }

  release(): void {
    if (--this.#holders === 0) this.#onFree(this)
  }
}

/** Chunks of one size: new ones would be megabytes that wait for the collector, which sees but small objects. */
export class ChunkPool {
  readonly #chunkBytes: number
  readonly #freeMax: number
  readonly #free: Chunk[] = []

  constructor(chunkBytes: number, freeMax: number) {
    this.#chunkBytes = chunkBytes
    this.#freeMax = freeMax
  }

  /** A chunk of at least `bytes`, held once; one larger than the pool's size is not used again. */
  take(bytes: number): Chunk {
    const isUsual = bytes <= this.#chunkBytes
    const free = isUsual ? this.#free.pop() : undefined
    if (free !== undefined) {
      free.hold()
      return free
    }
    return new Chunk(isUsual ? this.#chunkBytes : bytes, (chunk) => {
      if (chunk.bytes.length === this.#chunkBytes && this.#free.length < this.#freeMax) this.#free.push(chunk)
    })
  }
}
