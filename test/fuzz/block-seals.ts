import { crc32c } from '@narthex/bytes/crc32c'

// Makes the checksums of a mutated file right again, as far as its sections can still be found.

const tocBytes = 52
const crcBytes = 4
const sectionOffsets = 6

/** Symbols, series, postings, table of postings and table of contents. */
export function resealIndex(bytes: Uint8Array): Uint8Array {
  const sealed = Uint8Array.from(bytes)
  const toc = sealed.length - tocBytes
  if (toc < 5) return sealed
  const view = new DataView(sealed.buffer)
  const offsets = Array.from({ length: sectionOffsets }, (_, i) => Number(view.getBigUint64(toc + 8 * i)))
  const [symbols, series, afterSeries, , postings, table] = offsets as [number, number, number, number, number, number]
  sealRange(sealed, toc, sealed.length - crcBytes)
  for (const start of [symbols, table]) sealSection(sealed, start)
  for (let at = Math.ceil(series / 16) * 16; at < Math.min(afterSeries, toc);) {
    const [length, start] = readUvarint(sealed, at)
    sealRange(sealed, start, start + length)
    at = Math.ceil((start + length + crcBytes) / 16) * 16
  }
  for (let at = Math.ceil(postings / 4) * 4; at + 4 <= Math.min(table, toc);) at = Math.ceil(sealSection(sealed, at) / 4) * 4
  return sealed
}

/** ┌ header 8 B ┬ (length uvarint ┬ encoding ┬ data ┬ crc32c)* ┐ */
export function resealChunks(bytes: Uint8Array): Uint8Array {
  const sealed = Uint8Array.from(bytes)
  for (let at = 8; at < sealed.length;) {
    const [length, start] = readUvarint(sealed, at)
    sealRange(sealed, start, start + 1 + length)
    at = start + 1 + length + crcBytes
  }
  return sealed
}

/** The checksum is that of the stones. */
export function resealTombstones(bytes: Uint8Array): Uint8Array {
  const sealed = Uint8Array.from(bytes)
  sealRange(sealed, 5, sealed.length - crcBytes)
  return sealed
}

/** ┌ length u32 ┬ content ┬ crc32c ┐; gives where it ends. */
function sealSection(bytes: Uint8Array, at: number): number {
  if (!(at >= 0 && at + 4 <= bytes.length)) return Infinity
  const length = new DataView(bytes.buffer).getUint32(at)
  sealRange(bytes, at + 4, at + 4 + length)
  return at + 4 + length + crcBytes
}

function sealRange(bytes: Uint8Array, start: number, end: number): void {
  if (start >= 0 && start <= end && end + crcBytes <= bytes.length) new DataView(bytes.buffer).setUint32(end, crc32c(bytes, start, end))
}

function readUvarint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i] ?? 0
    value += (byte & 0x7f) * 128 ** i
    if (byte < 0x80) return [value, at + i + 1]
  }
  return [value, at + 5]
}
