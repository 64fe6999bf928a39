/** φ-quantile by linear interpolation; values sorted, NaN first. Out of [0, 1]: ∓Inf; NaN without values. */
export function quantileOfSorted(quantile: number, sorted: Float64Array): number {
  if (sorted.length === 0 || Number.isNaN(quantile)) return NaN
  if (quantile < 0) return -Infinity
  if (quantile > 1) return Infinity
  const { lower, upper, weight } = placesOf(quantile, sorted.length)
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight
}

/** `quantileOfSorted` of values in any order, none of them NaN; puts them into another one. */
export function quantileOfAny(quantile: number, values: Float64Array): number {
  if (values.length === 0 || !(quantile >= 0 && quantile <= 1)) return quantileOfSorted(quantile, values)
  const { lower, upper, weight } = placesOf(quantile, values.length)
  select(values, lower)
  let above = values[lower]!
  if (upper > lower) {
    above = values[upper]!
    for (let i = upper + 1; i < values.length; i++) if (values[i]! < above) above = values[i]!
  }
  return values[lower]! * (1 - weight) + above * weight
}

function placesOf(quantile: number, count: number): { lower: number; upper: number; weight: number } {
  const last = count - 1
  const rank = quantile * last
  const lower = Math.max(0, Math.floor(rank))
  return { lower, upper: Math.min(last, lower + 1), weight: rank - Math.floor(rank) }
}

/** Puts the value to its place that has it in the order of all; none before it is greater, none behind it less. */
function select(values: Float64Array, place: number): void {
  let left = 0
  let right = values.length - 1
  // Values that were laid out to be slow are sorted.
  for (let roundsLeft = 2 * (32 - Math.clz32(values.length)); left < right; roundsLeft--) {
    if (roundsLeft === 0) {
      values.subarray(left, right + 1).sort()
      return
    }
    const pivot = values[(left + right) >>> 1]!
    let i = left
    let j = right
    do {
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
      if (i <= j) {
        const value = values[i]!
        values[i] = values[j]!
        values[j] = value
        i++
        j--
      }
    } while (i <= j)
    if (place <= j) right = j
    else if (place >= i) left = i
    else return
  }
}
