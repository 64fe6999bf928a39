const dot = 46

/** The number in `bytes[start, end)`: digits, perhaps with a dot in between (`12`, `0.005`); NaN for anything else, also `-` and nothing. */
export function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  let divisor = 0
  let digits = 0
  for (let offset = start; offset < end; offset++) {
    const byte = bytes[offset]!
    if (byte === dot && divisor === 0) divisor = 1
    else {
      const digit = byte - 48
      if (digit < 0 || digit > 9) return NaN
      value = value * 10 + digit
      divisor *= 10
      digits++
    }
  }
  // Exact: both are integers below 2^53, since NGINX prints seconds with three places.
  return digits === 0 || digits > 15 ? NaN : divisor > 1 ? value / divisor : value
}
