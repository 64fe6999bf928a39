import { createHeader, findMagic, headerBytes, isPayloadWhole, readHeader } from './frame-header.ts'

/** Told about each stretch of bytes that is no undamaged frame. */
export interface DamageReport {
  readonly offset: number
  readonly bytes: number
  /** What an undamaged header says about its damaged payload; undefined if the header is damaged too. */
  readonly frame: { readonly kind: number; readonly sequence: number; readonly samples: number } | undefined
}

/** Walks the frames of a segment in memory. After damage it goes on at the next undamaged frame, so a flipped byte costs one. */
export class FrameScanner {
  readonly header = createHeader()
  /** Payload of the frame that `next` found. */
  start = 0
  end = 0
  /** Behind the last undamaged frame. */
  wholeBytes = 0
  readonly #bytes: Uint8Array
  readonly #onDamage: (damage: DamageReport) => void
  #at: number

  constructor(bytes: Uint8Array, at: number, onDamage: (damage: DamageReport) => void) {
    this.#bytes = bytes
    this.#at = at
    this.#onDamage = onDamage
  }

  /** Goes to the next undamaged frame; false at the end. */
  next(): boolean {
    const { header } = this
    const bytes = this.#bytes
    while (this.#at < bytes.length) {
      const at = this.#at
      if (!readHeader(bytes, at, bytes.length, header)) {
        this.#skipTo(at, findMagic(bytes, at + 1, bytes.length), false)
        continue
      }
      const end = at + headerBytes + header.payloadBytes
      if (isPayloadWhole(bytes, at, bytes.length, header)) {
        this.start = at + headerBytes
        this.end = end
        this.#at = end
        this.wholeBytes = end
        return true
      }
      this.#skipTo(at, end < bytes.length ? end : -1, true)
    }
    return false
  }

  #skipTo(from: number, to: number, headerIsWhole: boolean): void {
    const { header } = this
    this.#at = to < 0 ? this.#bytes.length : to
    const frame = headerIsWhole ? { kind: header.kind, sequence: header.sequence, samples: header.count } : undefined
    this.#onDamage({ offset: from, bytes: this.#at - from, frame })
  }
}
