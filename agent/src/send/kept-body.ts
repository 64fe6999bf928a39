/** Bodies after which the room is measured anew. */
const bodiesPerReview = 64

/** A request's body as one shard keeps it while it is on its way: the remote's one builder makes the next shard's request meanwhile. */
export class KeptBody {
  #bytes: Uint8Array = new Uint8Array(0)
  #bodies = 0
  #largest = 0

  /**
   * A copy, valid until the next call. The room for it is used again; it shrinks when the largest of 64 bodies would fill less than half of it,
   * so that full and partly filled batches by turns do not make new memory each time.
   */
  keep(body: Uint8Array): Uint8Array {
    const { length } = body
    this.#largest = Math.max(this.#largest, length)
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(length + (length >> 2))
    this.#bytes.set(body)
    const kept = this.#bytes.subarray(0, length)
    if (++this.#bodies === bodiesPerReview) this.#review()
    return kept
  }

  #review(): void {
    // The copy just given keeps its memory; the next one finds none and makes its own.
    if (this.#largest < this.#bytes.length / 2) this.#bytes = new Uint8Array(0)
    this.#bodies = 0
    this.#largest = 0
  }
}
