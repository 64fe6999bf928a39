import { createHeader, findMagic, headerBytes, isPayloadWhole, readHeader } from './frame-header.ts'

/** Told about each stretch of bytes that is no undamaged frame. */
export interface DamageReport {
  readonly offset: number
  readonly bytes: number
  /** What an undamaged header says about its damaged payload; undefined if the header is damaged too. */
  readonly frame: { readonly kind: number; readonly sequence: number; readonly samples: number } | undefined
}

/**
 * Walks the frames of a segment, or of a window of one, in memory. After damage it goes on at the next undamaged frame, so a flipped byte costs
 * one. A window that is not the segment's end may end in a frame: there the walk stops.
 */
export class FrameScanner {
  readonly header = createHeader()
  /** Payload of the frame that `next` found. */
  start = 0
  end = 0
  /** Behind the last undamaged frame. */
  wholeBytes = 0
  readonly #bytes: Uint8Array
  readonly #length: number
  readonly #isEnd: boolean
  readonly #onDamage: (damage: DamageReport) => void
  #at: number

  constructor(bytes: Uint8Array, at: number, onDamage: (damage: DamageReport) => void, length = bytes.length, isEnd = true) {
    this.#bytes = bytes
    this.#length = length
    this.#isEnd = isEnd
    this.#at = at
    this.#onDamage = onDamage
  }

  /** Where the walk stands: behind the last frame, or at the one that the window cuts. */
  get offset(): number {
    return this.#at
  }

  /** Goes back to before the frame that `next` found. */
  putBack(): void {
    this.#at = this.start - headerBytes
  }

  /** Goes to the next undamaged frame; false at the end. */
  next(): boolean {
    const { header } = this
    const bytes = this.#bytes
    const length = this.#length
    while (this.#at < length) {
      const at = this.#at
      if (!this.#isEnd && at + headerBytes > length) return false
      if (!readHeader(bytes, at, length, header)) {
        const next = findMagic(bytes, at + 1, length)
        // A magic may be cut, too.
        this.#skipTo(at, next < 0 && !this.#isEnd ? Math.max(at + 1, length - 3) : next, false)
        continue
      }
      const end = at + headerBytes + header.payloadBytes
      if (!this.#isEnd && end > length) return false
      if (isPayloadWhole(bytes, at, length, header)) {
        this.start = at + headerBytes
        this.end = end
        this.#at = end
        this.wholeBytes = end
        return true
      }
      this.#skipTo(at, end < length ? end : -1, true)
    }
    return false
  }

  #skipTo(from: number, to: number, headerIsWhole: boolean): void {
    const { header } = this
    this.#at = to < 0 ? this.#length : to
    const frame = headerIsWhole ? { kind: header.kind, sequence: header.sequence, samples: header.count } : undefined
    this.#onDamage({ offset: from, bytes: this.#at - from, frame })
  }
}
