import type { LatePayloads } from './late-payloads.ts'

const firstCapacity = 256
const capacityKept = 16_384

/** The late samples between two commits. */
export interface LateBatch {
  readonly floats: LatePending
  /** The low word of each is the place of its payload. */
  readonly histograms: LatePending
  readonly payloads: Pick<LatePayloads, 'bytesOf' | 'endOf' | 'markOf'>
}

/** Those of one kind, in the order of their appends. */
export class LatePending {
  length = 0
  refs = new Uint32Array(firstCapacity)
  /** Places of their series' records. */
  records = new Uint32Array(firstCapacity)
  times = new Float64Array(firstCapacity)
  /** Values, two words each, low word first. */
  words = new Uint32Array(2 * firstCapacity)
  /** They were committed before, and are only moved: whoever follows the log has them. */
  isMoved = false

  add(ref: number, record: number, timeMs: number, lowWord: number, highWord: number): void {
    const at = this.length
    if (at === this.refs.length) this.#resize(2 * at)
    this.refs[at] = ref
    this.records[at] = record
    this.times[at] = timeMs
    this.words[2 * at] = lowWord
    this.words[2 * at + 1] = highWord
    this.length++
  }

  /** Empties; an unusually large buffer is given back. */
  clear(): void {
    this.length = 0
    this.isMoved = false
    if (this.refs.length > capacityKept) this.#resize(firstCapacity)
  }

  #resize(capacity: number): void {
    const { refs, records, times, words, length } = this
    this.refs = new Uint32Array(capacity)
    this.records = new Uint32Array(capacity)
    this.times = new Float64Array(capacity)
    this.words = new Uint32Array(2 * capacity)
    this.refs.set(refs.subarray(0, length))
    this.records.set(records.subarray(0, length))
    this.times.set(times.subarray(0, length))
    this.words.set(words.subarray(0, 2 * length))
  }
}
