import { ByteWriter } from '@narthex/bytes/byte-writer'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryClaim } from './query-memory.ts'

const smallBytes = 64 * 1024

/** A buffer for an answer whose bytes count for the query, before they are there. */
export class AnswerWriter extends ByteWriter {
  readonly #claim: QueryClaim
  #heldBytes = 0

  constructor(claim: QueryClaim) {
    super(smallBytes)
    this.#claim = claim
  }

  /** For the next answer, beside so many bytes that the query holds otherwise. */
  begin(heldBytes: number): void {
    this.reset()
    this.#heldBytes = heldBytes
  }

  /** The old buffer is there until it is copied. Throws a `QueryError` if the query may not hold so much. */
  override reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const larger = Math.max(needed, this.bytes.length * 2)
    this.#cover(this.bytes.length + larger)
    super.reserve(count)
  }

  /** Counts further bytes that the query holds beside the answer. */
  hold(bytes: number): void {
    this.#heldBytes += bytes
    this.#cover(this.bytes.length)
  }

  #cover(bytes: number): void {
    const refusal = this.#claim.cover(this.#heldBytes + bytes)
    if (refusal !== undefined) throw new QueryError('execution', `the answer of the query is too large: ${refusal}`)
  }

  /** What was written, in its buffer, which is somebody else's from now on. */
  take(): Uint8Array {
    const written = this.view()
    this.bytes = new Uint8Array(smallBytes)
    this.length = 0
    return written
  }

  /** A buffer that comes back serves the next answer, which else would take memory anew, page by page. Not while an answer is written. */
  adopt(buffer: ArrayBuffer): void {
    if (this.length === 0 && buffer.byteLength > this.bytes.length) this.bytes = new Uint8Array(buffer)
  }

  /** Gives up a large buffer. */
  shrink(keptBytesMax: number): void {
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(smallBytes)
    this.length = 0
  }
}
