import { OpenChunkWriter, pieceWords, readChunkBytes, readPieceCount, readSampleCount } from '../chunk/open-chunk.ts'
import * as chunkField from '../chunk/open-chunk.ts'
import { chunkBytesMax, endOfRange, predictChunkEnd, samplesPerChunk } from './chunk-time.ts'
import type { HeadCounters } from './head-counters.ts'
import { epochAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import * as pendingField from './pending-samples.ts'
import type { PendingSamples } from './pending-samples.ts'
import { RetiredChunks } from './retired-chunks.ts'
import * as record from './series-record.ts'
import { wordMask, wordShift } from './shared-arena.ts'
import { oldestPinnedEpoch } from './shared-table.ts'

// A chunk of so many pieces is below 1005 bytes.
const smallChunkPieces = 16

/** The writer's side of the chunks of all series: adds committed samples, cuts chunks, drops old ones. */
export class HeadChunks {
  readonly #memory: HeadMemory
  readonly #rangeMs: number
  readonly #counters: HeadCounters
  readonly #writer: OpenChunkWriter
  readonly #retired: RetiredChunks
  readonly #recordWords: Uint32Array[]
  readonly #recordDoubles: Float64Array[]
  /** Chunks in the lists of series. */
  count = 0
  /** The oldest chunk that the running sweep left. */
  #oldestKeptMs = Infinity

  constructor(memory: HeadMemory, rangeMs: number, counters: HeadCounters) {
    this.#memory = memory
    this.#rangeMs = rangeMs
    this.#counters = counters
    this.#writer = new OpenChunkWriter(memory.chunks)
    this.#retired = new RetiredChunks(this.#writer)
    this.#recordWords = memory.series.words
    this.#recordDoubles = memory.series.doubles
  }

  /** Whether `samples` more samples surely find memory. */
  ensure(samples: number): boolean {
    return this.#writer.ensure(samples)
  }

  get freeBytes(): number {
    return this.#writer.freePieces * pieceWords * 4
  }

  /** The hot loop of a commit. Per sample: one cache line of the series' record, one of its chunk's tail. */
  add(pending: PendingSamples, commit: number): void {
    const { words: from, doubles: fromDoubles, length } = pending
    const writer = this.#writer
    let { minTime, maxTime } = this.#memory
    for (let i = 0; i < length; i++) {
      const at = i * pendingField.pendingWords
      const ref = from[at + pendingField.pendingRef]!
      const timeMs = fromDoubles[at >>> 1]!
      const index = ref >>> record.seriesPerWindowShift
      const to = (ref & record.seriesPerWindowMask) << record.recordShift
      const words = this.#recordWords[index]!
      const doubles = this.#recordDoubles[index]!
      if (timeMs > maxTime) maxTime = timeMs
      if (timeMs < minTime) minTime = timeMs
      const total = words[to + record.totalField]!
      if (words[to + record.lastCommitField] !== commit) {
        words[to + record.previousCommitField] = words[to + record.lastCommitField]!
        words[to + record.previousTotalField] = total
        words[to + record.lastCommitField] = commit
      }
      words[to + record.totalField] = total + 1
      const previousTimeMs = fromDoubles[(at >>> 1) + pendingField.pendingPreviousTime]!
      const low = from[at + pendingField.pendingLow]!
      const high = from[at + pendingField.pendingHigh]!
      if (this.#startsChunk(words, doubles, to, timeMs, previousTimeMs)) {
        this.#startChunk(words, doubles, to, timeMs, previousTimeMs, low, high)
      } else {
        const previousLow = from[at + pendingField.pendingPreviousLow]!
        const previousHigh = from[at + pendingField.pendingPreviousHigh]!
        writer.append(words, to + record.encoderField, timeMs, low, high, previousTimeMs, previousLow, previousHigh)
      }
    }
    this.#memory.minTime = minTime
    this.#memory.maxTime = maxTime
  }

  /** Takes the chunks of a series that ended before `cutoffMs` out of its list; the open one only if the whole series did. */
  dropBefore(ref: number, cutoffMs: number): void {
    const index = ref >>> record.seriesPerWindowShift
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const words = this.#recordWords[index]!
    const open = words[at + record.openChunkField]!
    if (open === 0) return
    if (this.#recordDoubles[index]![at >>> 1]! < cutoffMs) {
      words[at + record.openChunkField] = 0
      words.fill(0, at + record.encoderField, at + record.encoderField + 4)
      this.#retire(open)
      return
    }
    let kept = open
    for (let older = this.#olderThan(kept); older !== 0; older = this.#olderThan(kept)) {
      const spanMs = this.#memory.chunks.words[older >>> wordShift]![(older & wordMask) + chunkField.spanField]!
      if (this.#startMs(older) + spanMs < cutoffMs) {
        this.#memory.chunks.words[kept >>> wordShift]![(kept & wordMask) + chunkField.previousChunkField] = 0
        this.#retire(older)
        break
      }
      kept = older
    }
    this.#oldestKeptMs = Math.min(this.#oldestKeptMs, this.#startMs(kept))
  }

  /** Gives back what was retired and that no reader can hold. */
  reclaim(): void {
    Atomics.add(this.#memory.control, epochAt, 1)
    this.#retired.reclaim(oldestPinnedEpoch(this.#memory.control))
  }

  /** After `dropBefore` of all series: the head begins at the oldest chunk that is left. */
  endDropping(): void {
    if (this.#oldestKeptMs < Infinity) this.#memory.minTime = this.#oldestKeptMs
    this.#oldestKeptMs = Infinity
  }

  // As Prometheus cuts: at the end of the range, at twice the wanted samples, above 1005 bytes, or at the predicted time.
  #startsChunk(words: Uint32Array, doubles: Float64Array, at: number, timeMs: number, previousTimeMs: number): boolean {
    const encoder = at + record.encoderField
    const samples = readSampleCount(words, encoder)
    if (samples === 0) return true
    if (readPieceCount(words, encoder) > smallChunkPieces && readChunkBytes(words, encoder) > chunkBytesMax) return true
    const endAt = (at + record.nextChunkTimeField) >>> 1
    if (samples === samplesPerChunk / 4) {
      doubles[endAt] = predictChunkEnd(this.#startMs(words[at + record.openChunkField]!), previousTimeMs, doubles[endAt]!)
    }
    return timeMs >= doubles[endAt]! || samples >= samplesPerChunk * 2
  }

  #startChunk(
    words: Uint32Array,
    doubles: Float64Array,
    at: number,
    timeMs: number,
    previousTimeMs: number,
    low: number,
    high: number,
  ): void {
    const previous = words[at + record.openChunkField]!
    if (previous !== 0) {
      const spanMs = previousTimeMs - this.#startMs(previous)
      this.#memory.chunks.words[previous >>> wordShift]![(previous & wordMask) + chunkField.spanField] = spanMs
    }
    const ordinal = words[at + record.totalField]! - 1
    words[at + record.openChunkField] = this.#writer.start(words, at + record.encoderField, previous, ordinal, timeMs, low, high)
    doubles[(at + record.nextChunkTimeField) >>> 1] = endOfRange(timeMs, this.#rangeMs)
    this.count++
    this.#counters.chunksCreated++
  }

  /** A chunk and all older ones of its series. */
  #retire(chunk: number): void {
    for (let each = chunk; each !== 0;) {
      const older = this.#olderThan(each)
      this.#retired.add(each, this.#memory.control[epochAt]!)
      this.count--
      this.#counters.chunksRemoved++
      each = older
    }
  }

  #olderThan(chunk: number): number {
    return this.#memory.chunks.words[chunk >>> wordShift]![(chunk & wordMask) + chunkField.previousChunkField]!
  }

  #startMs(chunk: number): number {
    return this.#memory.chunks.doubles[chunk >>> wordShift]![((chunk & wordMask) + chunkField.startTimeField) >>> 1]!
  }
}
