import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { putLabelFields } from './label-fields.ts'
import { putInt64 } from './sample-field.ts'

/**
 * Writes frames of `prometheus.ChunkedReadResponse` (FORMAT.md, "Remote read"): at most one series each, its labels again in each frame of it.
 * A frame is closed by the first chunk with which it has `frameBytesMax`, so it is longer by less than that chunk.
 */
export class ChunkFrameWriter {
  readonly #frameBytesMax: number
  readonly #out = new ByteWriter(64 * 1024)
  /** The `ChunkedSeries` message of the frame in the making; its labels stand in front. */
  readonly #series = new ByteWriter(16 * 1024)
  readonly #edge = new ByteWriter(32)
  #queryIndex = 0
  #labelBytes = 0
  #bytesLeftAtStart = 0
  #bytesLeft = 0

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  /** Begins a series, name, value, … sorted, of the answer to the query of that number. */
  openSeries(queryIndex: number, labels: readonly string[]): void {
    this.#queryIndex = queryIndex
    this.#series.reset()
    this.#bytesLeftAtStart = this.#frameBytesMax - putLabelFields(this.#series, labels)
    this.#labelBytes = this.#series.length
    this.#bytesLeft = this.#bytesLeftAtStart
  }

  /** Appends a chunk, times in ms; encoding and data as in a chunk file: 1 XOR, 2 histogram, 3 float histogram. */
  addChunk(minTimeMs: number, maxTimeMs: number, encoding: number, data: Uint8Array): void {
    if (this.#bytesLeft <= 0) this.closeSeries()
    const series = this.#series
    const head = this.#edge
    head.reset()
    putTime(head, 0x08, minTimeMs)
    putTime(head, 0x10, maxTimeMs)
    head.u8(0x18)
    head.u8(encoding)
    head.u8(0x22)
    head.uvarint(data.length)
    const chunkBytes = head.length + data.length
    series.u8(0x12)
    series.uvarint(chunkBytes)
    series.raw(head.bytes, 0, head.length)
    series.raw(data)
    this.#bytesLeft -= chunkBytes
  }

  /** Ends the frame in the making, and so the series; without chunks nothing is left of it. */
  closeSeries(): void {
    if (this.#series.length > this.#labelBytes) this.#closeFrame()
  }

  /** Bytes of whole frames that wait for `take`. */
  get length(): number {
    return this.#out.length
  }

  /** The whole frames so far; they are the caller's. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#out.view())
    this.#out.reset()
    return bytes
  }

  // ┌ length uvarint ┬ CRC32C of the message u32be ┬ message: 0a, length, series, 10, query index (nothing for 0) ┐
  #closeFrame(): void {
    const { length } = this.#series
    const { bytes } = this.#series
    const edge = this.#edge
    edge.reset()
    edge.u8(0x0a)
    edge.uvarint(length)
    const headBytes = edge.length
    if (this.#queryIndex !== 0) {
      edge.u8(0x10)
      edge.uvarint(this.#queryIndex)
    }
    const out = this.#out
    out.uvarint(edge.length + length)
    let checksum = crc32c(edge.bytes, 0, headBytes)
    checksum = crc32c(bytes, 0, length, checksum)
    checksum = crc32c(edge.bytes, headBytes, edge.length, checksum)
    out.u32be(checksum)
    out.raw(edge.bytes, 0, headBytes)
    out.raw(bytes, 0, length)
    out.raw(edge.bytes, headBytes, edge.length)
    this.#series.length = this.#labelBytes
    this.#bytesLeft = this.#bytesLeftAtStart
  }
}

function putTime(out: ByteWriter, tag: number, timeMs: number): void {
  if (timeMs === 0) return
  out.u8(tag)
  out.reserve(10)
  out.length = putInt64(out.bytes, out.length, timeMs)
}
