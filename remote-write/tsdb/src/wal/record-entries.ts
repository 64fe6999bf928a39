const firstCapacity = 1024
const capacityKept = 65_536

/**
 * The entries of one record as columns, for any type: what a type does not have is left as it was. The arrays are replaced when
 * they grow. Filled by `readRecord`, taken by `RecordBuilder`.
 */
export class RecordEntries {
  length = 0
  /** Series references, exact below 2^53. */
  refs: Float64Array<ArrayBuffer> = new Float64Array(firstCapacity)
  /** Milliseconds since the epoch; of a tombstone the first one. */
  times: Float64Array<ArrayBuffer> = new Float64Array(firstCapacity)
  /** Of a sample its start time, 0 if none; of a tombstone the last millisecond; of a marker the file's number. */
  secondTimes: Float64Array<ArrayBuffer> = new Float64Array(firstCapacity)
  /** Value of a sample or exemplar, two words each, low word first; of a marker the offset in the file as low word. */
  words: Uint32Array<ArrayBuffer> = new Uint32Array(firstCapacity * 2)
  /**
   * Payload of entry i is `[starts[i], ends[i])` of the record: labels of series and exemplars (`readLabels`), type and texts of
   * metadata (`readMetadata`), histograms (`readHistogram`).
   */
  starts: Uint32Array<ArrayBuffer> = new Uint32Array(firstCapacity)
  ends: Uint32Array<ArrayBuffer> = new Uint32Array(firstCapacity)

  /** Gives an unusually large buffer back. */
  clear(): void {
    this.length = 0
    if (this.refs.length <= capacityKept) return
    this.#resize(firstCapacity)
  }

  /** The index of one more entry. */
  add(): number {
    if (this.length === this.refs.length) this.#resize(this.length * 2)
    return this.length++
  }

  reserve(count: number): void {
    if (count > this.refs.length) this.#resize(Math.max(count, this.refs.length * 2))
  }

  #resize(capacity: number): void {
    const { refs, times, secondTimes, words, starts, ends, length } = this
    this.refs = new Float64Array(capacity)
    this.times = new Float64Array(capacity)
    this.secondTimes = new Float64Array(capacity)
    this.words = new Uint32Array(capacity * 2)
    this.starts = new Uint32Array(capacity)
    this.ends = new Uint32Array(capacity)
    this.refs.set(refs.subarray(0, length))
    this.times.set(times.subarray(0, length))
    this.secondTimes.set(secondTimes.subarray(0, length))
    this.words.set(words.subarray(0, length * 2))
    this.starts.set(starts.subarray(0, length))
    this.ends.set(ends.subarray(0, length))
  }
}
