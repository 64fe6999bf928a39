const tolerance = 0.000001
const smallestNormal = 2 ** -1022

/** Equal within a relative 1e-6; all NaNs are equal. */
export function isClose(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  const difference = Math.abs(a - b)
  const magnitude = Math.abs(a) + Math.abs(b)
  if (a === 0 || b === 0 || magnitude < smallestNormal) return difference < tolerance * smallestNormal
  return difference / Math.min(magnitude, Number.MAX_VALUE) < tolerance
}
