import { lossOfSum } from '../functions/kahan.ts'

/** Buckets of one sign by their index, ascending. Lists of one layout often share their `indexes`; nothing here is changed once made. */
export interface BucketList {
  readonly indexes: Int32Array
  /** Observations in each bucket itself. */
  readonly counts: Float64Array
}

export const noBuckets: BucketList = { indexes: new Int32Array(0), counts: new Float64Array(0) }

/** Every count changed by `compute`. */
export function mapCounts(list: BucketList, compute: (count: number) => number): BucketList {
  return list.counts.length === 0 ? list : { indexes: list.indexes, counts: list.counts.map(compute) }
}

/** Without the empty buckets. */
export function compactBuckets(list: BucketList): BucketList {
  const { indexes, counts } = list
  let kept = 0
  for (let i = 0; i < counts.length; i++) if (counts[i] !== 0) kept++
  if (kept === counts.length) return list
  if (kept === 0) return noBuckets
  const result = { indexes: new Int32Array(kept), counts: new Float64Array(kept) }
  kept = 0
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue
    result.indexes[kept] = indexes[i]!
    result.counts[kept++] = counts[i]!
  }
  return result
}

/**
 * Buckets under the indexes that `indexOf` gives, which may not fall; those of the same index become one. `indexOf` must not depend on the
 * counts, so that two lists with the same indexes stay alike. What rounding takes from each new bucket is added to `losses`, as long as the old list.
 */
export function reindexBuckets({ indexes, counts }: BucketList, indexOf: (index: number) => number, losses?: Float64Array): BucketList {
  const newIndexes = new Int32Array(indexes.length)
  const newCounts = new Float64Array(indexes.length)
  let length = 0
  for (let i = 0; i < indexes.length; i++) {
    const index = indexOf(indexes[i]!)
    if (length === 0 || newIndexes[length - 1] !== index) {
      newIndexes[length] = index
      newCounts[length++] = counts[i]!
      continue
    }
    const at = length - 1
    const total = newCounts[at]! + counts[i]!
    if (losses !== undefined) losses[at]! += lossOfSum(newCounts[at]!, counts[i]!, total)
    newCounts[at] = total
  }
  return { indexes: newIndexes.slice(0, length), counts: newCounts.slice(0, length) }
}

/** Without the first `count` buckets. */
export function dropFirst({ indexes, counts }: BucketList, count: number): BucketList {
  return { indexes: indexes.subarray(count), counts: counts.subarray(count) }
}

export function haveSameIndexes(a: BucketList, b: BucketList): boolean {
  const [x, y] = [a.indexes, b.indexes]
  if (x === y) return true
  if (x.length !== y.length) return false
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}

/** The same buckets, and empty ones for those of `other` that it lacks. */
export function spreadBuckets(list: BucketList, other: BucketList): BucketList {
  if (haveSameIndexes(list, other)) return list
  const indexes = uniteIndexes(list.indexes, other.indexes)
  const counts = new Float64Array(indexes.length)
  let at = 0
  for (let i = 0; i < list.indexes.length; i++) {
    while (indexes[at] !== list.indexes[i]) at++
    counts[at] = list.counts[i]!
  }
  return { indexes, counts }
}

function uniteIndexes(a: Int32Array, b: Int32Array): Int32Array {
  const union = new Int32Array(a.length + b.length)
  let length = 0
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = i < a.length ? a[i]! : Infinity
    const right = j < b.length ? b[j]! : Infinity
    if (left <= right) i++
    if (right <= left) j++
    union[length++] = Math.min(left, right)
  }
  return union.slice(0, length)
}

/** `a` plus `factor` times `b`. */
export function addBuckets(a: BucketList, b: BucketList, factor: 1 | -1): BucketList {
  if (b.counts.length === 0) return a
  const left = spreadBuckets(a, b)
  const right = spreadBuckets(b, a)
  const counts = new Float64Array(left.counts.length)
  for (let i = 0; i < counts.length; i++) counts[i] = left.counts[i]! + factor * right.counts[i]!
  return { indexes: left.indexes, counts }
}

/** Runs of neighbouring indexes. */
export function countSpans({ indexes }: BucketList): number {
  let spans = 0
  for (let i = 0; i < indexes.length; i++) if (i === 0 || indexes[i] !== indexes[i - 1]! + 1) spans++
  return spans
}
