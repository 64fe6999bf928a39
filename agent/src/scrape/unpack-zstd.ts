import { constants, zstdDecompressSync } from 'node:zlib'
import { UnpackedTooLargeError } from './unpacked-too-large.ts'

/** RFC 9659's bound for zstd as a content encoding, 8 MiB: a frame may name any window, and unpacking takes memory for it. */
export const zstdWindowLogMax = 23

/**
 * The content of all zstd frames of an answer. Throws UnpackedTooLargeError, or zstd's error for rubbish. No engine is kept as for gzip: one
 * that is reset forgets its bound of the window.
 */
export function unpackZstd(packed: Uint8Array, bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = []
  let bytes = 0
  for (let at = 0; at < packed.length;) {
    const { content, packedBytes } = unpackFrame(packed.subarray(at), bytesMax - bytes)
    parts.push(content)
    bytes += content.length
    at += packedBytes
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function unpackFrame(packed: Uint8Array, bytesMax: number): { content: Uint8Array; packedBytes: number } {
  // Node takes no limit of 0.
  const options = { params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLogMax }, maxOutputLength: Math.max(1, bytesMax), info: true }
  try {
    const result: unknown = zstdDecompressSync(packed, options)
    const content: unknown = Reflect.get(result as object, 'buffer')
    const packedBytes: unknown = Reflect.get(Reflect.get(result as object, 'engine') as object, 'bytesWritten')
    if (!(content instanceof Uint8Array) || typeof packedBytes !== 'number' || packedBytes < 1) throw new Error('zstd is not as expected')
    if (content.length > bytesMax) throw new UnpackedTooLargeError(`want at most ${bytesMax} bytes, got ${content.length}`)
    return { content, packedBytes }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new UnpackedTooLargeError(`want at most ${bytesMax} bytes, got more`, { cause: error })
    }
    throw error
  }
}
