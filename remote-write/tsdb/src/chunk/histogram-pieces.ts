import { wordMask, wordShift } from '../head/shared-arena.ts'
import type { SharedArena } from '../head/shared-arena.ts'
import { BitReader } from './bit-reader.ts'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { readHistograms } from './histogram-decoder.ts'
import { chunkKindMask, chunkMask, firstDataField, floatHistogramChunk, linkField, pieceWords } from './open-chunk.ts'
import { ChunkError } from './xor-decoder.ts'
import { sampleCountBytes } from './xor-chunk.ts'

let bytes = new Uint8Array(4096)

/**
 * Appends the first `samples` histograms of a chunk in shared memory with minTimeMs ≤ time ≤ maxTimeMs; stops at the first one later than
 * that. It may grow meanwhile: what stands behind those samples is not looked at.
 */
export function readHistogramPieces(
  arena: SharedArena,
  chunk: number,
  samples: number,
  minTimeMs: number,
  maxTimeMs: number,
  into: HistogramColumns,
): void {
  if (samples > 0xffff) throw new ChunkError(`cannot read histogram chunk: want at most 65535 samples, got ${samples}`)
  let length = sampleCountBytes
  bytes[0] = samples >>> 8
  bytes[1] = samples
  let window = arena.window(chunk >>> wordShift)
  let at = (chunk & chunkMask) + firstDataField
  for (;;) {
    if ((at & (pieceWords - 1)) === linkField) {
      const next = window[at]!
      if (next === 0) break
      window = arena.window(next >>> wordShift)
      at = next & wordMask
    }
    if (length + 4 > bytes.length) bytes = grown(bytes)
    const word = window[at++]!
    bytes[length] = word >>> 24
    bytes[length + 1] = word >>> 16
    bytes[length + 2] = word >>> 8
    bytes[length + 3] = word
    length += 4
  }
  readHistograms(new BitReader(bytes, 0, length), (chunk & chunkKindMask) === floatHistogramChunk, false, into, minTimeMs, maxTimeMs)
}

function grown(from: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(2 * from.length)
  larger.set(from)
  return larger
}
