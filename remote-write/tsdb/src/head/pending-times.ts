import * as pendingField from './pending-samples.ts'
import type { PendingSamples } from './pending-samples.ts'

/**
 * Finds samples of the running batch by series and time. Made only when a late sample asks: then each sample of the batch costs once some 100 ns
 * more.
 */
export class PendingTimes {
  /** By series: places in the batch, in their order. */
  readonly #places = new Map<number, number[]>()
  #noted = 0

  /** The place of a sample in the batch, -1 if there is none of this series and time. */
  find(pending: PendingSamples, ref: number, timeMs: number): number {
    for (; this.#noted < pending.length; this.#noted++) {
      const each = pending.words[this.#noted * pendingField.pendingWords + pendingField.pendingRef]!
      const places = this.#places.get(each)
      if (places === undefined) this.#places.set(each, [this.#noted])
      else places.push(this.#noted)
    }
    for (const place of this.#places.get(ref) ?? []) {
      if (pending.doubles[place * pendingField.pendingDoubles + pendingField.pendingTime] === timeMs) return place
    }
    return -1
  }

  /** The batch is over. */
  clear(): void {
    if (this.#noted === 0) return
    this.#places.clear()
    this.#noted = 0
  }
}
