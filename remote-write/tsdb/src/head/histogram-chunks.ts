import { chunkMask, firstDataField, floatHistogramChunk, histogramChunk, linkField, pieceWords } from '../chunk/open-chunk.ts'
import * as chunkField from '../chunk/open-chunk.ts'
import type { OpenChunkWriter } from '../chunk/open-chunk.ts'
import type { ResetHint } from '@narthex/model/reset-hint'
import { HistogramChunkAppender, histogramChunkBytesTarget, histogramChunkSamplesMin } from '../chunk/histogram-chunk-appender.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { readHistogramPieces } from '../chunk/histogram-pieces.ts'
import { sampleCountBytes } from '../chunk/xor-chunk.ts'
import { endOfRange, predictHistogramChunkEnd } from './chunk-time.ts'
import type { HeadMemory } from './head-memory.ts'
import { OpenAppenders } from './open-appenders.ts'
import * as record from './series-record.ts'
import { wordMask, wordShift } from './shared-arena.ts'

/** A chunk never has more bucket counts, so that it stays below the 4 MiB that readers take: some 100 times of what a chunk has. */
const bucketCountsPerChunkMax = 2 ** 18
const samplesPerChunkMax = 65_535

// While a chunk of histograms is open, the four words of the series' encoder are:
// ┌ its end was computed 1 bit ┬ samples 31 ┐ ┬ 0: no float chunk is open ┬ word index of the newest data word ┬ data bytes ┐
const sampleState = 0
const noFloatState = 1
const tailState = 2
const byteState = 3
const endIsComputed = 0x8000_0000

/** Bytes of an open chunk of histograms as it would stand in a file, from the encoder's state of its series. */
export function readHistogramBytes(state: Uint32Array, encoder: number): number {
  return sampleCountBytes + state[encoder + byteState]!
}

/** What a chunk of histograms needs of the head's chunks. */
export interface ChunkListOwner {
  readonly memory: HeadMemory
  readonly writer: OpenChunkWriter
  readonly rangeMs: number
  /** Memory for what writes open chunks; without it they are read again for each histogram. */
  readonly openBytesMax: number
  /** The open chunk of series `ref`, whose record is at word `at` of `words`, ended at `previousTimeMs`. */
  close(ref: number, words: Uint32Array, at: number, previousTimeMs: number): void
  /** A chunk begins. */
  noteStarted(): void
  /** A chunk was replaced; readers may hold it. */
  retireOne(chunk: number): void
}

/**
 * Adds histograms to the chunks of their series. An open chunk has the bits of Prometheus' histogram chunk from its first sample on; it grows at its
 * end like one of floats. When buckets come that it does not have, it is written anew elsewhere, and takes the place of the old one.
 */
export class HistogramChunks {
  readonly #owner: ChunkListOwner
  readonly #open: OpenAppenders
  readonly #recordDoubles: Float64Array[]

  constructor(owner: ChunkListOwner) {
    this.#owner = owner
    this.#open = new OpenAppenders(owner.openBytesMax)
    this.#recordDoubles = owner.memory.series.doubles
  }

  /** Memory outside the shared one. */
  get usedBytes(): number {
    return this.#open.bytes
  }

  /** The chunk of this series is gone, or closed. */
  forget(ref: number): void {
    this.#open.delete(ref)
  }

  /**
   * Adds histogram `i` of columns to series `ref`, whose record is at word `at` of `words`, and which has `ordinal` samples so far, the last of
   * `previousTimeMs`. `reserve` pieces are left for others; false if there is no memory.
   */
  add(
    ref: number,
    words: Uint32Array,
    at: number,
    columns: HistogramColumns,
    i: number,
    ordinal: number,
    previousTimeMs: number,
    reserve: number,
  ): boolean {
    const encoder = at + record.encoderField
    const kind = columns.layout(i).isFloat ? floatHistogramChunk : histogramChunk
    const chunk = words[at + record.openChunkField]!
    let header: ResetHint | undefined
    if (chunk !== 0 && (chunk & (chunkField.chunkKindMask | chunkField.storedFlag)) === kind) {
      const appender = this.#open.get(ref) ?? this.#reopen(words, encoder, chunk, kind)
      const isFull = this.#isFull(ref, words, at, appender, columns, i, previousTimeMs)
      const { layout } = appender
      header = isFull ? appender.headerOfNextFrom(columns, i) : appender.appendFrom(columns, i)
      if (header === undefined) {
        const isDone = this.#keep(words, at, appender, appender.layout === layout, reserve)
        // What the appender has and the chunk has not must not be written later.
        if (isDone) this.#open.set(ref, appender)
        else this.#open.delete(ref)
        return isDone
      }
    }
    return this.#start(ref, words, at, columns, i, kind, header, ordinal, previousTimeMs, reserve)
  }

