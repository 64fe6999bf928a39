/** A request's body as one shard keeps it while it is on its way: the remote's one builder makes the next shard's request meanwhile. */
export class KeptBody {
  #bytes: Uint8Array = new Uint8Array(0)

  /** A copy, valid until the next call. Room for a body that was a quarter larger stays, of one that was larger it goes. */
  keep(body: Uint8Array): Uint8Array {
    const { length } = body
    if (length > this.#bytes.length || length < this.#bytes.length / 2) this.#bytes = new Uint8Array(length + (length >> 2))
    this.#bytes.set(body)
    return this.#bytes.subarray(0, length)
  }
}
