import type { Labels } from '@narthex/model/labels'
import { SampleColumns } from '@narthex/model/sample-columns'
import { xorEncoding } from '../chunk/chunk-encoding.ts'
import { encodeHistograms, headerOf } from '../chunk/encode-histograms.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { readHistogramPieces } from '../chunk/histogram-pieces.ts'
import {
  chunkKindMask,
  chunkMask,
  firstDataField,
  firstOrdinalField,
  linkField,
  pieceWords,
  previousChunkField,
  spanField,
  startTimeField,
  storedFlag,
} from '../chunk/open-chunk.ts'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import { copyChunk, sampleCountBytes } from '../chunk/xor-chunk.ts'
import { xorChunkModule } from '../chunk/xor-chunk-module.ts'
import { XorDecoder } from '../chunk/xor-decoder.ts'
import type { HeadMemory } from '../head/head-memory.ts'
import { wordMask, wordShift } from '../head/shared-arena.ts'
import { dropDeleted } from '../block/tombstones.ts'
import { deletedIntervalsOf } from '../head/deleted-intervals.ts'
import type { DeletedIntervals } from '../head/deleted-intervals.ts'
import { dropDeletedHistograms, encodeMixedChunks } from './histogram-samples.ts'
import { labelSetsMax } from './label-reader.ts'
import type { LateReader } from './late-reader.ts'

import type { Pins } from './pins.ts'
import type { SeriesSet } from './queryable.ts'
import { encodeChunks } from './series-chunks.ts'
import type { SeriesChunk } from './series-chunks.ts'
import { StoredChunks } from './stored-chunks.ts'

/** The samples that a reader pinned, chunk by chunk. */
export class PinnedChunks {
  readonly #memory: HeadMemory
  readonly #decoder: XorDecoder
  readonly #stored: StoredChunks
  /** ┌ chunk ┬ samples ┐ of the series being read, newest first. */
  #found = new Uint32Array(64)
  /** `read` passed over chunks of histograms. */
  metHistograms = false

  /** `cacheBytesMax`: of what it keeps of files with stored chunks. */
  constructor(memory: HeadMemory, cacheBytesMax?: number) {
    this.#memory = memory
    this.#decoder = new XorDecoder(memory.chunks, pieceWords)
    this.#stored = new StoredChunks(memory, cacheBytesMax)
  }

  /** Whether any chunk may have a sample in [minTimeMs, maxTimeMs]. */
  overlaps(chunk: number, total: number, minTimeMs: number, maxTimeMs: number): boolean {
    return this.#find(chunk, total, minTimeMs, maxTimeMs, true) > 0
  }

  /** Appends the samples in [minTimeMs, maxTimeMs] among the first `total` of the series whose newest chunk is `chunk`. */
  read(chunk: number, total: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const count = this.find(chunk, total, minTimeMs, maxTimeMs)
    this.metHistograms = false
    for (let i = count - 1; i >= 0; i--) {
      if (this.hasHistograms(i)) this.metHistograms = true
      else this.readFound(i, minTimeMs, maxTimeMs, into)
    }
  }

  /** As `read`, without reading: how many chunks have them. `readFound` reads one by one, 0 the newest, until the next call of another method. */
  find(chunk: number, total: number, minTimeMs: number, maxTimeMs: number): number {
    return this.#find(chunk, total, minTimeMs, maxTimeMs, false)
  }

  /** Of a chunk of histograms, nothing. */
  readFound(i: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    if (this.hasHistograms(i)) return
    const chunk = this.#found[2 * i]!
    const samples = this.#found[2 * i + 1]!
    if ((chunk & storedFlag) !== 0) this.#stored.readFloats(chunk, samples, minTimeMs, maxTimeMs, into)
    else this.#readOpen(chunk + firstDataField, samples, minTimeMs, maxTimeMs, into)
  }

