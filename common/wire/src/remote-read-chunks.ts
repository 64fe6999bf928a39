import { crc32c } from '@narthex/bytes/crc32c'
import { readInside, readLabelMessage } from './label-messages.ts'
import { ProtobufCursor, WireError } from './protobuf-cursor.ts'

/** Longer frames are refused; Prometheus' client has the same bound. */
export const frameBytesMax = 50_000_000

export interface ReadChunk {
  /** Milliseconds, both ends included. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** 1 XOR, 2 histogram, 3 float histogram. */
  readonly encoding: number
  /** As in a chunk file, without length, encoding and checksum; a view of the bytes that are read. */
  readonly data: Uint8Array
}

/** Hears of each series of a frame: the number of its query, name, value, …, and the chunks that the frame has of it. */
export type ReadChunksVisitor = (queryIndex: number, labels: readonly string[], chunks: readonly ReadChunk[]) => void

/**
 * Reads the frames of a streamed answer to a remote read (FORMAT.md, "Remote read") and gives their number. Throws WireError, perhaps after some
 * frames were told.
 */
export function readChunkFrames(bytes: Uint8Array, visit: ReadChunksVisitor): number {
  const cursor = new ProtobufCursor()
  cursor.reset(bytes, 0, bytes.length)
  let frames = 0
  while (cursor.at < bytes.length) {
    cursor.end = bytes.length
    const length = cursor.varint()
    const start = cursor.at + 4
    if (length > frameBytesMax) throw new WireError(`cannot read frame ${frames}: want at most ${frameBytesMax} bytes, got ${length}`)
    if (start + length > bytes.length)
      throw new WireError(`cannot read frame ${frames}: want ${length} bytes, got ${Math.max(0, bytes.length - start)}`)
    const want = ((bytes[start - 4]! << 24) | (bytes[start - 3]! << 16) | (bytes[start - 2]! << 8) | bytes[start - 1]!) >>> 0
    const got = crc32c(bytes, start, start + length)
    if (got !== want) throw new WireError(`cannot read frame ${frames}: want checksum ${want}, got ${got}`)
    cursor.reset(bytes, start, start + length)
    readFrame(cursor, visit)
    frames++
  }
  return frames
}

interface FrameSeries {
  readonly labels: string[]
  readonly chunks: ReadChunk[]
}

function readFrame(cursor: ProtobufCursor, visit: ReadChunksVisitor): void {
  const found: FrameSeries[] = []
  let queryIndex = 0
  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    if (tag >>> 3 === 1) readInside(cursor, tag, () => found.push(readSeries(cursor)))
    else if (tag >>> 3 === 2) {
      cursor.expectWireType(tag, 0)
      queryIndex = cursor.int64()
    } else cursor.skip(tag)
  }
  for (const { labels, chunks } of found) visit(queryIndex, labels, chunks)
}

function readSeries(cursor: ProtobufCursor): FrameSeries {
  const series: FrameSeries = { labels: [], chunks: [] }
  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    if (tag >>> 3 === 1) readInside(cursor, tag, () => readLabelMessage(cursor, series.labels))
    else if (tag >>> 3 === 2) readInside(cursor, tag, () => series.chunks.push(readChunk(cursor)))
    else cursor.skip(tag)
  }
  return series
}

function readChunk(cursor: ProtobufCursor): ReadChunk {
  let minTimeMs = 0
  let maxTimeMs = 0
  let encoding = 0
  let data = new Uint8Array(0)
  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    const field = tag >>> 3
    if (field === 4) {
      cursor.expectWireType(tag, 2)
      const end = cursor.fieldEnd()
      data = cursor.bytes.subarray(cursor.at, end) as Uint8Array<ArrayBuffer>
      cursor.at = end
    } else if (field >= 1 && field <= 3) {
      cursor.expectWireType(tag, 0)
      if (field === 1) minTimeMs = cursor.int64()
      else if (field === 2) maxTimeMs = cursor.int64()
      else encoding = cursor.varint()
    } else cursor.skip(tag)
  }
  return { minTimeMs, maxTimeMs, encoding, data }
}
