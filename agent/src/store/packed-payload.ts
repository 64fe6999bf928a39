import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib'
import { promisify } from 'node:util'
import { payloadBytesMax } from './frame-header.ts'
import { FrameError } from './sample-frame.ts'

const compress = promisify(zstdCompress)
// A window of 128 KiB is more than a frame has, and keeps the engine's memory small.
const options = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_windowLog]: 17 } }

/** A payload as it lies in a packed frame: ┌ bytes unpacked 4 ┬ zstd ┐; undefined when that is no shorter. */
export async function packPayload(payload: Uint8Array): Promise<Uint8Array | undefined> {
  const packed = await compress(payload, options)
  if (packed.length + 4 >= payload.length) return undefined
  const out = new Uint8Array(4 + packed.length)
  new DataView(out.buffer).setUint32(0, payload.length, true)
  out.set(packed, 4)
  return out
}

/** The payload of a packed frame, memory of its own. Throws `FrameError` for one that its checksum did not save. */
export function unpackPayload(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start < 4 ? Infinity : new DataView(bytes.buffer, bytes.byteOffset + start, 4).getUint32(0, true)
  if (length > payloadBytesMax) throw new FrameError(`cannot unpack frame: want at most ${payloadBytesMax} bytes, got ${length}`)
  try {
    // A chunk a little larger than the answer is the answer: one buffer of its size, instead of the engine's default and a copy.
    const unpacked = zstdDecompressSync(bytes.subarray(start + 4, end), {
      maxOutputLength: Math.max(1, length),
      chunkSize: Math.max(constants.Z_MIN_CHUNK, length + 1),
    })
    if (unpacked.length !== length) throw new Error(`want ${length} bytes, got ${unpacked.length}`)
    return unpacked
  } catch (cause) {
    throw new FrameError('cannot unpack frame', { cause })
  }
}