  #readOpen(first: number, samples: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const { chunks } = this.#memory
    if (xorChunkModule().decodePieces(chunks, first, pieceWords, samples, minTimeMs, maxTimeMs, into)) return
    this.#decoder.decode(first, samples, minTimeMs, maxTimeMs, into)
  }

  /** Whether a found chunk has histograms. */
  hasHistograms(i: number): boolean {
    return (this.#found[2 * i]! & chunkKindMask) !== 0
  }

  /** As `readFound`; of a chunk of floats, nothing. */
  readFoundHistograms(i: number, minTimeMs: number, maxTimeMs: number, into: HistogramColumns): void {
    if (!this.hasHistograms(i)) return
    const chunk = this.#found[2 * i]!
    const samples = this.#found[2 * i + 1]!
    if ((chunk & storedFlag) !== 0) this.#stored.readHistograms(chunk, samples, minTimeMs, maxTimeMs, into)
    else readHistogramPieces(this.#memory.chunks, chunk, samples, minTimeMs, maxTimeMs, into)
  }

  /** The histograms of a found chunk in [minTimeMs, maxTimeMs] that are in none of the intervals, as a chunk; nothing if there are none. */
  encodeFoundHistograms(
    i: number,
    minTimeMs: number,
    maxTimeMs: number,
    deleted: ArrayLike<number> | undefined,
    into: SeriesChunk[],
  ): void {
    found.clear()
    this.readFoundHistograms(i, minTimeMs, maxTimeMs, found)
    if (deleted !== undefined) dropDeletedHistograms(deleted, found, 0)
    if (found.length === 0) return
    encodeHistograms(found, 0, found.length, headerOf(found, 0, found.times[0] === this.foundStartMs(i)), false, into)
  }

  /**
   * A found chunk as it stands in a file of the head, if it does and has nothing that is not in [minTimeMs, maxTimeMs] or not for this reader.
   */
  wholeFound(i: number, minTimeMs: number, maxTimeMs: number): SeriesChunk | undefined {
    const chunk = this.#found[2 * i]!
    if ((chunk & storedFlag) === 0) return undefined
    const startMs = this.foundStartMs(i)
    const endMs = startMs + this.#memory.chunks.window(chunk >>> wordShift)[(chunk & chunkMask) + spanField]!
    if (startMs < minTimeMs || endMs > maxTimeMs) return undefined
    return this.#stored.copyWhole(chunk, this.#found[2 * i + 1]!, startMs, endMs)
  }

  /** No file of stored chunks is held open for nothing. */
  refresh(): void {
    this.#stored.closeGone()
  }

  close(): void {
    this.#stored.close()
  }

  /** Appends all samples of a found chunk of floats, and gives them as they stand in a file. */
  copyFound(i: number, into: SampleColumns): Uint8Array {
    const chunk = this.#found[2 * i]!
    const samples = this.#found[2 * i + 1]!
    if ((chunk & storedFlag) !== 0) {
      this.readFound(i, -Infinity, Infinity, into)
      return encodeXorChunk(into, into.length - samples, into.length)
    }
    this.#decoder.decode(chunk + firstDataField, samples, -Infinity, Infinity, into)
    // Where the bits end is known only to who read them.
    const { chunks } = this.#memory
    const { tail, bitsOfTail } = this.#decoder
    let bits = bitsOfTail
    let piece = chunk
    for (let first = firstDataField; ; first = 0) {
      const at = tail - piece
      if (at >= first && at < pieceWords) {
        bits += (at - first) * 32
        break
      }
      bits += (linkField - first) * 32
      piece = chunks.window(piece >>> wordShift)[(piece & wordMask) + linkField]!
    }
    const bytes = copyChunk(chunks, chunk, samples, sampleCountBytes + Math.ceil(bits / 8))
    // The rest of the last byte may be the beginning of samples that are not for this reader.
    if (bits % 8 !== 0) bytes[bytes.length - 1]! &= 0xff << (8 - (bits % 8))
    return bytes
  }

  /** When a chunk that `find` found begins, numbered as for `readFound`. */
  foundStartMs(i: number): number {
    const chunk = this.#found[2 * i]!
    return this.#memory.chunks.doubles[chunk >>> wordShift]![((chunk & chunkMask) + startTimeField) >>> 1]!
  }

  #find(newest: number, total: number, minTimeMs: number, maxTimeMs: number, one: boolean): number {
    const { chunks } = this.#memory
    let count = 0
    // Ordinals are modulo 2^32, so all comparisons are of differences.
    let end = total
    let isNewest = true
    for (let chunk = newest; chunk !== 0;) {
      const words = chunks.window(chunk >>> wordShift)
      const at = chunk & chunkMask
      const older = words[at + previousChunkField]!
      const samples = (end - words[at + firstOrdinalField]!) | 0
      if (samples > 0) {
        const startMs = chunks.doubles[chunk >>> wordShift]![(at + startTimeField) >>> 1]!
        // The newest chunk's span is not known yet, or was set after the pin.
        if (!isNewest && startMs + words[at + spanField]! < minTimeMs) return count
        if (startMs <= maxTimeMs) {
          if (2 * count === this.#found.length) this.#growFound()
          this.#found[2 * count] = chunk
          this.#found[2 * count + 1] = samples
          count++
          if (one) return count
        }
        if (startMs <= minTimeMs) return count
        end = words[at + firstOrdinalField]!
        isNewest = false
      }
      chunk = older
    }
    return count
  }

  #growFound(): void {
    const larger = new Uint32Array(this.#found.length * 2)
    larger.set(this.#found)
    this.#found = larger
  }
}

/** Gives the labels of series; `keeps`: remember them for the next who asks. */
interface LabelSource {
  labels(ref: number, keeps: boolean): Labels
}

/** Pinned series in the order of their labels. */
export class HeadSeriesSet implements SeriesSet {
  readonly #pins: Pins
  readonly #labels: LabelSource
  readonly #order: Uint32Array
  readonly #chunks: PinnedChunks
  readonly #minTimeMs: number
  readonly #maxTimeMs: number
  readonly #deletions: DeletedIntervals | undefined
  readonly #late: LateReader
  #at = -1
  #mayHaveHistograms = false

  /** `order` lists the positions in `pins`. */
  constructor(
    pins: Pins,
    order: Uint32Array,
    labels: LabelSource,
    chunks: PinnedChunks,
    minTimeMs: number,
    maxTimeMs: number,
    deletions: DeletedIntervals | undefined,
    late: LateReader,
  ) {
    this.#late = late
    this.#pins = pins
    this.#order = order
    this.#labels = labels
    this.#chunks = chunks
    this.#minTimeMs = minTimeMs
    this.#maxTimeMs = maxTimeMs
    this.#deletions = deletions
  }

  next(): boolean {
    this.#at++
    return this.#at < this.#order.length
  }

  labels(): Labels {
    return this.#labels.labels(this.#pins.refs[this.#order[this.#at]!]!, this.#order.length <= labelSetsMax)
  }

  samples(into: SampleColumns): void {
    const i = this.#order[this.#at]!
    const before = into.length
    this.#chunks.read(this.#pins.chunks[i]!, this.#pins.totals[i]!, this.#minTimeMs, this.#maxTimeMs, into)
    this.#mayHaveHistograms = this.#chunks.metHistograms || this.#late.overlaps(this.#pins.late, i, this.#minTimeMs, this.#maxTimeMs)
    this.#late.mergeInto(this.#pins.late, i, this.#minTimeMs, this.#maxTimeMs, into, before)
    if (this.#deletions === undefined) return
    const deleted = deletedIntervalsOf(this.#deletions, this.#pins.refs[i]!)
    if (deleted !== undefined) dropDeleted(deleted, into, before)
  }

  hasHistograms(): boolean {
    return this.#mayHaveHistograms
  }

  histograms(into: HistogramColumns): void {
    const i = this.#order[this.#at]!
    const before = into.length
    const count = this.#chunks.find(this.#pins.chunks[i]!, this.#pins.totals[i]!, this.#minTimeMs, this.#maxTimeMs)
    for (let chunk = count - 1; chunk >= 0; chunk--) this.#chunks.readFoundHistograms(chunk, this.#minTimeMs, this.#maxTimeMs, into)
    this.#late.mergeHistogramsInto(this.#pins.late, i, this.#minTimeMs, this.#maxTimeMs, into, before)
    if (this.#deletions === undefined || into.length === before) return
    const deleted = deletedIntervalsOf(this.#deletions, this.#pins.refs[i]!)
    if (deleted !== undefined) dropDeletedHistograms(deleted, into, before)
  }

  chunks(): readonly SeriesChunk[] {
    const i = this.#order[this.#at]!
    const list: SeriesChunk[] = []
    if (this.#late.overlaps(this.#pins.late, i, this.#minTimeMs, this.#maxTimeMs)) {
      scratch.clear()
      this.samples(scratch)
      mixed.clear()
      this.histograms(mixed)
      encodeMixedChunks(scratch, mixed, list)
      return list
    }
    const deleted = this.#deletions === undefined ? undefined : deletedIntervalsOf(this.#deletions, this.#pins.refs[i]!)
    const count = this.#chunks.find(this.#pins.chunks[i]!, this.#pins.totals[i]!, this.#minTimeMs, this.#maxTimeMs)
    for (let chunk = count - 1; chunk >= 0; chunk--) {
      const whole = deleted === undefined ? this.#chunks.wholeFound(chunk, this.#minTimeMs, this.#maxTimeMs) : undefined
      if (whole !== undefined) {
        list.push(whole)
        continue
      }
      scratch.clear()
      if (this.#chunks.hasHistograms(chunk)) {
        this.#chunks.encodeFoundHistograms(chunk, this.#minTimeMs, this.#maxTimeMs, deleted, list)
        continue
      }
      const data = this.#chunks.copyFound(chunk, scratch)
      const minTimeMs = scratch.times[0]!
      const maxTimeMs = scratch.times[scratch.length - 1]!
      if (deleted === undefined && minTimeMs >= this.#minTimeMs && maxTimeMs <= this.#maxTimeMs) {
        list.push({ minTimeMs, maxTimeMs, encoding: xorEncoding, data })
        continue
      }
      scratch.clear()
      this.#chunks.readFound(chunk, this.#minTimeMs, this.#maxTimeMs, scratch)
      if (deleted !== undefined) dropDeleted(deleted, scratch, 0)
      encodeChunks(scratch, list)
    }
    return list
  }

  /** How many series there are. */
  get length(): number {
    return this.#order.length
  }
}

const scratch = new SampleColumns()
// Filled and thrown away.
const found = new HistogramColumns()
const mixed = new HistogramColumns()
