import type { ByteReader } from '@narthex/bytes/byte-reader'
import { putUvarint } from '@narthex/wire/sample-field'
import type { ExemplarColumn } from './frame.ts'
import { putValues, readValues, valueBytesMax } from './value-column.ts'

/** Room that `putExemplars` needs. */
export function exemplarColumnBytesMax({ count, offsets }: ExemplarColumn): number {
  return (valueBytesMax + 20) * count + offsets[count]! - offsets[0]!
}

/** Writes the exemplars of a batch (FORMAT.md, "Exemplars") and returns the offset behind them; times count from `baseMs`. */
export function putExemplars(bytes: Uint8Array, at: number, column: ExemplarColumn, baseMs: number): number {
  const { count, positions, offsets, times } = column
  let next = at
  let previous = 0
  for (let i = 0; i < count; i++) {
    const distance = times[i]! - baseMs
    next = putUvarint(bytes, next, positions[i]! - previous)
    next = putUvarint(bytes, next, distance < 0 ? -distance * 2 - 1 : distance * 2)
    next = putUvarint(bytes, next, offsets[i + 1]! - offsets[i]!)
    previous = positions[i]!
  }
  next = putValues(bytes, next, column.words, count)
  bytes.set(column.bytes.subarray(offsets[0], offsets[count]), next)
  return next + offsets[count]! - offsets[0]!
}

/** The exemplars of a frame, in arrays that are reused; the labels stay in the frame's bytes. */
export class FrameExemplars implements ExemplarColumn {
  count = 0
  positions: Uint32Array = new Uint32Array(16)
  words: Uint32Array = new Uint32Array(32)
  times: Float64Array = new Float64Array(16)
  offsets: Uint32Array = new Uint32Array(17)
  bytes: Uint8Array = new Uint8Array(0)

  clear(): void {
    this.count = 0
  }

  /** Throws RangeError if the column is not one of `count` exemplars of `sampleCount` samples. */
  read(reader: ByteReader, count: number, sampleCount: number, baseMs: number): void {
    // Each takes at least four bytes, so a frame cannot make us take memory that it does not stand for.
    if (count * 4 > reader.remaining)
      throw new RangeError(`cannot read ${count} exemplars: want ${count * 4} bytes, got ${reader.remaining}`)
    this.#reserve(count)
    const { positions, times, offsets } = this
    let position = 0
    let length = 0
    for (let i = 0; i < count; i++) {
      position += reader.uvarint()
      if (position >= sampleCount) throw new RangeError(`cannot read exemplar ${i}: want a sample below ${sampleCount}, got ${position}`)
      const code = reader.uvarint()
      positions[i] = position
      times[i] = baseMs + (code % 2 === 0 ? code / 2 : -(code + 1) / 2)
      offsets[i] = length
      length += reader.uvarint()
      if (length > reader.remaining) throw new RangeError(`cannot read exemplar ${i}: want ${length} bytes, got ${reader.remaining}`)
    }
    const start = readValues(reader.bytes, reader.offset, reader.end, this.words, count)
    if (start < 0) throw new RangeError(`cannot read the values of ${count} exemplars`)
    reader.offset = start
    for (let i = 0; i < count; i++) {
      offsets[i] = reader.offset
      checkLabels(reader, i + 1 < count ? start + offsets[i + 1]! : start + length)
    }
    offsets[count] = start + length
    this.bytes = reader.bytes
    this.count = count
  }

  #reserve(count: number): void {
    if (this.positions.length >= count) return
    const room = count + (count >> 2)
    this.positions = new Uint32Array(room)
    this.words = new Uint32Array(2 * room)
    this.times = new Float64Array(room)
    this.offsets = new Uint32Array(room + 1)
  }
}

/** Steps over the labels of one exemplar, which are pairs of texts up to `end`. */
function checkLabels(reader: ByteReader, end: number): void {
  let texts = 0
  for (; reader.offset < end; texts++) reader.skip(reader.uvarint())
  if (reader.offset !== end || texts % 2 === 1) throw new RangeError(`cannot read exemplar labels: want pairs up to offset ${end}`)
}
