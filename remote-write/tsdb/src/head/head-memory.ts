import type { StateReader, StateWriter } from '../head-state/state-access.ts'
import { measureAddressSpace } from './address-space.ts'
import { SharedArena } from './shared-arena.ts'

/**
 * What a thread needs to open the head for reading: structured-clonable, all buffers shared.
 * `readerSlot` is the reader's own word in the control block; the writer waits for it before it uses freed chunks again.
 */
export interface HeadDescriptor {
  readonly control: SharedArrayBuffer
  readonly symbols: SharedArrayBuffer
  readonly pairs: SharedArrayBuffer
  readonly postings: SharedArrayBuffer
  readonly labels: SharedArrayBuffer
  readonly series: SharedArrayBuffer
  readonly chunks: SharedArrayBuffer
  readonly late: SharedArrayBuffer
  /** Of the files that stored chunks are in; empty as long as there are none. */
  readonly chunksDirectory: string
  readonly readerSlot: number
}

export const readerSlotsMax = 64
export const subTables = 256

// Words of the control block. The first two make a sequence lock: they differ while a commit is being applied.
export const committedAt = 0
export const applyingAt = 1
/** Places for series that are published: references 1…n. */
export const seriesCountAt = 2
export const chunkCountAt = 3
export const symbolCountAt = 4
export const pairCountAt = 5
/** First entry of the list of label names (a pair id). */
export const firstNameAt = 6
/** Starts at 1; goes up when chunks are retired. */
export const epochAt = 7
export const hashSeedAt = 8
/** Goes up by two when a list of postings is written anew, and is odd meanwhile. */
export const postingsVersionAt = 9
/** Two doubles: oldest and newest time in the head, +Inf and -Inf when empty. */
export const minTimeAt = 10
export const maxTimeAt = 12
/** Goes up when series, pairs or symbols are freed: what a reader knows of their numbers is out of date from its next query on. */
export const freedAt = 14
/** Series that are not freed. */
export const liveSeriesAt = 15
export const slotsAt = 16
/** Directory of sub-tables: table region in units of 16 words << 5 | log2(slots). */
export const symbolDirectoryAt = slotsAt + readerSlotsMax
export const pairDirectoryAt = symbolDirectoryAt + subTables
/** Late floats: directories of the sealed generation and of the one that takes them (`late-layout.ts`), 0 = none. */
export const lateSealedAt = pairDirectoryAt + subTables
export const lateActiveAt = lateSealedAt + 1
/** Two doubles: oldest and newest time of late floats and histograms, +Inf and -Inf without any. */
export const lateMinTimeAt = lateActiveAt + 1
export const lateMaxTimeAt = lateMinTimeAt + 2
/** The lowest number of a file that stored chunks may be in. */
export const chunkFilesFromAt = lateMaxTimeAt + 2
/** As those of floats, of late histograms. */
export const lateHistogramsSealedAt = chunkFilesFromAt + 2
export const lateHistogramsActiveAt = lateHistogramsSealedAt + 1
/** 1 from when on a reader found that a stored chunk cannot be read: a start that reads the logs has its samples again. */
export const storedDamageAt = chunkFilesFromAt + 1
const tablesBytesMax = 2 ** 33
const arenas = 7
const controlWords = lateHistogramsActiveAt + 1

/**
 * The shared memory of a head, family by family. FORMAT.md, "The head in memory", has every layout.
 * One thread writes; any number of threads read, each through a `HeadMemory` of its own.
 */
export class HeadMemory {
  readonly control: Int32Array
  readonly controlDoubles: Float64Array
  /** ┌ length 4 B ┬ UTF-8 bytes, padded to 4 ┐ ; a symbol's id is its word index. */
  readonly symbols: SharedArena
  /** Records of 8 words: one per distinct (name, value) and one per distinct name. */
  readonly pairs: SharedArena
  /** Pieces of postings, and the open-addressing tables of (hash, id) for symbols and pairs: outgrown tables become postings. */
  readonly postings: SharedArena
  /** ┌ count ┬ pair ids, sorted by name ┐ per series. */
  readonly labels: SharedArena
  /** Records of 16 words, one cache line each. */
  readonly series: SharedArena
  /** Pieces of 16 words, chained into chunks. */
  readonly chunks: SharedArena
  /** Samples that came after later ones of their series: `late-layout.ts`. */
  readonly late: SharedArena
  /** Of the files that stored chunks are in. */
  chunksDirectory: string

