/** Eight groups as RFC 5952 and Go print them: the longest run of zero groups becomes `::`. `hex` has 32 digits. */
export function formatIpv6(hex: string): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number.parseInt(hex.slice(4 * index, 4 * index + 4), 16))
  let runStart = -1
  let runLength = 1
  for (let start = 0; start < 8; start++) {
    let end = start
    while (end < 8 && groups[end] === 0) end++
    if (end - start > runLength) {
      runStart = start
      runLength = end - start
    }
    start = Math.max(start, end)
  }
  const print = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return runStart < 0 ? print(0, 8) : `${print(0, runStart)}::${print(runStart + runLength, 8)}`
}

/** Eight hexadecimal digits as /proc/net prints an IPv4 address: the bytes in memory read as a little-endian number. */
export function formatIpv4(hex: string): string {
  const value = Number.parseInt(hex, 16)
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24].join('.')
}

/** Bits set in a netmask of eight hexadecimal digits. */
export function countMaskBits(hex: string): number {
  let bits = 0
  for (let value = Number.parseInt(hex, 16); value > 0; value = Math.floor(value / 2)) bits += value % 2
  return bits
}
