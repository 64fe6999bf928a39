import { ChunkPool } from './frame-chunk.ts'
import type { Chunk } from './frame-chunk.ts'
import { headerBytes } from './frame-header.ts'
import type { ScrapeBatch } from './frame.ts'
import { columnsOf, putSampleFrame, sampleFrameBytesMax } from './sample-frame.ts'
import type { FrameRef } from './sample-frame.ts'

const chunkBytes = 256 * 1024
const freeChunksMax = 2

/** The newest frames in memory, in their order and without a gap: senders that keep up never read the disk. */
export class FrameTail {
  #frames: FrameRef[] = []
  /** Frames before this place in `#frames` are gone. */
  #first = 0
  readonly #pool = new ChunkPool(chunkBytes, freeChunksMax)
  #chunk = this.#pool.take(chunkBytes)
  #used = 0
  /** Bytes of the frames held; the chunks around them add at most one chunk. */
  bytes = 0

  /** Encodes a batch as the next frame and holds it. */
  push(sequence: number, run: number, batch: ScrapeBatch): FrameRef {
    const wordBytes = batch.count * 8
    const room = sampleFrameBytesMax(batch) + 8 + wordBytes
    if (this.#used + room > this.#chunk.bytes.length) {
      // The tail's own hold on the chunk that it fills.
      this.#chunk.release()
      this.#chunk = this.#pool.take(room)
      this.#used = 0
    }
    const start = this.#used
    const end = putSampleFrame(this.#chunk.bytes, start, sequence, run, batch)
    const frame = frameOf(this.#chunk, start, end, sequence, run, batch)
    this.#used = end + bytesAround(frame)
    this.#frames.push(frame)
    this.bytes += end - start + bytesAround(frame)
    return frame
  }

  get firstSequence(): number {
    return this.#frames[this.#first]?.sequence ?? Infinity
  }

  get(sequence: number): FrameRef | undefined {
    const at = sequence - this.firstSequence
    return at >= 0 ? this.#frames[this.#first + at] : undefined
  }

  /** The oldest frame, no longer held; undefined if there is none. */
  shift(): FrameRef | undefined {
    const frame = this.#frames[this.#first]
    if (frame === undefined) return undefined
    this.#first++
    frame.chunk?.release()
    this.bytes -= frame.end - frame.start + headerBytes + bytesAround(frame)
    if (this.#first > 1024 && this.#first * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#first)
      this.#first = 0
    } else if (this.#first === this.#frames.length) {
      this.#frames = []
      this.#first = 0
    }
    return frame
  }
}

function frameOf(chunk: Chunk, start: number, end: number, sequence: number, run: number, batch: ScrapeBatch): FrameRef {
  const { times } = batch
  let minTimeMs = typeof times === 'number' ? times : Infinity
  let maxTimeMs = typeof times === 'number' ? times : -Infinity
  if (typeof times !== 'number') {
    for (let i = 0; i < batch.count; i++) {
      if (times[i]! < minTimeMs) minTimeMs = times[i]!
      if (times[i]! > maxTimeMs) maxTimeMs = times[i]!
    }
  }
  const { bytes } = chunk
  chunk.hold()
  const words = new Uint32Array(bytes.buffer, (end + 7) & ~7, 2 * batch.count)
  words.set(batch.words.length === words.length ? batch.words : batch.words.subarray(0, words.length))
  return {
    sequence,
    layout: batch.layout,
    run,
    count: batch.count,
    columns: columnsOf(batch),
    minTimeMs,
    maxTimeMs,
    bytes,
    start: start + headerBytes,
    end,
    words,
    chunk,
  }
}

/** What a frame takes behind its bytes: its values once more, and what lies before them so that they are aligned. */
function bytesAround({ end, words }: FrameRef): number {
  return words === undefined ? 0 : words.byteOffset + words.byteLength - end
}
