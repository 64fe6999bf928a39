// Classic histograms: cumulative counts by upper bound.

/** Counts of one histogram at one step, sorted by `bounds`; the first `length` places count. */
export interface Buckets {
  readonly bounds: Float64Array
  readonly counts: Float64Array
  length: number
}

/** What had to be repaired before a quantile could be computed. */
export interface BucketRepair {
  forcedMonotonic: boolean
  /** Bounds of the first and last bucket that fell, and the largest fall. */
  minBound: number
  maxBound: number
  maxFall: number
}

/** Falls of a count that are taken for rounding, relative. */
const smallDelta = 1e-12

/** Sorts by bound and adds up buckets of the same bound. */
export function sortBuckets(buckets: Buckets): void {
  const { bounds, counts, length } = buckets
  let sorted = 1
  while (sorted < length && bounds[sorted - 1]! < bounds[sorted]!) sorted++
  if (sorted >= length) return
  const order = Array.from({ length }, (_, i) => i).sort((a, b) => bounds[a]! - bounds[b]! || 0)
  const sortedBounds = order.map((i) => bounds[i]!)
  const sortedCounts = order.map((i) => counts[i]!)
  let kept = -1
  for (let i = 0; i < length; i++) {
    if (kept >= 0 && sortedBounds[i] === bounds[kept]) {
      counts[kept]! += sortedCounts[i]!
      continue
    }
    kept++
    bounds[kept] = sortedBounds[i]!
    counts[kept] = sortedCounts[i]!
  }
  buckets.length = kept + 1
}

/** φ-quantile of sorted buckets, by linear interpolation inside a bucket. Changes the counts: they are made monotonic. */
export function quantileOfBuckets(quantile: number, buckets: Buckets, repair: BucketRepair): number {
  repair.forcedMonotonic = false
  const { bounds, counts, length } = buckets
  if (Number.isNaN(quantile)) return NaN
  if (quantile < 0) return -Infinity
  if (quantile > 1) return Infinity
  if (bounds[length - 1] !== Infinity) return NaN
  makeMonotonic(buckets, repair)
  if (length < 2) return NaN
  const observations = counts[length - 1]!
  if (observations === 0) return NaN
  let rank = quantile * observations
  const at = findRank(rank, counts, length - 1)
  if (at === length - 1) return bounds[length - 2]!
  if (at === 0 && bounds[0]! <= 0) return bounds[0]!
  let start = 0
  let count = counts[at]!
  if (at > 0) {
    start = bounds[at - 1]!
    count -= counts[at - 1]!
    rank -= counts[at - 1]!
  }
  return start + (bounds[at]! - start) * (rank / count)
}

/** The first of `length` ascending counts that is at least `rank`. A NaN among them is less, as in Go's sort.Search. */
function findRank(rank: number, counts: Float64Array, length: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >> 1
    if (counts[middle]! >= rank) high = middle
    else low = middle + 1
  }
  return low
}

function makeMonotonic({ bounds, counts, length }: Buckets, repair: BucketRepair): void {
  let previous = counts[0]!
  for (let i = 1; i < length; i++) {
    const current = counts[i]!
    if (current === previous) continue
    if (isAlmostEqual(previous, current)) counts[i] = previous
    else if (current < previous) {
      if (!repair.forcedMonotonic) {
        repair.forcedMonotonic = true
        repair.minBound = bounds[i]!
        repair.maxFall = 0
      }
      repair.maxBound = bounds[i]!
      repair.maxFall = Math.max(repair.maxFall, previous - current)
      counts[i] = previous
    } else previous = current
  }
}

function isAlmostEqual(a: number, b: number): boolean {
  const sum = Math.abs(a) + Math.abs(b)
  const difference = Math.abs(a - b)
  if (a === 0 || b === 0 || sum < 2 ** -1022) return difference < smallDelta * 2 ** -1022
  return difference / Math.min(sum, Number.MAX_VALUE) < smallDelta
}

/** Share of observations between two values, of sorted buckets. */
export function fractionOfBuckets(lower: number, upper: number, { bounds, counts, length }: Buckets): number {
  if (bounds[length - 1] !== Infinity) return NaN
  const total = counts[length - 1]!
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN
  if (lower >= upper) return 0
  const lowerRank = rankOfValue(lower, bounds, counts, length)
  const upperRank = rankOfValue(upper, bounds, counts, length)
  return (Math.min(upperRank, total) - Math.min(lowerRank, total)) / total
}

/** How many observations lie below a value. */
function rankOfValue(value: number, bounds: Float64Array, counts: Float64Array, length: number): number {
  let rank = 0
  for (let i = 0; i < length; i++) {
    // The lowest bucket is taken to begin at zero, unless it holds negative values.
    const start = i > 0 ? bounds[i - 1]! : bounds[0]! > 0 ? 0 : -Infinity
    const end = bounds[i]!
    if (start >= value) return rank
    if (end > value) {
      if (start === -Infinity) return counts[i]!
      return rank + (counts[i]! - rank) * ((value - start) / (end - start))
    }
    rank = counts[i]!
  }
  return rank
}