  constructor(buffers: Omit<HeadDescriptor, 'readerSlot'>) {
    this.control = new Int32Array(buffers.control)
    this.controlDoubles = new Float64Array(buffers.control)
    this.symbols = new SharedArena(buffers.symbols)
    this.pairs = new SharedArena(buffers.pairs)
    this.postings = new SharedArena(buffers.postings)
    this.labels = new SharedArena(buffers.labels)
    this.series = new SharedArena(buffers.series)
    this.chunks = new SharedArena(buffers.chunks)
    this.late = new SharedArena(buffers.late)
    this.chunksDirectory = buffers.chunksDirectory
  }

  /** `bytesMax` bounds each family's address space (less where that is limited); only what is used takes memory. */
  static create(memoryBytesMax: number, hashSeed: number): HeadMemory {
    const bytesMax = Math.min(memoryBytesMax, measureAddressSpace() / arenas)
    const memory = new HeadMemory({
      control: HeadMemory.createControl(),
      symbols: SharedArena.reserve(bytesMax).buffer,
      pairs: SharedArena.reserve(bytesMax).buffer,
      // The directories of tables have 27 bits for units of 16 words.
      postings: SharedArena.reserve(Math.min(bytesMax, tablesBytesMax)).buffer,
      labels: SharedArena.reserve(bytesMax).buffer,
      series: SharedArena.reserve(bytesMax).buffer,
      chunks: SharedArena.reserve(bytesMax).buffer,
      late: SharedArena.reserve(bytesMax).buffer,
      chunksDirectory: '',
    })
    memory.control[hashSeedAt] = hashSeed
    return memory
  }

  /** The control block of a head without anything. */
  static createControl(): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(controlWords * 4)
    const doubles = new Float64Array(buffer)
    new Int32Array(buffer)[epochAt] = 1
    doubles[minTimeAt / 2] = Infinity
    doubles[maxTimeAt / 2] = -Infinity
    doubles[lateMinTimeAt / 2] = Infinity
    doubles[lateMaxTimeAt / 2] = -Infinity
    return buffer
  }

  saveState(state: StateWriter): void {
    state.array('control', this.control)
    for (const [name, arena] of this.#arenas) arena.saveState(state.part(name))
  }

  /** Nobody reads it: the slots of readers are empty then. Throws if the reservation is too small. */
  restoreState(state: StateReader): void {
    this.control.set(new Int32Array(state.words('control').buffer))
    this.control.fill(0, slotsAt, slotsAt + readerSlotsMax)
    for (const [name, arena] of this.#arenas) arena.restoreState(state.part(name))
  }

  get #arenas(): [string, SharedArena][] {
    const { symbols, pairs, postings, labels, series, chunks, late } = this
    return Object.entries({ symbols, pairs, postings, labels, series, chunks, late })
  }

  descriptor(readerSlot: number): HeadDescriptor {
    return { ...this.describeFor(this.control.buffer as SharedArrayBuffer), readerSlot }
  }

  /** The same memory with another control block. */
  describeFor(control: SharedArrayBuffer): Omit<HeadDescriptor, 'readerSlot'> {
    return {
      control,
      symbols: this.symbols.buffer,
      pairs: this.pairs.buffer,
      postings: this.postings.buffer,
      labels: this.labels.buffer,
      series: this.series.buffer,
      chunks: this.chunks.buffer,
      late: this.late.buffer,
      chunksDirectory: this.chunksDirectory,
    }
  }

  get minTime(): number {
    return this.controlDoubles[minTimeAt / 2]!
  }

  set minTime(timeMs: number) {
    this.controlDoubles[minTimeAt / 2] = timeMs
  }

  get maxTime(): number {
    return this.controlDoubles[maxTimeAt / 2]!
  }

  set maxTime(timeMs: number) {
    this.controlDoubles[maxTimeAt / 2] = timeMs
  }

  get lateMinTime(): number {
    return this.controlDoubles[lateMinTimeAt / 2]!
  }

  set lateMinTime(timeMs: number) {
    this.controlDoubles[lateMinTimeAt / 2] = timeMs
  }

  get lateMaxTime(): number {
    return this.controlDoubles[lateMaxTimeAt / 2]!
  }

  set lateMaxTime(timeMs: number) {
    this.controlDoubles[lateMaxTimeAt / 2] = timeMs
  }

  /** Writer only: bytes given out over all families. */
  get usedBytes(): number {
    return (
      this.symbols.usedBytes +
      this.pairs.usedBytes +
      this.postings.usedBytes +
      this.labels.usedBytes +
      this.series.usedBytes +
      this.chunks.usedBytes +
      this.late.usedBytes
    )
  }
}
