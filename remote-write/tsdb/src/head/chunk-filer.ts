import { growWords } from '@narthex/bytes/grow'
import { floatHistogramEncoding, histogramEncoding, xorEncoding } from '../chunk/chunk-encoding.ts'
import {
  chunkKindMask,
  chunkMask,
  firstOrdinalField,
  floatChunk,
  floatHistogramChunk,
  previousChunkField,
  spanField,
  startTimeField,
  storedFlag,
} from '../chunk/open-chunk.ts'
import type { OpenChunkWriter, StoredPlace } from '../chunk/open-chunk.ts'
import { copyChunk, measurePieces } from '../chunk/xor-chunk.ts'
import type { NewHeadChunk } from '../head-chunks/chunk-entry.ts'
import type { HeadChunkFile } from '../head-chunks/replay-head-chunks.ts'
import type { HeadMemory } from './head-memory.ts'
import * as record from './series-record.ts'
import { wordShift } from './shared-arena.ts'

/** Files for the closed chunks of a head. */
export interface ChunkFiles {
  readonly directory: string
  /** The lowest number of a file that readers may still ask for. */
  readonly oldestFile: number
  /** Whether a chunk with so many bytes of data may be appended before the next `write`. */
  fits(dataBytes: number): boolean
  append(chunk: NewHeadChunk): StoredPlace
  /** False: what was appended since the last time is not in a file, nor will be. */
  write(): boolean
  /** Numbers of the files whose chunks all ended before this time, as far as they may go. */
  filesBefore(minTimeMs: number): number[]
  remove(files: readonly number[]): void
  /** Files for another thread to go on with; what it left of them, and why it could not write others. */
  endFiles(): readonly HeadChunkFile[]
  takeOver(files: readonly HeadChunkFile[], writeError: string | undefined): void
}

// ┌ series ┬ chunk ┬ bytes ┐ of a closed chunk that was not looked at yet
const notedWords = 3
// ┌ series ┬ chunk ┬ file ┬ offset ┬ bytes ┐ of a chunk that was appended and is not written yet
const pendingWords = 5
/** Where all series close a chunk in the same commits, those beyond this many are looked at within the commit: the queue takes 768 KiB at most. */
const notedChunksMax = 65_536
/** Chunks between two looks at the clock. */
const chunksPerLook = 32
/** Of a turn of the loop, when few chunks wait and at most. */
const filingMsMin = 1
const filingMsMax = 4
/** A millisecond more for so many chunks: where all series close theirs at once, what waits is memory that the next chunks take beside it. */
const chunksPerMs = 32_768

/** How many milliseconds of a turn of the loop go to so many closed chunks that wait for their files. */
export function filingMsOfTurn(chunks: number): number {
  return Math.min(filingMsMax, filingMsMin + chunks / chunksPerMs)
}

export interface ChunkFilerOptions {
  readonly memory: HeadMemory
  readonly writer: OpenChunkWriter
  readonly files: ChunkFiles
  /** So many samples of the running commit may still need memory. */
  readonly reserve: () => number
  /** The log's reference of a series of the head. */
  readonly referenceOf: (ref: number) => number
  /** A chunk is no longer in its series' list, as one in a file stands there now; readers may hold it. */
  readonly onReplaced: (chunk: number) => void
}

/**
 * Takes closed chunks out of memory: they are noted, later gathered, written, and then each one's place in the list of its series is given to one half of a
 * piece that says where it is. Often all series close a chunk in the same few commits, so these only note them. What a series has in files is always its
 * oldest chunks, without a gap, as a restart relies on that (FORMAT.md, "Head chunks"). A chunk that could not be written stays in memory, and is tried
 * again when the next one of its series is closed. Chunks may be dropped, or lent to another thread, only after `flush`.
 */
export class ChunkFiler {
  readonly #options: ChunkFilerOptions
  /** A ring, whose length in chunks is a power of two. */
  #noted = new Uint32Array(notedWords * 1024)
  /** Its oldest chunk. */
  #oldest = 0
  /** Chunks that are noted, and that nothing was done with. */
  noted = 0
  #pending = new Uint32Array(pendingWords * 256)
  #length = 0
  /** Chunks that went into files. */
  count = 0

  constructor(options: ChunkFilerOptions) {
    this.#options = options
  }

