import type { ExpositionParser } from '@narthex/exposition/parser'

const windowBytesMin = 256 * 1024

/** What reads the windows; `TargetSeries` does. */
export interface WindowReader {
  readWindow(bytes: Uint8Array, end: number, isLast: boolean, parser: ExpositionParser): number
  finish(): void
}

/**
 * Makes windows of whole lines out of the pieces of a body, in one buffer that is as large as the longest line needs it and at least 256 KiB.
 * A body takes that much, however large it is.
 */
export class LineWindows {
  readonly #reader: WindowReader
  readonly #parser: ExpositionParser
  readonly #windowBytes: number
  #window: Uint8Array
  #length = 0
  // Up to here there is no line feed behind what was read.
  #searched = 0

  constructor(reader: WindowReader, parser: ExpositionParser, windowBytes = windowBytesMin) {
    this.#reader = reader
    this.#parser = parser
    this.#windowBytes = windowBytes
    this.#window = new Uint8Array(windowBytes)
  }

  /** The next bytes, cut anywhere. Throws what the reader throws. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#length === this.#window.length) this.#read()
      const count = Math.min(bytes.length - at, this.#window.length - this.#length)
      this.#window.set(bytes.subarray(at, at + count), this.#length)
      this.#length += count
      at += count
    }
  }

  /** There is no more. */
  end(): void {
    this.#reader.readWindow(this.#window, this.#length, true, this.#parser)
    this.#reader.finish()
  }

  /** Reads the lines that are whole and moves what is left to the front. */
  #read(): void {
    const last = this.#window.lastIndexOf(10, this.#length - 1)
    const end = last < this.#searched ? 0 : last + 1
    const read = end === 0 ? 0 : this.#reader.readWindow(this.#window, end, false, this.#parser)
    this.#window.copyWithin(0, read, this.#length)
    this.#length -= read
    this.#searched = end - read
    // A window that is nearly full of what was left would be read again and again for little.
    if (this.#length * 2 > this.#window.length) this.#resize(this.#window.length * 2)
    else if (this.#length * 8 < this.#window.length && this.#window.length > this.#windowBytes) this.#resize(this.#windowBytes)
  }

  #resize(bytes: number): void {
    const window = new Uint8Array(Math.max(bytes, this.#length * 2))
    window.set(this.#window.subarray(0, this.#length))
    this.#window = window
  }
}
