/** φ-quantile by linear interpolation; values sorted, NaN first. Out of [0, 1]: ∓Inf; NaN without values. */
export function quantileOfSorted(quantile: number, sorted: Float64Array): number {
  if (sorted.length === 0 || Number.isNaN(quantile)) return NaN
  if (quantile < 0) return -Infinity
  if (quantile > 1) return Infinity
  const last = sorted.length - 1
  const rank = quantile * last
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(last, lower + 1)
  const weight = rank - Math.floor(rank)
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight
}
