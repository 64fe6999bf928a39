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

/** Bytes that the payload of a packed frame has unpacked. Throws `FrameError` if it claims more than a payload may have. */
export function readUnpackedBytes(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start < 4 ? Infinity : new DataView(bytes.buffer, bytes.byteOffset + start, 4).getUint32(0, true)
  if (length > payloadBytesMax) throw new FrameError(`cannot unpack frame: want at most ${payloadBytesMax} bytes, got ${length}`)
  return length
}

/** Puts the payload of a packed frame, `length` bytes, at `at`. Throws `FrameError` for one that its checksum did not save. */
export function unpackPayload(bytes: Uint8Array, start: number, end: number, length: number, into: Uint8Array, at: number): void {
  try {
    // A chunk a little larger than the answer is the answer, without a copy. Above half of the pool's size it is memory of its own, which goes
    // back at once: the collector would let megabytes of it pile up.
    const chunkSize = Math.max(Buffer.poolSize / 2 + 1, length + 1)
    const unpacked = zstdDecompressSync(bytes.subarray(start + 4, end), { maxOutputLength: Math.max(1, length), chunkSize })
    if (unpacked.length !== length) throw new Error(`want ${length} bytes, got ${unpacked.length}`)
    into.set(unpacked, at)
    const { buffer } = unpacked
    if (buffer instanceof ArrayBuffer && buffer.byteLength === chunkSize) buffer.transfer(0)
  } catch (cause) {
    throw new FrameError('cannot unpack frame', { cause })
  }
}
