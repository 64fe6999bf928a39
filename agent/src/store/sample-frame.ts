import { ByteReader } from '@narthex/bytes/byte-reader'
import { putUvarint } from '@narthex/wire/sample-field'
import { exemplarColumnBytesMax, FrameExemplars, putExemplars } from './exemplar-column.ts'
import {
  createHeader,
  hasExemplars,
  hasHistograms,
  hasIndexes,
  hasStartTimes,
  hasTimes,
  headerBytes,
  putHeader,
  sampleFrame,
} from './frame-header.ts'
import type { ExemplarColumn, HistogramColumn, ScrapeBatch, SeriesLayout } from './frame.ts'
import { FrameHistograms, histogramColumnBytesMax, putHistograms } from './histogram-column.ts'
import { putStartTimes, readStartTimes, startTimeBytesMax } from './start-time-column.ts'
import { putValues, readValues, valueBytesMax } from './value-column.ts'

const header = createHeader()
const countBytesMax = 5
const rareColumns = hasStartTimes | hasHistograms | hasExemplars
const knownColumns = hasIndexes | hasTimes | rareColumns

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
  /** The values as they were appended, while the frame is in memory: who sends it at once need not decode them. */
  readonly words?: Uint32Array
  /** The columns themselves, of a frame that never was bytes: `bytes` and `columns` say nothing then. Nobody writes to them any more. */
  readonly batch?: ScrapeBatch
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
  const { startTimes, histograms, exemplars } = batch
  let rareBytes = startTimes === undefined ? 0 : batch.count * startTimeBytesMax
  if (histograms !== undefined) rareBytes += countBytesMax + histogramColumnBytesMax(histograms)
  if (exemplars !== undefined) rareBytes += countBytesMax + exemplarColumnBytesMax(exemplars)
  return headerBytes + batch.count * perSample + rareBytes
}

/** The columns that the frame of a batch has, as the header says them. */
export function columnsOf({ indexes, times, startTimes, histograms, exemplars }: ScrapeBatch): number {
  const always = (indexes === undefined ? 0 : hasIndexes) | (typeof times === 'number' ? 0 : hasTimes)
  if (startTimes === undefined && histograms === undefined && exemplars === undefined) return always
  const hasSome = (histograms?.count ?? 0) > 0 ? hasHistograms : 0
  return always | hasSome | (startTimes === undefined ? 0 : hasStartTimes) | ((exemplars?.count ?? 0) > 0 ? hasExemplars : 0)
}

/** Writes a frame (FORMAT.md, "Sample frame") at `at` and returns the offset behind it. */
export function putSampleFrame(bytes: Uint8Array, at: number, sequence: number, run: number, batch: ScrapeBatch): number {
  const { indexes, times, words, count, layout } = batch
  header.kind = sampleFrame
  header.columns = columnsOf(batch)
  header.count = count
  header.sequence = sequence
  header.layoutHigh = run
  header.layoutLow = layout.id
  let next = at + headerBytes
  if ((header.columns & rareColumns) !== 0) next = putCounts(bytes, next, batch)
  if (indexes !== undefined) next = putIndexes(bytes, next, indexes, count)
  if (typeof times === 'number') {
    header.minTimeMs = times
    header.maxTimeMs = times
  } else next = putTimes(bytes, next, times, count)
  next = putValues(bytes, next, words, count)
  if ((header.columns & rareColumns) !== 0) next = putRareColumns(bytes, next, batch)
  putHeader(bytes, at, next, header)
  return next
}

/** Before all columns, so that `countRare` need not read them. */
function putCounts(bytes: Uint8Array, at: number, { histograms, exemplars }: ScrapeBatch): number {
  let next = at
  if ((header.columns & hasHistograms) !== 0) next = putUvarint(bytes, next, histograms!.count)
  if ((header.columns & hasExemplars) !== 0) next = putUvarint(bytes, next, exemplars!.count)
  return next
}

