import type { OpenChunkWriter, StoredPlace } from '../chunk/open-chunk.ts'
import {
  chunkKindMask,
  chunkMask,
  firstOrdinalField,
  floatChunk,
  previousChunkField,
  spanField,
  startTimeField,
  storedFlag,
} from '../chunk/open-chunk.ts'
import { SeriesMap } from '../wal/series-map.ts'
import type { HeadMemory } from './head-memory.ts'
import * as record from './series-record.ts'
import { wordShift } from './shared-arena.ts'

/** What restored chunks need of the head's chunks. */
export interface RestoredChunksOwner {
  readonly memory: HeadMemory
  readonly writer: OpenChunkWriter
  /** The open chunk of histograms of a series gets no more. */
  forgetOpen(ref: number): void
  /** A chunk is in the list of a series. */
  noteStarted(): void
}

/** In the place of a series' newest chunk: its chunks are not usable. */
const refused = 0xffff_ffff

/**
 * The chunks that files of the head have from before, by the log's references, until the log tells which series they are of. They take what they
 * will take in the series' lists, and nothing else but 4 bytes for each reference of the log.
 */
export class RestoredChunks {
  readonly #owner: RestoredChunksOwner
  /** The newest chunk of each series. */
  readonly #newest = new SeriesMap()
  /** Chunks that series have got. */
  attached = 0
  /** Series whose chunks overlap, or that were refused for want of memory: the log has their samples. */
  unusable = 0

  constructor(owner: RestoredChunksOwner) {
    this.#owner = owner
  }

  /** The highest reference of a chunk so far. */
  get highest(): number {
    return this.#newest.highest
  }

  /** A chunk of a file, of a kind as in `chunk/open-chunk.ts`; those of a series come in their order. */
  add(logRef: number, kind: number, samples: number, minTimeMs: number, maxTimeMs: number, place: StoredPlace): void {
    const { writer } = this.#owner
    const older = this.#newest.get(logRef)
    if (older === refused) return
    const isLater = older === 0 || minTimeMs > this.#endOf(older)
    if (samples === 0 || !(maxTimeMs >= minTimeMs) || !isLater || !writer.ensureStored(0)) {
      this.#free(older)
      this.#newest.set(logRef, refused)
      this.unusable++
      return
    }
    // Until a series has it: the samples up to its end.
    const ordinal = (older === 0 ? 0 : this.#ordinalOf(older)) + samples
    this.#newest.set(logRef, writer.putStored(kind, older, ordinal, minTimeMs, maxTimeMs - minTimeMs, place))
  }

  /** Whether `attach` would give chunks of this reference of the log. */
  has(logRef: number): boolean {
    const newest = this.#newest.get(logRef)
    return newest !== 0 && newest !== refused
  }

  /** The log's reference means the head's series `ref`, which gets its chunks, unless it has later samples already. */
  attach(logRef: number, ref: number): void {
    if (!this.has(logRef)) return
    const newest = this.#newest.get(logRef)
    this.#newest.set(logRef, 0)
    if (!this.#attach(ref, newest)) {
      this.#free(newest)
      this.unusable++
    }
  }

  /** Chunks that no series got are forgotten. */
  end(): void {
    this.#newest.forEach((newest) => {
      if (newest !== refused) this.#free(newest)
    })
  }

  #attach(ref: number, newest: number): boolean {
    const { memory, forgetOpen, noteStarted } = this.#owner
    const words = memory.series.words[ref >>> record.seriesPerWindowShift]!
    const doubles = memory.series.doubles[ref >>> record.seriesPerWindowShift]!
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    let oldest = newest
    for (let older = this.#olderThan(oldest); older !== 0; older = this.#olderThan(oldest)) oldest = older
    const lastTimeMs = doubles[at >>> 1]!
    if (!(this.#startMs(oldest) > lastTimeMs)) return false
    const total = words[at + record.totalField]!
    const open = words[at + record.openChunkField]!
    if (open !== 0 && (open & storedFlag) === 0) {
      this.#words(open)[(open & chunkMask) + spanField] = lastTimeMs - this.#startMs(open)
      if ((open & chunkKindMask) !== floatChunk) forgetOpen(ref)
    }
    words[at + record.totalField] = total + this.#ordinalOf(newest)
    for (let chunk = newest; chunk !== 0;) {
      const older = this.#olderThan(chunk)
      const chunkWords = this.#words(chunk)
      chunkWords[(chunk & chunkMask) + firstOrdinalField] = total + (older === 0 ? 0 : this.#ordinalOf(older))
      if (older === 0) chunkWords[(chunk & chunkMask) + previousChunkField] = open
      noteStarted()
      this.attached++
      chunk = older
    }
    words[at + record.openChunkField] = newest
    words.fill(0, at + record.encoderField, at + record.encoderField + 4)
    doubles[at >>> 1] = this.#endOf(newest)
    words[at + record.lastLowField] = 0
    words[at + record.lastHighField] = 0
    memory.minTime = Math.min(memory.minTime, this.#startMs(oldest))
    memory.maxTime = Math.max(memory.maxTime, this.#endOf(newest))
    return true
  }

  /** A chunk and all older ones. */
  #free(newest: number): void {
    for (let chunk = newest; chunk !== 0;) {
      const older = this.#olderThan(chunk)
      this.#owner.writer.free(chunk)
      chunk = older
    }
  }

  #olderThan(chunk: number): number {
    return this.#words(chunk)[(chunk & chunkMask) + previousChunkField]!
  }

  #ordinalOf(chunk: number): number {
    return this.#words(chunk)[(chunk & chunkMask) + firstOrdinalField]!
  }

  #startMs(chunk: number): number {
    return this.#owner.memory.chunks.doubles[chunk >>> wordShift]![((chunk & chunkMask) + startTimeField) >>> 1]!
  }

  #endOf(chunk: number): number {
    return this.#startMs(chunk) + this.#words(chunk)[(chunk & chunkMask) + spanField]!
  }

  #words(chunk: number): Uint32Array {
    return this.#owner.memory.chunks.words[chunk >>> wordShift]!
  }
}
