const lineFeed = 0x0a

/** Cuts a stream of bytes into lines. Empty lines are left out; what stands behind the last line feed is not a line yet. */
export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #take: (line: Uint8Array) => void
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(lineBytesMax: number, take: (line: Uint8Array) => void) {
    this.#lineBytesMax = lineBytesMax
    this.#take = take
  }

  /** Throws on a line that is too long, and what `take` throws. */
  push(chunk: Uint8Array): void {
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      this.#add(chunk.subarray(start, end))
      start = end + 1
      const line = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
      this.#parts = []
      this.#bytes = 0
      if (line.length > 0) this.#take(line)
    }
    if (start < chunk.length) this.#add(chunk.subarray(start))
  }

  #add(part: Uint8Array): void {
    this.#bytes += part.length
    if (this.#bytes > this.#lineBytesMax) throw new Error(`cannot read line: want at most ${this.#lineBytesMax} bytes, got more`)
    this.#parts.push(part)
  }
}
