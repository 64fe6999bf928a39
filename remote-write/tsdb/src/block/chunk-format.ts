import { histogramStEncoding } from '../chunk/chunk-encoding.ts'

// Prometheus' chunk files. FORMAT.md, "Blocks".

export const chunkFileMagic = 0x85bd40dd
export const chunkFileVersion = 1
// ┌ magic 4 B ┬ version 1 B ┬ zeros 3 B ┐, then chunks: ┌ length of the data uvarint ┬ encoding 1 B ┬ data ┬ crc32c of encoding and data ┐
export const chunkFileHeaderBytes = 8
export const chunkFileBytesMax = 512 * 1024 * 1024
/** A longer chunk is taken for damage; a usual one has some 150 bytes. */
export const chunkBytesMax = 16 * 1024 * 1024
/** A reference is file number (the first is 0) × this + offset: below 2^53 as long as there are fewer than 2^21 files. */
export const chunkFileSpan = 2 ** 32

export function chunkFileName(index: number): string {
  return String(index + 1).padStart(6, '0')
}

/** Samples of a chunk by its first two bytes; 5 and 6 have their counter reset in the upper two bits of them. */
export function readChunkSampleCount(encoding: number, data: Uint8Array): number {
  const count = (data[0]! << 8) | data[1]!
  return encoding >= histogramStEncoding ? count & 0x3fff : count
}
