/** Hears how many bytes columns are about to hold, before they do. May throw: then they stay as they are. */
export type GrowthListener = (bytes: number) => void

const bytesPerSample = 16

/**
 * Samples as two growing columns. `words` is the same memory as `values`, two words a value, low word first; it and the arrays are
 * replaced when the columns grow, so take them afresh after a push.
 */
export class SampleColumns {
  /** Milliseconds since the epoch. */
  times: Float64Array<ArrayBuffer>
  values: Float64Array<ArrayBuffer>
  words: Uint32Array<ArrayBuffer>
  length = 0
  readonly #onGrow: GrowthListener | undefined

  constructor(capacity = 128, onGrow?: GrowthListener) {
    this.#onGrow = onGrow
    this.times = new Float64Array(capacity)
    this.values = new Float64Array(capacity)
    this.words = new Uint32Array(this.values.buffer)
  }

  /** Makes room for `count` more samples, so that as many can be put into the arrays directly. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.times.length) return
    const capacity = Math.max(needed, this.times.length * 2)
    this.#onGrow?.(capacity * bytesPerSample)
    const times = new Float64Array(capacity)
    const words = new Uint32Array(capacity * 2)
    times.set(this.times.subarray(0, this.length))
    // Copied as words: a Float64Array's copy may not keep the bits of a signalling NaN.
    words.set(this.words.subarray(0, this.length * 2))
    this.times = times
    this.words = words
    this.values = new Float64Array(words.buffer)
  }

  push(timeMs: number, lowWord: number, highWord: number): void {
    const at = this.length
    if (at === this.times.length) this.reserve(1)
    this.times[at] = timeMs
    this.words[2 * at] = lowWord
    this.words[2 * at + 1] = highWord
    this.length = at + 1
  }

  pushNumber(timeMs: number, value: number): void {
    const at = this.length
    if (at === this.times.length) this.reserve(1)
    this.times[at] = timeMs
    this.values[at] = value
    this.length = at + 1
  }

  clear(): void {
    this.length = 0
  }
}
