import type { ByteReader } from '@narthex/bytes/byte-reader'
import { putUvarint } from '@narthex/wire/sample-field'
import type { HistogramColumn } from './frame.ts'

/** Room that `putHistograms` needs. */
export function histogramColumnBytesMax({ count, offsets }: HistogramColumn): number {
  return 10 * count + offsets[count]! - offsets[0]!
}

/** Writes the histograms of a batch (FORMAT.md, "Histograms") and returns the offset behind them. */
export function putHistograms(bytes: Uint8Array, at: number, column: HistogramColumn): number {
  const { count, positions, offsets } = column
  let next = at
  let previous = -1
  for (let i = 0; i < count; i++) {
    next = putUvarint(bytes, next, positions[i]! - previous - 1)
    next = putUvarint(bytes, next, offsets[i + 1]! - offsets[i]!)
    previous = positions[i]!
  }
  bytes.set(column.bytes.subarray(offsets[0], offsets[count]), next)
  return next + offsets[count]! - offsets[0]!
}

/** The histograms of a frame, in arrays that are reused; the messages stay in the frame's bytes. */
export class FrameHistograms implements HistogramColumn {
  count = 0
  positions: Uint32Array = new Uint32Array(16)
  offsets: Uint32Array = new Uint32Array(17)
  bytes: Uint8Array = new Uint8Array(0)

  clear(): void {
    this.count = 0
  }

  /** Throws RangeError if the column is not one of `count` histograms of `sampleCount` samples. */
  read(reader: ByteReader, count: number, sampleCount: number): void {
    if (count > sampleCount) throw new RangeError(`cannot read histograms: want at most ${sampleCount}, got ${count}`)
    if (this.positions.length < count) {
      this.positions = new Uint32Array(count + (count >> 2))
      this.offsets = new Uint32Array(this.positions.length + 1)
    }
    const { positions, offsets } = this
    let position = -1
    let length = 0
    for (let i = 0; i < count; i++) {
      position += 1 + reader.uvarint()
      if (position >= sampleCount) throw new RangeError(`cannot read histogram ${i}: want a sample below ${sampleCount}, got ${position}`)
      positions[i] = position
      offsets[i] = length
      length += reader.uvarint()
      if (length > reader.remaining) throw new RangeError(`cannot read histogram ${i}: want ${length} bytes, got ${reader.remaining}`)
    }
    const start = reader.offset
    for (let i = 0; i < count; i++) offsets[i] = offsets[i]! + start
    offsets[count] = start + length
    reader.skip(length)
    this.bytes = reader.bytes
    this.count = count
  }
}
