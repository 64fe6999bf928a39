const offsetBasis = 0xcbf29ce484222325n

/** FNV-1a, 64 bit, of `bytes[start, end)`; `previous` is the hash of what came before. */
export function fnv1a64(bytes: Uint8Array, start = 0, end = bytes.length, previous: bigint = offsetBasis): bigint {
  let low = Number(previous & 0xffffffffn)
  let high = Number(previous >> 32n)
  // The prime is 2^40 + 0x1b3. With h = high:low, h × prime = h × 0x1b3 + (low << 8) in the high word; products stay below 2^53.
  for (let i = start; i < end; i++) {
    low = (low ^ bytes[i]!) >>> 0
    const product = low * 0x1b3
    high = (high * 0x1b3 + (low << 8) + Math.floor(product / 0x1_0000_0000)) >>> 0
    low = product >>> 0
  }
  return (BigInt(high) << 32n) | BigInt(low)
}
