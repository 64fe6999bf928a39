import type { SampleColumns } from '@narthex/model/sample-columns'
import { wordMask, wordShift, wordsPerWindow } from '../head/shared-arena.ts'
import type { SharedArena } from '../head/shared-arena.ts'
import { chunkKindMask, chunkMask, firstDataField, linkField, pieceWords } from './open-chunk.ts'
import { xorChunkModule } from './xor-chunk-module.ts'
import { ChunkError, XorDecoder } from './xor-decoder.ts'

export const sampleCountBytes = 2

/** Words of the chunk being decoded; what stands behind them is of others. */
let words = new Uint32Array(1024)
const decoder = new XorDecoder({ window: (index) => (index === 0 ? words : undefined) }, 0)

/**
 * Appends the samples of a Prometheus XOR chunk as it stands in a file, ┌ samples u16 ┬ bits ┐, with
 * minTimeMs ≤ time ≤ maxTimeMs, or those among its first `samples`. Throws `ChunkError` if the bits end before the samples do.
 */
export function decodeXorChunk(
  bytes: Uint8Array,
  into: SampleColumns,
  minTimeMs = -Infinity,
  maxTimeMs = Infinity,
  samples = Infinity,
): void {
  if (bytes.length < sampleCountBytes)
    throw new ChunkError(`cannot read chunk: want at least ${sampleCountBytes} bytes, got ${bytes.length}`)
  const count = Math.min(samples, (bytes[0]! << 8) | bytes[1]!)
  const dataBytes = bytes.length - sampleCountBytes
  if (xorChunkModule().decodeBytes(bytes, sampleCountBytes, count, minTimeMs, maxTimeMs, into)) return
  if (dataBytes > wordsPerWindow * 4) throw new ChunkError(`cannot read chunk: want at most ${wordsPerWindow * 4} bytes, got ${dataBytes}`)
  readWords(bytes, sampleCountBytes, dataBytes)
  const { length } = into
  decoder.decode(0, count, minTimeMs, maxTimeMs, into)
  // The last word may have been filled up with zeros, which are no samples.
  if (count > 0 && decoder.bitsSince(0) > dataBytes * 8) {
    into.length = length
    throw new ChunkError(`cannot read chunk: ${count} samples need more than ${bytes.length} bytes`)
  }
}

/** Into `words`, most significant first; the last one is filled up with zeros. */
function readWords(bytes: Uint8Array, start: number, byteCount: number): void {
  if (byteCount > 4 * words.length) words = new Uint32Array(Math.max(2 * words.length, (byteCount + 3) >>> 2))
  const whole = byteCount >>> 2
  for (let i = 0, at = start; i < whole; i++, at += 4) {
    words[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }
  if ((byteCount & 3) === 0) return
  words[whole] = 0
  for (let i = whole * 4; i < byteCount; i++) words[whole]! |= bytes[start + i]! << (24 - 8 * (i & 3))
}

/** The first `samples` samples of a chunk in shared memory, `byteCount` bytes in all, as they stand in a file. */
export function copyChunk(arena: SharedArena, chunk: number, samples: number, byteCount: number): Uint8Array {
  const bytes = new Uint8Array(byteCount)
  bytes[0] = samples >>> 8
  bytes[1] = samples
  let tail = ((chunk & ~chunkKindMask) >>> 0) + firstDataField
  let word = 0
  for (let i = sampleCountBytes, shift = 0; i < byteCount; i++, shift -= 8) {
    if (shift === 0) {
      if ((tail & (pieceWords - 1)) === linkField) tail = arena.window(tail >>> wordShift)[tail & wordMask]!
      word = arena.window(tail >>> wordShift)[tail & wordMask]!
      tail++
      shift = 32
    }
    bytes[i] = word >>> (shift - 8)
  }
  return bytes
}

/** Bytes of a closed chunk in shared memory with all of its last piece. */
export function measurePieces(arena: SharedArena, chunk: number): number {
  let words = linkField - firstDataField
  let link = (chunk & chunkMask) + linkField
  let window = arena.window(chunk >>> wordShift)
  for (let piece = window[link]!; piece !== 0; piece = window[link]!) {
    words += linkField
    window = arena.window(piece >>> wordShift)
    link = (piece & wordMask) + linkField
  }
  return sampleCountBytes + 4 * words
}
