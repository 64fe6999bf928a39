import type { BitReader } from './bit-reader.ts'

const firstKnownFlag = 0x80
const changeIndexMask = 0x7f

/**
 * Reads the start times that chunks of later encodings have behind each sample (FORMAT.md, "Start times"): nothing at all until the
 * first one changes, then the change of their distance from the time of the sample before.
 */
export class StartTimeReader {
  readonly #isFirstKnown: boolean
  /** The first sample after sample 0 that carries a start time; 0 = none does. */
  readonly #changeIndex: number
  #distance = 0
  /** Of the sample read last; 0 = not known. */
  startTimeMs = 0

  /** `header` is the byte behind the sample count. */
  constructor(header: number) {
    this.#isFirstKnown = (header & firstKnownFlag) !== 0
    this.#changeIndex = header & changeIndexMask
  }

  /** Reads what sample `i` has; for sample 0 `previousTimeMs` is its own time. */
  read(reader: BitReader, i: number, previousTimeMs: number): void {
    if (i === 0) {
      if (this.#isFirstKnown) this.startTimeMs = previousTimeMs - reader.varint()
      return
    }
    if (this.#changeIndex === 0 || i < this.#changeIndex) return
    this.#distance = i === this.#changeIndex ? reader.varbitInt() : this.#distance + reader.varbitInt()
    this.startTimeMs = previousTimeMs - this.#distance
  }
}
