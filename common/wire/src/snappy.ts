import { snappyCompressor } from 'hysnappy'
import { sharedCodec, WireCodec } from './wire-codec.ts'

// WebAssembly both ways: hysnappy compresses (1.0 against 0.6 GB/s in TypeScript at 1 MB), wire-codec.wat uncompresses.

/** Bodies above this are neither read nor written. */
export const bodyBytesMax = 32 * 1024 * 1024
/** The compressor's memory never shrinks: after a larger call it is thrown away, and made anew (0.1 ms) for the next one. */
const memoryBytesKept = 4 * 1024 * 1024

/** Thrown for bytes that are not one snappy block, or that declare more than the caller takes. */
export class SnappyError extends Error {
  override name = 'SnappyError'
}

/**
 * The uncompressed size that a block declares in its head (uvarint, 32 bits).
 * Trust it as a claim only: `uncompress` checks that the elements give just that many bytes.
 */
export function readDeclaredBytes(src: Uint8Array): number {
  let value = 0
  for (let i = 0, unit = 1; i < 5; i++, unit *= 128) {
    const byte = src[i]
    if (byte === undefined) break
    value += (byte & 0x7f) * unit
    if (byte < 0x80) {
      if (value > 0xffffffff) break
      return value
    }
  }
  throw new SnappyError('snappy: corrupt input')
}

let compressor: ReturnType<typeof snappyCompressor> | undefined

/**
 * The bytes of one snappy block (not the framed format). Throws `SnappyError` before any memory is taken if the block is
 * longer or declares more than `maxBytes`, and for corrupt input. The result is the caller's, in a buffer of its own.
 */
export function uncompress(src: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  const declared = readAllowedBytes(src, maxBytes)
  const shared = sharedCodec()
  const codec = isFree(shared, src, declared) ? shared : new WireCodec(src.length + declared)
  const at = uncompressInto(codec, src, declared)
  return codec.bytes.slice(at, at + declared)
}

/**
 * What `use` makes of the bytes of one snappy block, without a copy: they are valid until it returns. Throws as `uncompress` does, and what `use`
 * throws. Other blocks may be uncompressed inside `use`, which does its bytes no harm.
 */
export function useUncompressed<T>(src: Uint8Array, maxBytes: number, use: (bytes: Uint8Array) => T): T {
  const declared = readAllowedBytes(src, maxBytes)
  const codec = sharedCodec()
  if (!isFree(codec, src, declared)) return useCopy(uncompress(src, maxBytes), use)
  const at = uncompressInto(codec, src, declared)
  codec.isHeld = true
  try {
    return use(codec.bytes.subarray(at, at + declared))
  } finally {
    codec.isHeld = false
  }
}

/** Room of a `SnappyReader` for a block and what it uncompresses to. */
const readerRoomBytes = 1024 * 1024
/** Of a closed reader, for the next one: their memory takes a place in the address space that is large. */
let spareCodec: WireCodec | undefined

/** Uncompresses blocks one after the other into memory of its own, 1 MiB; larger ones into a buffer each. */
export class SnappyReader {
  #codec: WireCodec | undefined

  /** As `uncompress`, but the result is valid until the next call. */
  uncompress(src: Uint8Array, maxBytes: number): Uint8Array {
    const declared = readAllowedBytes(src, maxBytes)
    this.#codec ??= this.#takeCodec()
    if (!this.#codec.hasRoom(src.length, declared)) return uncompress(src, maxBytes)
    const at = uncompressInto(this.#codec, src, declared)
    return this.#codec.bytes.subarray(at, at + declared)
  }

  /** Its results are no longer valid. */
  close(): void {
    spareCodec = this.#codec ?? spareCodec
    this.#codec = undefined
  }

  #takeCodec(): WireCodec {
    const codec = spareCodec ?? new WireCodec(readerRoomBytes)
    spareCodec = undefined
    return codec
  }
}

/** Gives the buffer back afterwards: left to the collector, megabytes a request cost a full collection every few dozen requests. */
function useCopy<T>(bytes: Uint8Array<ArrayBuffer>, use: (bytes: Uint8Array) => T): T {
  try {
    return use(bytes)
  } finally {
    bytes.buffer.transfer(0)
  }
}

/** The declared size, checked against what the caller takes. */
function readAllowedBytes(src: Uint8Array, maxBytes: number): number {
  const limit = Math.min(maxBytes, bodyBytesMax)
  const declared = readDeclaredBytes(src)
  if (declared > limit) throw new SnappyError(`snappy: decoded block is too large: want at most ${limit} bytes, got ${declared}`)
  if (src.length > maxCompressedBytes(limit)) {
    throw new SnappyError(`snappy: block is too large: want at most ${maxCompressedBytes(limit)} bytes, got ${src.length}`)
  }
  return declared
}

function isFree(codec: WireCodec, src: Uint8Array, declared: number): boolean {
  return !codec.isHeld && codec.hasRoom(src.length, declared)
}

function uncompressInto(codec: WireCodec, src: Uint8Array, declared: number): number {
  let headBytes = 1
  while (src[headBytes - 1]! >= 0x80) headBytes++
  const at = codec.uncompress(src, headBytes, declared)
  if (at < 0) throw new SnappyError('snappy: corrupt input')
  return at
}

/** One snappy block with the bytes [start, end) of `src`, at most `bodyBytesMax`. The result is the caller's, in a buffer of its own. */
export function compress(src: Uint8Array, start = 0, end: number = src.length): Uint8Array<ArrayBuffer> {
  const length = end - start
  if (length > bodyBytesMax) throw new SnappyError(`snappy: cannot compress: want at most ${bodyBytesMax} bytes, got ${length}`)
  compressor ??= snappyCompressor()
  const block = compressor(start === 0 && end === src.length ? src : src.subarray(start, end))
  if (2 * length > memoryBytesKept) compressor = undefined
  // hysnappy copies it out of its memory into a buffer of its own.
  return block as Uint8Array<ArrayBuffer>
}

/** No block of `uncompressedBytes` is longer than this (all literals, plus head). */
export function maxCompressedBytes(uncompressedBytes: number): number {
  return 32 + uncompressedBytes + Math.floor(uncompressedBytes / 6)
}