function putRareColumns(bytes: Uint8Array, at: number, { startTimes, histograms, exemplars, count }: ScrapeBatch): number {
  const { columns, minTimeMs } = header
  let next = at
  if (startTimes !== undefined) next = putStartTimes(bytes, next, startTimes, count, minTimeMs)
  if ((columns & hasHistograms) !== 0) next = putHistograms(bytes, next, histograms!)
  if ((columns & hasExemplars) !== 0) next = putExemplars(bytes, next, exemplars!, minTimeMs)
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

/** How many histograms are among a frame's samples, and how many exemplars it has. */
export interface RareCounts {
  readonly histograms: number
  readonly exemplars: number
}

const noneRare: RareCounts = { histograms: 0, exemplars: 0 }

/** The counts of a frame, without reading its columns. Throws `FrameError` if they are not there. */
export function countRare(frame: FrameRef): RareCounts {
  const { batch } = frame
  if (batch !== undefined) return { histograms: batch.histograms?.count ?? 0, exemplars: batch.exemplars?.count ?? 0 }
  return (frame.columns & (hasHistograms | hasExemplars)) === 0 ? noneRare : readCounts(frame).counts
}

function readCounts({ columns, bytes, start, end, sequence }: FrameRef): { counts: RareCounts; offset: number } {
  try {
    const reader = new ByteReader(bytes, start, end)
    const histograms = (columns & hasHistograms) === 0 ? 0 : reader.uvarint()
    const exemplars = (columns & hasExemplars) === 0 ? 0 : reader.uvarint()
    return { counts: { histograms, exemplars }, offset: reader.offset }
  } catch (cause) {
    throw new FrameError(`cannot read frame ${sequence}: it has no counts`, { cause })
  }
}

/** The columns of a frame, decoded into arrays that are reused. */
export class FrameColumns {
  count = 0
  /** Valid if `hasIndexes`. As all columns, not to be written to: they may be the frame's own. */
  indexes: Uint32Array = new Uint32Array(0)
  #ownIndexes = new Uint32Array(1024)
  hasIndexes = false
  /** Valid if `hasTimes`; else all samples have `timeMs`. */
  times: Float64Array = new Float64Array(0)
  #ownTimes = new Float64Array(0)
  hasTimes = false
  timeMs = 0
  words: Uint32Array = new Uint32Array(0)
  #ownWords = new Uint32Array(2048)
  /** Valid if `hasStartTimes`; 0 = none. */
  startTimes: Float64Array = new Float64Array(0)
  #ownStartTimes = new Float64Array(0)
  hasStartTimes = false
  readonly #ownHistograms = new FrameHistograms()
  readonly #ownExemplars = new FrameExemplars()
  /** Samples at their positions are histograms: their words say nothing. */
  histograms: HistogramColumn = this.#ownHistograms
  exemplars: ExemplarColumn = this.#ownExemplars

  /** Throws `FrameError` if the columns are not as the header says. */
  read(frame: FrameRef): void {
    const { count, columns, bytes, end } = frame
    if (frame.batch !== undefined) {
      this.#take(frame.batch, frame.minTimeMs)
      return
    }
    // Every sample takes at least one byte, so a frame cannot make us take memory that it does not stand for.
    if (count > end - frame.start)
      throw new FrameError(`cannot read frame ${frame.sequence}: want ${count} samples in ${end - frame.start} bytes`)
    if ((columns & ~knownColumns) !== 0) throw new FrameError(`cannot read frame ${frame.sequence}: it has columns of a later version`)
    this.count = count
    this.hasIndexes = (columns & hasIndexes) !== 0
    this.hasTimes = (columns & hasTimes) !== 0
    this.timeMs = frame.minTimeMs
    const isRare = (columns & rareColumns) !== 0
    this.hasStartTimes = false
    this.histograms = this.#ownHistograms
    this.exemplars = this.#ownExemplars
    this.#ownHistograms.clear()
    this.#ownExemplars.clear()
    const { counts, offset } = isRare ? readCounts(frame) : { counts: noneRare, offset: frame.start }
    let at = offset
    if (this.hasIndexes) {
      if (this.#ownIndexes.length < count) this.#ownIndexes = new Uint32Array(roomFor(count))
      this.indexes = this.#ownIndexes
      at = readIndexes(bytes, at, end, this.indexes, count, frame.layout.seriesCount)
    } else if (count > frame.layout.seriesCount) throw new FrameError(`cannot read frame ${frame.sequence}: more samples than series`)
    if (this.hasTimes && at >= 0) {
      if (this.#ownTimes.length < count) this.#ownTimes = new Float64Array(roomFor(count))
      this.times = this.#ownTimes
      at = readTimes(bytes, at, end, this.times, count, frame.minTimeMs)
    }
    if (frame.words !== undefined && !isRare) {
      this.words = frame.words
      return
    }
    if (this.#ownWords.length < 2 * count) this.#ownWords = new Uint32Array(2 * roomFor(count))
    this.words = this.#ownWords
    if (at >= 0) at = readValues(bytes, at, end, this.words, count)
    if (at >= 0 && isRare) at = this.#readRare(frame, at, counts)
    if (at !== end) throw new FrameError(`cannot read frame ${frame.sequence}: its columns do not end where it does`)
  }

  #take({ count, indexes, times, words, startTimes, histograms, exemplars }: ScrapeBatch, minTimeMs: number): void {
    this.count = count
    this.hasIndexes = indexes !== undefined
    if (indexes !== undefined) this.indexes = indexes
    this.hasTimes = typeof times !== 'number'
    this.timeMs = minTimeMs
    if (typeof times !== 'number') this.times = times
    this.words = words
    this.hasStartTimes = startTimes !== undefined
    if (startTimes !== undefined) this.startTimes = startTimes
    this.#ownHistograms.clear()
    this.#ownExemplars.clear()
    this.histograms = histograms ?? this.#ownHistograms
    this.exemplars = exemplars ?? this.#ownExemplars
  }

  /** Returns the offset behind the last column. */
  #readRare({ columns, count, bytes, end, minTimeMs, sequence }: FrameRef, at: number, counts: RareCounts): number {
    const reader = new ByteReader(bytes, at, end)
    try {
      if ((columns & hasStartTimes) !== 0) {
        if (this.#ownStartTimes.length < count) this.#ownStartTimes = new Float64Array(roomFor(count))
        this.startTimes = this.#ownStartTimes
        readStartTimes(reader, this.startTimes, count, minTimeMs)
        this.hasStartTimes = true
      }
      if ((columns & hasHistograms) !== 0) this.#ownHistograms.read(reader, counts.histograms, count)
      if ((columns & hasExemplars) !== 0) this.#ownExemplars.read(reader, counts.exemplars, count, minTimeMs)
    } catch (cause) {
      if (cause instanceof RangeError) throw new FrameError(`cannot read frame ${sequence}: ${cause.message}`, { cause })
      throw cause
    }
    return reader.offset
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
