import { gunzipSync } from 'node:zlib'
import type { Packing } from './unpack-pieces.ts'
import { unpackZstd } from './unpack-zstd.ts'
import { UnpackedTooLargeError } from './unpacked-too-large.ts'

const chunkBytes = 256 * 1024

/** The content of a body in memory of its own. Throws UnpackedTooLargeError beyond `bytesMax`, or the library's error for rubbish. */
export function unpackWhole(packing: Packing, packed: Uint8Array, bytesMax: number): Uint8Array {
  if (packing === 'zstd') return unpackZstd(packed, bytesMax)
  try {
    // zlib takes no limit of 0.
    const content = gunzipSync(packed, { chunkSize: Math.min(chunkBytes, Math.max(64, bytesMax)), maxOutputLength: Math.max(1, bytesMax) })
    if (content.length > bytesMax) throw new UnpackedTooLargeError(`want at most ${bytesMax} bytes, got ${content.length}`)
    return content
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new UnpackedTooLargeError(`want at most ${bytesMax} bytes, got more`, { cause: error })
    }
    throw error
  }
}
