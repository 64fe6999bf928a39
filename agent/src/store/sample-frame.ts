import { putUvarint } from '@narthex/wire/sample-field'
import { createHeader, hasIndexes, hasTimes, headerBytes, putHeader, sampleFrame } from './frame-header.ts'
import type { ScrapeBatch, SeriesLayout } from './frame.ts'
import { putValues, readValues, valueBytesMax } from './value-column.ts'

const header = createHeader()

/** One stored frame: where its columns lie, and what its header says. The bytes stay as they are. */
export interface FrameRef {
  readonly sequence: number
  readonly layout: SeriesLayout
  /** Differs between runs of the agent: order is promised within one run by target, and between runs by finishing the older first. */
  readonly run: number
  readonly count: number
  readonly columns: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** The payload is `bytes` at [start, end). */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** What the bytes lie in, when it is used again: who keeps the frame past the step in which it got it holds this, and lets go of it once. */
  readonly chunk?: FrameChunk
}

/** Memory of frames in the tail, used anew when nobody holds it. Who never lets go costs its reuse only: it is collected then. */
export interface FrameChunk {
  hold(): void
  release(): void
}

/** Thrown for a frame that passed its checksum and still cannot be read: a writer's bug or another version's file. */
export class FrameError extends Error {
  override name = 'FrameError'
}

/** Room that `putSampleFrame` needs. */
export function sampleFrameBytesMax(batch: ScrapeBatch): number {
  const perSample = valueBytesMax + (batch.indexes === undefined ? 0 : 5) + (typeof batch.times === 'number' ? 0 : 10)
  return headerBytes + batch.count * perSample
}

/** Writes a frame (FORMAT.md, "Sample frame") at `at` and returns the offset behind it. */
export function putSampleFrame(bytes: Uint8Array, at: number, sequence: number, run: number, batch: ScrapeBatch): number {
  const { indexes, times, words, count, layout } = batch
  header.kind = sampleFrame
  header.columns = (indexes === undefined ? 0 : hasIndexes) | (typeof times === 'number' ? 0 : hasTimes)
  header.count = count
  header.sequence = sequence
  header.layoutHigh = run
  header.layoutLow = layout.id
  let next = at + headerBytes
  if (indexes !== undefined) next = putIndexes(bytes, next, indexes, count)
  if (typeof times === 'number') {
    header.minTimeMs = times
    header.maxTimeMs = times
  } else next = putTimes(bytes, next, times, count)
  next = putValues(bytes, next, words, count)
  putHeader(bytes, at, next, header)
  return next
}

/** Indexes as zigzag differences: a scrape lists its series nearly in the layout's order. */
function putIndexes(bytes: Uint8Array, at: number, indexes: Uint32Array, count: number): number {
  let next = at
  let previous = -1
  for (let i = 0; i < count; i++) {
    const index = indexes[i]!
    const step = index - previous - 1
    previous = index
    next = putUvarint(bytes, next, step < 0 ? -step * 2 - 1 : step * 2)
  }
  return next
}

/** Times as distances from the smallest, which the header has. */
function putTimes(bytes: Uint8Array, at: number, times: Float64Array, count: number): number {
  let min = count > 0 ? times[0]! : 0
  let max = min
  for (let i = 1; i < count; i++) {
    const time = times[i]!
    if (time < min) min = time
    if (time > max) max = time
  }
  header.minTimeMs = min
  header.maxTimeMs = max
  let next = at
  for (let i = 0; i < count; i++) next = putUvarint(bytes, next, times[i]! - min)
  return next
}

/** The columns of a frame, decoded into arrays that are reused. */
export class FrameColumns {
  count = 0
  /** Valid if `hasIndexes`. */
  indexes: Uint32Array = new Uint32Array(1024)
  hasIndexes = false
  /** Valid if `hasTimes`; else all samples have `timeMs`. */
  times: Float64Array = new Float64Array(0)
  hasTimes = false
  timeMs = 0
  words: Uint32Array = new Uint32Array(2048)

  /** Throws `FrameError` if the columns are not as the header says. */
  read(frame: FrameRef): void {
    const { count, columns, bytes, end } = frame
    // Every sample takes at least one byte, so a frame cannot make us take memory that it does not stand for.
    if (count > end - frame.start)
      throw new FrameError(`cannot read frame ${frame.sequence}: want ${count} samples in ${end - frame.start} bytes`)
    this.count = count
    this.hasIndexes = (columns & hasIndexes) !== 0
    this.hasTimes = (columns & hasTimes) !== 0
    this.timeMs = frame.minTimeMs
    let at = frame.start
    if (this.hasIndexes) {
      if (this.indexes.length < count) this.indexes = new Uint32Array(roomFor(count))
      at = readIndexes(bytes, at, end, this.indexes, count, frame.layout.seriesCount)
    } else if (count > frame.layout.seriesCount) throw new FrameError(`cannot read frame ${frame.sequence}: more samples than series`)
    if (this.hasTimes && at >= 0) {
      if (this.times.length < count) this.times = new Float64Array(roomFor(count))
      at = readTimes(bytes, at, end, this.times, count, frame.minTimeMs)
    }
    if (this.words.length < 2 * count) this.words = new Uint32Array(2 * roomFor(count))
    if (at >= 0) at = readValues(bytes, at, end, this.words, count)
    if (at !== end) throw new FrameError(`cannot read frame ${frame.sequence}: its columns do not end where it does`)
  }
}

function roomFor(count: number): number {
  return Math.max(1024, count + (count >> 2))
}

function readIndexes(bytes: Uint8Array, at: number, end: number, indexes: Uint32Array, count: number, seriesCount: number): number {
  let previous = -1
  let next = at
  for (let i = 0; i < count; i++) {
    if (next >= end) return -1
    let code = bytes[next++]!
    if (code >= 0x80) {
      code &= 0x7f
      for (let unit = 128; ; unit *= 128) {
        if (next >= end || unit > 2 ** 35) return -1
        const byte = bytes[next++]!
        code += (byte & 0x7f) * unit
        if (byte < 0x80) break
      }
    }
    const index = previous + 1 + (code % 2 === 0 ? code / 2 : -(code + 1) / 2)
    if (index < 0 || index >= seriesCount) return -1
    indexes[i] = index
    previous = index
  }
  return next
}

function readTimes(bytes: Uint8Array, at: number, end: number, times: Float64Array, count: number, min: number): number {
  let next = at
  for (let i = 0; i < count; i++) {
    let distance = 0
    for (let unit = 1; ; unit *= 128) {
      if (next >= end || unit > 2 ** 49) return -1
      const byte = bytes[next++]!
      distance += (byte & 0x7f) * unit
      if (byte < 0x80) break
    }
    times[i] = min + distance
  }
  return next
}
