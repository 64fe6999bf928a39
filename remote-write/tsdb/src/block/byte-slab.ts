// One allocation per 64 KiB instead of one per chunk: a typed array with memory of its own costs ten times a view of a larger one.
const slabBytes = 64 * 1024
const slabCopyMax = 4 * 1024
let slab = new Uint8Array(0)
let used = 0

/** A copy of `bytes[start, end)`. Copies may share one ArrayBuffer, so theirs must not be transferred to another thread. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start
  if (length > slabCopyMax) return bytes.slice(start, end)
  if (used + length > slab.length) {
    slab = new Uint8Array(slabBytes)
    used = 0
  }
  const copy = slab.subarray(used, used + length)
  copy.set(bytes.subarray(start, end))
  used += length
  return copy
}
