/** A piece of an answer; `onTaken` hears that it was handed on, so that there is room for another. */
interface Part {
  readonly bytes: Uint8Array
  onTaken(): void
}

/**
 * Pieces of an answer between whoever makes them and a socket: read by `for await`, each once. How many may wait is for the maker to bound, by
 * what it hears of those that were taken.
 */
export class PartQueue implements AsyncIterable<Uint8Array> {
  readonly #parts: Part[] = []
  #isEnded = false
  #failure: unknown
  #wake: (() => void) | undefined

  push(bytes: Uint8Array, onTaken: () => void): void {
    this.#parts.push({ bytes, onTaken })
    this.#wake?.()
  }

  /** No more will come. With a failure reading throws it, after the pieces before it. */
  end(failure?: unknown): void {
    this.#isEnded = true
    this.#failure = failure
    this.#wake?.()
  }

  /** Waits for the first piece or the end, whichever comes first; throws the failure if it came before any piece. */
  async begin(): Promise<void> {
    await this.#wait()
    if (this.#parts.length === 0 && this.#failure !== undefined) throw this.#failure
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      await this.#wait()
      const part = this.#parts.shift()
      if (part === undefined) break
      yield part.bytes
      part.onTaken()
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  async #wait(): Promise<void> {
    while (this.#parts.length === 0 && !this.#isEnded) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
  }
}
