import { lossOfSum } from '../functions/kahan.ts'
import type { BucketList } from './bucket-list.ts'
import { spreadBuckets } from './bucket-list.ts'

/** Buckets that others are added to in place, with what rounding took of each. */
export class CompensatedBuckets {
  #indexes: Int32Array
  #sums: Float64Array
  #rests: Float64Array

  /** Both lists have the same buckets; they stay as they are. */
  constructor(sums: BucketList, rests?: BucketList) {
    this.#indexes = sums.indexes
    this.#sums = sums.counts.slice()
    this.#rests = rests?.counts.slice() ?? new Float64Array(sums.counts.length)
  }

  add(added: BucketList): void {
    if (added.counts.length === 0) return
    if (!this.#hasAll(added.indexes)) this.#makeRoomFor(added)
    const indexes = this.#indexes
    const sums = this.#sums
    const rests = this.#rests
    for (let i = 0, at = 0; i < added.indexes.length; i++, at++) {
      while (indexes[at] !== added.indexes[i]) at++
      const count = added.counts[i]!
      const total = sums[at]! + count
      rests[at] = total === Infinity || total === -Infinity ? 0 : rests[at]! + lossOfSum(sums[at]!, count, total)
      sums[at] = total
    }
  }

  #hasAll(wanted: Int32Array): boolean {
    const indexes = this.#indexes
    if (indexes === wanted) return true
    for (let i = 0, at = 0; i < wanted.length; i++, at++) {
      while (at < indexes.length && indexes[at]! < wanted[i]!) at++
      if (indexes[at] !== wanted[i]) return false
    }
    return true
  }

  #makeRoomFor(added: BucketList): void {
    const sums = spreadBuckets(this.sums, added)
    this.#rests = spreadBuckets(this.rests, added).counts
    this.#indexes = sums.indexes
    this.#sums = sums.counts
  }

  change(compute: (value: number) => number): void {
    this.#sums = this.#sums.map(compute)
    this.#rests = this.#rests.map(compute)
  }

  get hasOverflown(): boolean {
    return this.#sums.some((sum) => sum === Infinity || sum === -Infinity)
  }

  /** Valid until something is added. */
  get sums(): BucketList {
    return { indexes: this.#indexes, counts: this.#sums }
  }

  /** Valid until something is added. */
  get rests(): BucketList {
    return { indexes: this.#indexes, counts: this.#rests }
  }

  get total(): BucketList {
    const rests = this.#rests
    return { indexes: this.#indexes, counts: this.#sums.map((sum, i) => sum + rests[i]!) }
  }

  copy(): CompensatedBuckets {
    return new CompensatedBuckets(this.sums, this.rests)
  }
}
