/** How Go prints the zero time. */
export const zeroTimeText = '0001-01-01T00:00:00Z'

/** Milliseconds since the epoch as Go prints a UTC time (RFC 3339, no trailing zeros in the fraction); `undefined` is the zero time. */
export function formatGoTime(timeMs: number | undefined): string {
  if (timeMs === undefined) return zeroTimeText
  return new Date(timeMs).toISOString().replace(/\.?0*Z$/, 'Z')
}
