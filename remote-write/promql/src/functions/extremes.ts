/** The lesser of two, as Go's math.Min: -Inf even beside NaN, -0 below 0. */
export function leastOf(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b)
}

/** The greater of two, as Go's math.Max: +Inf even beside NaN. */
export function greatestOf(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b)
}
