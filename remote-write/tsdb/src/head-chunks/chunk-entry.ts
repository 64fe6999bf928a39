import { ByteReader } from '@narthex/bytes/byte-reader'
import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { checksumBytes, chunkBytesMax, chunkHeaderBytes, HeadChunkError, lengthBytesMax, outOfOrderBit } from './head-chunk-format.ts'
import type { HeadChunkMeta } from './head-chunk-format.ts'

/** A chunk with its data, which is a view that may be valid for a moment only. */
export interface HeadChunk extends HeadChunkMeta {
  readonly data: Uint8Array
}

export type NewHeadChunk = Omit<HeadChunk, 'file' | 'offset'>

/** Bytes that are enough to know how long any chunk is (`chunkEntryBytes`). */
export const entryStartBytes = chunkHeaderBytes + lengthBytesMax

export function putChunkEntry(writer: ByteWriter, chunk: NewHeadChunk): void {
  const start = writer.length
  putU64(writer, chunk.seriesRef)
  putU64(writer, chunk.minTimeMs)
  putU64(writer, chunk.maxTimeMs)
  writer.u8(chunk.encoding | (chunk.isOutOfOrder ? outOfOrderBit : 0))
  writer.uvarint(chunk.data.length)
  writer.raw(chunk.data)
  writer.u32be(crc32c(writer.bytes, start, writer.length))
}

/**
 * Bytes of the whole entry that begins at `start`, from its first ones (`entryStartBytes`, fewer at the end of the file); 0 if
 * zeros stand there: files of Prometheus are made longer than what is written.
 */
export function chunkEntryBytes(path: string, offset: number, bytes: Uint8Array, start: number, end: number): number {
  if (isZero(bytes, start, Math.min(end, start + chunkHeaderBytes - 1))) return 0
  const reader = new ByteReader(bytes, start, end)
  try {
    reader.skip(chunkHeaderBytes)
    const length = reader.uvarint()
    if (length > chunkBytesMax) throw new HeadChunkError(path, offset, `want at most ${chunkBytesMax} bytes of data, got ${length}`)
    return reader.offset - start + length + checksumBytes
  } catch (cause) {
    if (cause instanceof RangeError) throw new HeadChunkError(path, offset, 'the file ends within its header', { cause })
    throw cause
  }
}

/** The entry of `count` bytes at `start`; throws `HeadChunkError` if its checksum is another. */
export function readChunkEntry(path: string, file: number, offset: number, bytes: Uint8Array, start: number, count: number): HeadChunk {
  const reader = new ByteReader(bytes, start, start + count)
  const end = start + count - checksumBytes
  const seriesRef = reader.u64be()
  const minTimeMs = readTime(reader)
  const maxTimeMs = readTime(reader)
  const encoding = reader.u8()
  const data = reader.raw(reader.uvarint())
  const stored = reader.u32be()
  const checksum = crc32c(bytes, start, end)
  if (checksum !== stored) throw new HeadChunkError(path, offset, `want checksum ${stored}, got ${checksum}`)
  const isOutOfOrder = (encoding & outOfOrderBit) !== 0
  return { file, offset, seriesRef, minTimeMs, maxTimeMs, encoding: encoding & ~outOfOrderBit, isOutOfOrder, data }
}

/**
 * Encoding and data of the entry that is all of `bytes`, the data as a view: what queries ask for. Throws `HeadChunkError` if the entry has another
 * length, or its checksum is another; with `isChecked` that was looked at before.
 */
export function viewChunkData(path: string, offset: number, bytes: Uint8Array, isChecked = false): Pick<HeadChunk, 'encoding' | 'data'> {
  let at = chunkHeaderBytes
  let length = 0
  for (let factor = 1; at < bytes.length; factor *= 128) {
    const byte = bytes[at++]!
    length += (byte & 0x7f) * factor
    if (byte < 0x80 || at === entryStartBytes) break
  }
  const end = bytes.length - checksumBytes
  if (at + length !== end) {
    throw new HeadChunkError(path, offset, `want a chunk of ${bytes.length} bytes, got ${at + length + checksumBytes}`)
  }
  if (!isChecked) {
    const stored = ((bytes[end]! << 24) | (bytes[end + 1]! << 16) | (bytes[end + 2]! << 8) | bytes[end + 3]!) >>> 0
    const checksum = crc32c(bytes, 0, end)
    if (checksum !== stored) throw new HeadChunkError(path, offset, `want checksum ${stored}, got ${checksum}`)
  }
  return { encoding: bytes[chunkHeaderBytes - 1]! & ~outOfOrderBit, data: bytes.subarray(at, end) }
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

function putU64(writer: ByteWriter, value: number): void {
  writer.words64be(value >>> 0, Math.floor(value / 0x1_0000_0000))
}

function readTime(reader: ByteReader): number {
  reader.words64be()
  return (reader.high | 0) * 0x1_0000_0000 + reader.low
}