  #start(
    ref: number,
    words: Uint32Array,
    at: number,
    columns: HistogramColumns,
    i: number,
    kind: number,
    header: ResetHint | undefined,
    ordinal: number,
    previousTimeMs: number,
    reserve: number,
  ): boolean {
    const { writer, rangeMs } = this.#owner
    const encoder = at + record.encoderField
    const appender = new HistogramChunkAppender(kind === floatHistogramChunk, header)
    appender.appendFrom(columns, i)
    const bytes = appender.bytes()
    if (!writer.ensure(piecesOf(bytes.length) + reserve)) return false
    const previous = words[at + record.openChunkField]!
    const timeMs = columns.times[i]!
    this.#owner.close(ref, words, at, previousTimeMs)
    this.#owner.noteStarted()
    const chunk = writer.startPieces(previous, ordinal, timeMs)
    words[encoder + sampleState] = 1
    words[encoder + noFloatState] = 0
    this.#putWhole(words, encoder, chunk, bytes)
    words[at + record.openChunkField] = (chunk | kind) >>> 0
    this.#recordDoubles[ref >>> record.seriesPerWindowShift]![(at + record.nextChunkTimeField) >>> 1] = endOfRange(timeMs, rangeMs)
    this.#open.set(ref, appender)
    return true
  }

  /** Writes what an appender has got since the last time; false if there is no memory for it. */
  #keep(words: Uint32Array, at: number, appender: HistogramChunkAppender, isSameLayout: boolean, reserve: number): boolean {
    const { writer, memory } = this.#owner
    const encoder = at + record.encoderField
    const bytes = appender.bytes()
    const old = words[at + record.openChunkField]!
    if (!writer.ensure(piecesOf(bytes.length) + reserve)) return false
    if (isSameLayout) {
      this.#putTail(words, encoder, bytes)
    } else {
      const from = memory.chunks.words[old >>> wordShift]!
      const place = old & chunkMask
      const startMs = memory.chunks.doubles[old >>> wordShift]![(place + chunkField.startTimeField) >>> 1]!
      const chunk = writer.startPieces(from[place + chunkField.previousChunkField]!, from[place + chunkField.firstOrdinalField]!, startMs)
      this.#putWhole(words, encoder, chunk, bytes)
      words[at + record.openChunkField] = (chunk | (old & chunkField.chunkKindMask)) >>> 0
      this.#owner.retireOne(old)
    }
    words[encoder + sampleState]!++
    return true
  }

  #putWhole(words: Uint32Array, encoder: number, chunk: number, bytes: Uint8Array): void {
    words[encoder + tailState] = chunk + firstDataField
    words[encoder + byteState] = 1
    this.#putTail(words, encoder, bytes)
  }

  /** The word that has the newest byte is written again, with the bits that have come, and then all that follow. */
  #putTail(words: Uint32Array, encoder: number, bytes: Uint8Array): void {
    const { writer, memory } = this.#owner
    const dataBytes = bytes.length - sampleCountBytes
    let tail = words[encoder + tailState]!
    let window = memory.chunks.words[tail >>> wordShift]!
    for (let from = (words[encoder + byteState]! - 1) & ~3; ; from += 4) {
      window[tail & wordMask] = wordAt(bytes, sampleCountBytes + from)
      if (from + 4 >= dataBytes) break
      tail++
      if ((tail & (pieceWords - 1)) === linkField) {
        tail = writer.addPiece(tail)
        window = memory.chunks.words[tail >>> wordShift]!
      }
    }
    words[encoder + tailState] = tail
    words[encoder + byteState] = dataBytes
  }

  /** As Prometheus cuts: at the end of the range, at a predicted time, at twice the bytes wanted; but the last two not below ten samples. */
  #isFull(
    ref: number,
    words: Uint32Array,
    at: number,
    appender: HistogramChunkAppender,
    columns: HistogramColumns,
    i: number,
    previousTimeMs: number,
  ): boolean {
    const { sampleCount, byteLength, layout } = appender
    if (sampleCount >= samplesPerChunkMax) return true
    const buckets = layout!.positiveBuckets + layout!.negativeBuckets + columns.bucketEnds[i]! - columns.bucketStart(i)
    if ((sampleCount + 1) * buckets > bucketCountsPerChunkMax) return true
    const encoder = at + record.encoderField
    const doubles = this.#recordDoubles[ref >>> record.seriesPerWindowShift]!
    const endAt = (at + record.nextChunkTimeField) >>> 1
    const chunk = words[at + record.openChunkField]!
    const startMs = this.#owner.memory.chunks.doubles[chunk >>> wordShift]![((chunk & chunkMask) + chunkField.startTimeField) >>> 1]!
    const rangeEndMs = endOfRange(startMs, this.#owner.rangeMs)
    if ((words[encoder + sampleState]! & endIsComputed) === 0 && byteLength >= histogramChunkBytesTarget / 4) {
      doubles[endAt] = predictHistogramChunkEnd(startMs, previousTimeMs, doubles[endAt]!, histogramChunkBytesTarget / byteLength)
      words[encoder + sampleState]! |= endIsComputed
    }
    const timeMs = columns.times[i]!
    if (timeMs < doubles[endAt]! && byteLength < 2 * histogramChunkBytesTarget) return false
    return sampleCount >= histogramChunkSamplesMin || timeMs >= rangeEndMs
  }

  /** What wrote an open chunk, made from the chunk. */
  #reopen(words: Uint32Array, encoder: number, chunk: number, kind: number): HistogramChunkAppender {
    const samples = words[encoder + sampleState]! & ~endIsComputed
    reopened.clear()
    readHistogramPieces(this.#owner.memory.chunks, chunk, samples, -Infinity, Infinity, reopened)
    const appender = new HistogramChunkAppender(kind === floatHistogramChunk, reopened.hints[0] as ResetHint)
    for (let i = 0; i < reopened.length; i++) appender.appendFrom(reopened, i)
    return appender
  }
}

const reopened = new HistogramColumns()

/** Pieces that surely hold a chunk of so many bytes. */
function piecesOf(bytes: number): number {
  return 2 + Math.ceil(bytes / (4 * linkField))
}

/** Bytes behind the end are zeros. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