  /** Series `ref` closes `chunk` of `bytes` bytes, and begins another one. */
  note(ref: number, chunk: number, bytes: number): void {
    if (this.noted === notedChunksMax) this.#takeUp()
    if (this.noted * notedWords === this.#noted.length) this.#makeRoom()
    const noted = this.#noted
    const at = ((this.#oldest + this.noted) & (noted.length / notedWords - 1)) * notedWords
    noted[at] = ref
    noted[at + 1] = chunk
    noted[at + 2] = bytes
    this.noted++
  }

  /** Takes up noted chunks for about so many milliseconds. */
  work(ms: number): void {
    const endMs = performance.now() + ms
    for (let k = 1; this.noted > 0; k++) {
      this.#takeUp()
      if (k % chunksPerLook === 0 && performance.now() >= endMs) return
    }
  }

  /** Takes up all noted chunks, and writes what waits for others. */
  flush(): void {
    this.work(Infinity)
    this.#write()
  }

  /** The oldest one that is noted. */
  #takeUp(): void {
    const noted = this.#noted
    const at = this.#oldest * notedWords
    this.#oldest = (this.#oldest + 1) & (noted.length / notedWords - 1)
    this.noted--
    this.#add(noted[at]!, noted[at + 1]!, noted[at + 2]!)
  }

  #makeRoom(): void {
    const at = this.#oldest * notedWords
    const grown = new Uint32Array(2 * this.#noted.length)
    grown.set(this.#noted.subarray(at))
    grown.set(this.#noted.subarray(0, at), this.#noted.length - at)
    this.#noted = grown
    this.#oldest = 0
  }

  #add(ref: number, chunk: number, bytes: number): void {
    const newer = this.#newerOf(ref, chunk)
    if (newer === 0) return
    if (!this.#options.files.fits(bytes)) this.#write()
    const older = this.#olderThan(chunk)
    if (older !== 0 && (older & storedFlag) === 0 && !this.#isPending(older) && !this.#storeOlder(ref, chunk)) return
    this.#append(ref, chunk, newer, bytes)
  }

  /** Writes what was appended, and gives it its places in the lists. */
  #write(): void {
    const { files, memory, writer, reserve, onReplaced } = this.#options
    const length = this.#length
    if (length === 0) return
    this.#length = 0
    if (!files.write()) return
    const pending = this.#pending
    for (let at = 0; at < length; at += pendingWords) {
      const chunk = pending[at + 1]!
      const newer = this.#newerOf(pending[at]!, chunk)
      if (newer === 0 || !writer.ensureStored(reserve())) continue
      const words = this.#words(chunk)
      const from = chunk & chunkMask
      const stored = writer.putStored(
        chunk & chunkKindMask,
        words[from + previousChunkField]!,
        words[from + firstOrdinalField]!,
        memory.chunks.doubles[chunk >>> wordShift]![(from + startTimeField) >>> 1]!,
        words[from + spanField]!,
        { file: pending[at + 2]!, offset: pending[at + 3]!, bytes: pending[at + 4]! },
      )
      // Whoever follows the list finds either of the two whole.
      Atomics.store(this.#words(newer), (newer & chunkMask) + previousChunkField, stored)
      this.count++
      onReplaced(chunk)
    }
  }

  /** `newer`: the chunk that comes after it. */
  #append(ref: number, chunk: number, newer: number, bytes: number): void {
    const { files, memory, referenceOf } = this.#options
    const samples = (this.#ordinalOf(newer) - this.#ordinalOf(chunk)) | 0
    const words = this.#words(chunk)
    const from = chunk & chunkMask
    const minTimeMs = memory.chunks.doubles[chunk >>> wordShift]![(from + startTimeField) >>> 1]!
    const place = files.append({
      seriesRef: referenceOf(ref),
      minTimeMs,
      maxTimeMs: minTimeMs + words[from + spanField]!,
      encoding: encodingOf(chunk & chunkKindMask),
      isOutOfOrder: false,
      data: copyChunk(memory.chunks, chunk, samples, bytes),
    })
    if (this.#length === this.#pending.length) this.#pending = growWords(this.#pending, 2 * this.#length)
    const pending = this.#pending
    pending[this.#length] = ref
    pending[this.#length + 1] = chunk
    pending[this.#length + 2] = place.file
    pending[this.#length + 3] = place.offset
    pending[this.#length + 4] = place.bytes
    this.#length += pendingWords
  }

  #isPending(chunk: number): boolean {
    for (let at = this.#length - pendingWords; at >= 0; at -= pendingWords) if (this.#pending[at + 1] === chunk) return true
    return false
  }

  /** Chunks older than `chunk` could not be written once: whether they are in files after another try. */
  #storeOlder(ref: number, chunk: number): boolean {
    this.#write()
    const left: number[] = []
    for (let each = this.#olderThan(chunk); each !== 0 && (each & storedFlag) === 0; each = this.#olderThan(each)) left.push(each)
    for (let i = left.length - 1; i >= 0; i--) {
      const newer = i === 0 ? chunk : left[i - 1]!
      // Where its bits end is not known any more: what stands behind them in its last piece goes along, and is not read.
      const bytes = measurePieces(this.#options.memory.chunks, left[i]!)
      if (!this.#options.files.fits(bytes)) {
        this.#write()
        if (i < left.length - 1 && (this.#olderThan(left[i]!) & storedFlag) === 0) return false
      }
      this.#append(ref, left[i]!, newer, bytes)
    }
    this.#write()
    return (this.#olderThan(chunk) & storedFlag) !== 0
  }

  /** The chunk in the series' list that comes after this one; 0 if it is not there. */
  #newerOf(ref: number, chunk: number): number {
    const words = this.#options.memory.series.words[ref >>> record.seriesPerWindowShift]!
    let newer = words[((ref & record.seriesPerWindowMask) << record.recordShift) + record.openChunkField]!
    while (newer !== 0) {
      const older = this.#olderThan(newer)
      if (older === chunk) return newer
      newer = older
    }
    return 0
  }

  #olderThan(chunk: number): number {
    return this.#words(chunk)[(chunk & chunkMask) + previousChunkField]!
  }

  #ordinalOf(chunk: number): number {
    return this.#words(chunk)[(chunk & chunkMask) + firstOrdinalField]!
  }

  #words(chunk: number): Uint32Array {
    return this.#options.memory.chunks.words[chunk >>> wordShift]!
  }
}

function encodingOf(kind: number): number {
  if (kind === floatChunk) return xorEncoding
  return kind === floatHistogramChunk ? floatHistogramEncoding : histogramEncoding
}
