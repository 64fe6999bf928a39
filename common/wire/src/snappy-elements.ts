/**
 * The elements of a snappy block, written by who knows what repeats: literals, and copies of what the block gave before. Any decoder of snappy takes
 * them, also copies from before a multiple of 64 KiB, which compressors do not make.
 */

/** A copy reaches back this far at most; the format has a longer one, of five bytes, which is not written here. */
export const copyDistanceMax = 65535

/** Bytes that a literal takes beside its own, at most. */
export const literalHeadBytesMax = 5
/** Bytes of one copy of up to 64, and of each 64 more. */
export const copyBytesMax = 3

/** Puts a copy of `length` bytes, nothing for none, from `distance` back (1 to `copyDistanceMax`) and returns the offset behind it. */
export function putCopy(bytes: Uint8Array, at: number, distance: number, length: number): number {
  if (length < 12 && length > 3 && distance < 2048) {
    // ┌ distance bits 8-10 · 3 ┬ length - 4 · 3 ┬ 01 ┐ distance bits 0-7
    bytes[at] = ((distance >>> 8) << 5) | ((length - 4) << 2) | 1
    bytes[at + 1] = distance
    return at + 2
  }
  let next = at
  let rest = length
  for (; rest > 64; rest -= 64) next = putLongCopy(bytes, next, distance, 64)
  return rest === 0 ? next : putLongCopy(bytes, next, distance, rest)
}

// ┌ length - 1 · 6 ┬ 10 ┐ distance 2
function putLongCopy(bytes: Uint8Array, at: number, distance: number, length: number): number {
  bytes[at] = ((length - 1) << 2) | 2
  bytes[at + 1] = distance
  bytes[at + 2] = distance >>> 8
  return at + 3
}

/** Puts what stands before a literal of `length` bytes, at least one, and returns the offset behind it, where they belong. */
export function putLiteralHead(bytes: Uint8Array, at: number, length: number): number {
  const code = length - 1
  if (code < 60) {
    bytes[at] = code << 2
    return at + 1
  }
  const lengthBytes = code < 0x100 ? 1 : code < 0x10000 ? 2 : code < 0x1000000 ? 3 : 4
  bytes[at] = (59 + lengthBytes) << 2
  for (let i = 0; i < lengthBytes; i++) bytes[at + 1 + i] = code >>> (8 * i)
  return at + 1 + lengthBytes
}
