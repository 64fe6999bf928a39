import { decodeUtf8 } from './scan.ts'

/** Longer texts are decoded each time; most HELP texts are shorter. */
export const cachedTextBytesMax = 128
/** Texts kept at most: with their bytes a little over 1 MB. */
const slotCount = 4096

// Each text may stand in one of two neighbouring slots.
const texts: string[] = Array.from({ length: slotCount }, () => '')
const lengths = new Uint8Array(slotCount)
const textBytes = new Uint8Array(slotCount * cachedTextBytesMax)
// Which of the two is overwritten next.
const victims = new Uint8Array(slotCount / 2)

/**
 * [start, end) as a string, like `decodeUtf8`; a short text that was asked for lately comes back as the same string. The targets of a job
 * share nearly all of their names, values and HELP texts; to look up a name takes a third of the time of decoding it, and leaves no garbage.
 */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start
  if (length <= 0 || length > cachedTextBytesMax) return decodeUtf8(bytes, start, end)
  const set = hashText(bytes, start, end) & (slotCount / 2 - 1)
  const slot = 2 * set
  if (hasText(slot, bytes, start, length)) return texts[slot]!
  if (hasText(slot + 1, bytes, start, length)) return texts[slot + 1]!
  return putText(slot + victims[set]!, bytes, start, end)
}

function putText(slot: number, bytes: Uint8Array, start: number, end: number): string {
  const text = decodeUtf8(bytes, start, end)
  const at = slot * cachedTextBytesMax
  for (let i = start; i < end; i++) textBytes[at + i - start] = bytes[i]!
  lengths[slot] = end - start
  texts[slot] = text
  victims[slot >> 1] = 1 - (slot & 1)
  return text
}

/** Of a long text only some 16 bytes count, and the last. */
function hashText(bytes: Uint8Array, start: number, end: number): number {
  const step = 1 + ((end - start) >> 4)
  let hash = Math.imul(end - start, 0x9e3779b1) ^ bytes[end - 1]!
  for (let i = start; i < end; i += step) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

function hasText(slot: number, bytes: Uint8Array, start: number, length: number): boolean {
  if (lengths[slot] !== length) return false
  const at = slot * cachedTextBytesMax
  let i = 0
  while (i < length && textBytes[at + i] === bytes[start + i]) i++
  return i === length
}
