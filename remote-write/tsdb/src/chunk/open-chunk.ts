import { wordMask, wordShift } from '../head/shared-arena.ts'
import type { SharedArena } from '../head/shared-arena.ts'

/**
 * Chunks that grow in shared memory while others read them: chains of pieces of 16 words (one cache line), never moved.
 *
 * first piece:  ┌ previous chunk ┬ first ordinal ┬ start time, double, 2 words ┬ span ┬ 10 data words ┬ link ┐
 * further ones: ┌ 15 data words ┬ link ┐
 *
 * The data words hold the bits of Prometheus' XOR chunk after its 2-byte sample count, most significant bit first; a piece's
 * link is the next piece's word index, 0 in the last one. `first ordinal` counts the series' samples before this chunk, `span` is the last time
 * minus the start time in ms and is set when the chunk is closed. The bits of a sample never change once written, and a word
 * that fills up keeps those it has: whoever knows a published count can decode that many samples at any time.
 */
export const pieceWords = 16
export const linkField = 15
export const previousChunkField = 0
export const firstOrdinalField = 1
export const startTimeField = 2
export const spanField = 4
export const firstDataField = 5

/**
 * A chunk is named by the word index of its first piece, whose low bits say what it holds. A chunk of histograms has the bits of Prometheus'
 * histogram chunk after its sample count; see `head/histogram-chunks.ts`.
 */
export const chunkKindMask = 3
export const floatChunk = 0
export const histogramChunk = 1
export const floatHistogramChunk = 2
/** Set for a chunk whose data are in a file: in memory it is one half of a piece, with the fields of a first piece up to `spanField` and these. */
export const storedFlag = 4
export const storedFileField = 5
export const storedOffsetField = 6
/** Bytes of its entry in the file. */
export const storedBytesField = 7
const storedWords = 8

/** Where a chunk is in the files of the head: a file's number, and the offset and length of the chunk's entry in it. */
export interface StoredPlace {
  readonly file: number
  readonly offset: number
  readonly bytes: number
}

const chunkFlagsMask = 7
/** For the place of a chunk's first word in its window. */
export const chunkMask = wordMask & ~chunkFlagsMask

const dataWordsOfFirst = linkField - firstDataField
const sampleCountBytes = 2

// The encoder's state between two samples, 4 words in the owner's record:
// ┌ last delta of time, ms ┬ count 16 │ trailing 8 │ leading 8 ┬ word index of the tail ┬ pieces 24 │ whole bytes 1 │ free bits 7 ┐
const packedState = 1
/** The place in the state of the word index of the word that the next bits go into. */
export const tailState = 2
const bitState = 3
const noWindow = 0xff
const freeBitsMask = 0x7f
// Set when the newest sample ended with a field of whole bytes: Prometheus' writer has then begun one byte more, which shows when
// the bits end at a byte's end.
const wholeBytesFlag = 0x80

export function readSampleCount(state: Uint32Array, at: number): number {
  return state[at + packedState]! >>> 16
}

/** Bytes of the chunk as it would stand in a file, sample count included. */
export function readChunkBytes(state: Uint32Array, at: number): number {
  const pieces = state[at + bitState]! >>> 8
  const inPiece = state[at + tailState]! & (pieceWords - 1)
  const words = pieces === 1 ? inPiece - firstDataField : dataWordsOfFirst + (pieces - 2) * linkField + inPiece
  const bits = words * 32 + 32 - (state[at + bitState]! & freeBitsMask)
  const begunByte = (bits & 7) === 0 && (state[at + bitState]! & wholeBytesFlag) !== 0 ? 1 : 0
  return sampleCountBytes + Math.ceil(bits / 8) + begunByte
}

/** Pieces of the open chunk: one of at most n is below 60 n bytes. */
export function readPieceCount(state: Uint32Array, at: number): number {
  return state[at + bitState]! >>> 8
}

/** What a writer has beside the arena: where its lists of free memory begin, and words of the arena that are given out. Plain data. */
export interface ChunkWriterState {
  readonly usedWords: number
  readonly freePiece: number
  readonly freePieces: number
  readonly freeHalf: number
}

/** Encodes samples into open chunks; the one writer of a chunk arena. */
export class OpenChunkWriter {
  readonly #arena: SharedArena
  /** Pieces to use again, chained by their links. */
  #freePiece = 0
  freePieces = 0
  /** Halves of pieces to use again for stored chunks, chained by their first words. */
  #freeHalf = 0
  #window: Uint32Array
  #tail = 0
  #word = 0
  #free = 32
  #pieces = 0
  #ending = 0

  constructor(arena: SharedArena) {
    this.#arena = arena
    this.#window = arena.words[0]!
  }

  /** For another writer, which goes on instead of this one. */
  get state(): ChunkWriterState {
    return {
      usedWords: this.#arena.usedWords,
      freePiece: this.#freePiece,
      freePieces: this.freePieces,
      freeHalf: this.#freeHalf,
    }
  }

  /** Goes on where another writer stopped. */
  takeOver({ usedWords, freePiece, freePieces, freeHalf }: ChunkWriterState): void {
    this.#arena.takeOver(usedWords)
    this.#freePiece = freePiece
    this.freePieces = freePieces
    this.#freeHalf = freeHalf
  }

  /** Whether `samples` more samples surely find memory: each takes at most one new piece. */
  ensure(samples: number): boolean {
    return samples <= this.freePieces || this.#arena.ensure((samples - this.freePieces) * pieceWords)
  }

  /** Starts a chunk with its first sample and gives its word index. */
  start(
    state: Uint32Array,
    at: number,
    previousChunk: number,
    firstOrdinal: number,
    timeMs: number,
    lowWord: number,
    highWord: number,
  ): number {
    const chunk = this.startPieces(previousChunk, firstOrdinal, timeMs)
    const words = this.#arena.words[chunk >>> wordShift]!
    this.#window = words
    this.#tail = chunk + firstDataField
    this.#word = 0
    this.#free = 32
    this.#pieces = 1
    this.#putUvarint(timeMs < 0 ? -timeMs * 2 - 1 : timeMs * 2)
    this.#put(highWord, 32)
    this.#put(lowWord, 32)
    words[this.#tail & wordMask] = this.#word
    state[at] = 0
    state[at + packedState] = (1 << 16) | noWindow
    state[at + tailState] = this.#tail
    state[at + bitState] = (this.#pieces << 8) | wholeBytesFlag | this.#free
    return chunk
  }

  /** The first piece of a chunk whose data the caller puts. */
  startPieces(previousChunk: number, firstOrdinal: number, timeMs: number): number {
    const chunk = this.#takePiece()
    const words = this.#arena.words[chunk >>> wordShift]!
    const offset = chunk & wordMask
    words[offset + previousChunkField] = previousChunk
    words[offset + firstOrdinalField] = firstOrdinal
    this.#arena.doubles[chunk >>> wordShift]![(offset + startTimeField) >>> 1] = timeMs
    words[offset + spanField] = 0
    return chunk
  }

  /** Whether one more stored chunk surely finds memory that is not of the next `reserve` samples. */
  ensureStored(reserve: number): boolean {
    return this.#freeHalf !== 0 || this.ensure(1 + reserve)
  }

  /**
   * What stands in memory for a closed chunk that is in a file, and how it is named: `kind` is of `chunkKindMask`. The caller has made sure of the
   * memory by `ensureStored`.
   */
  putStored(kind: number, previousChunk: number, firstOrdinal: number, timeMs: number, spanMs: number, place: StoredPlace): number {
    if (this.#freeHalf === 0) this.#takeHalves()
    const half = this.#freeHalf
    const words = this.#arena.words[half >>> wordShift]!
    const at = half & wordMask
    this.#freeHalf = words[at]!
    words[at + previousChunkField] = previousChunk
    words[at + firstOrdinalField] = firstOrdinal
    this.#arena.doubles[half >>> wordShift]![(at + startTimeField) >>> 1] = timeMs
    words[at + spanField] = spanMs
    words[at + storedFileField] = place.file
    words[at + storedOffsetField] = place.offset
    words[at + storedBytesField] = place.bytes
    return (half | storedFlag | kind) >>> 0
  }

  /** Links one more piece to the piece that ends at the word index `link`, and gives its first word. */
  addPiece(link: number): number {
    const piece = this.#takePiece()
    this.#arena.words[link >>> wordShift]![link & wordMask] = piece
    return piece
  }

  /** Adds a sample that is later than the previous one, whose time and value the caller kept. */
  append(
    state: Uint32Array,
    at: number,
    timeMs: number,
    lowWord: number,
    highWord: number,
    previousTimeMs: number,
    previousLowWord: number,
    previousHighWord: number,
  ): void {
    const tail = state[at + tailState]!
    const packed = state[at + packedState]!
    this.#tail = tail
    this.#window = this.#arena.words[tail >>> wordShift]!
    this.#word = this.#window[tail & wordMask]!
    this.#free = state[at + bitState]! & freeBitsMask
    this.#pieces = state[at + bitState]! >>> 8
    // A word that is just begun may hold what its piece held before.
    if (this.#free === 32) this.#word = 0
    const delta = timeMs - previousTimeMs
    if (packed >>> 16 === 1) this.#putUvarint(delta)
    else this.#putTimeChange(delta - state[at]!)
    state[at] = delta
    const window = this.#putValue(packed & 0xffff, lowWord ^ previousLowWord, highWord ^ previousHighWord)
    this.#window[this.#tail & wordMask] = this.#word
    state[at + packedState] = ((packed & 0xffff0000) + 0x10000) | window
    state[at + tailState] = this.#tail
    state[at + bitState] = (this.#pieces << 8) | this.#ending | this.#free
  }

  /** Gives a chunk's memory back. No reader may hold it. */
  free(chunk: number): void {
    const first = (chunk & ~chunkFlagsMask) >>> 0
    if ((chunk & storedFlag) !== 0) {
      this.#arena.words[first >>> wordShift]![first & wordMask] = this.#freeHalf
      this.#freeHalf = first
      return
    }
    for (let piece = first; piece !== 0;) {
      const words = this.#arena.words[piece >>> wordShift]!
      const link = (piece & wordMask) + linkField
      const next = words[link]!
      words[link] = this.#freePiece
      this.#freePiece = piece
      this.freePieces++
      piece = next
    }
  }

  #takeHalves(): void {
    const piece = this.#takePiece()
    const words = this.#arena.words[piece >>> wordShift]!
    words[piece & wordMask] = piece + storedWords
    words[(piece & wordMask) + storedWords] = 0
    words[(piece & wordMask) + linkField] = 0
    this.#freeHalf = piece
  }

  // Prometheus' buckets of n bits reach from -(2^(n-1) - 1) to 2^(n-1).
  #putTimeChange(change: number): void {
    if (change === 0) this.#put(0, 1)
    else if (change >= -8191 && change <= 8192) this.#put(0x8000 | (change & 0x3fff), 16)
    else if (change >= -65535 && change <= 65536) this.#put(0xc0000 | (change & 0x1ffff), 20)
    else if (change >= -524287 && change <= 524288) this.#put(0xe00000 | (change & 0xfffff), 24)
    else {
      this.#put(0xf, 4)
      this.#put(Math.floor(change / 0x1_0000_0000) >>> 0, 32)
      this.#put(change >>> 0, 32)
    }
  }

  /** Gives the window (trailing << 8 | leading) after this value. */
  #putValue(window: number, low: number, high: number): number {
    if ((low | high) === 0) {
      this.#put(0, 1)
      this.#ending = 0
      return window
    }
    // The format has 5 bits for the leading zeros.
    const leading = high !== 0 ? Math.clz32(high) : 31
    const trailing = low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high)
    const windowLeading = window & 0xff
    const windowTrailing = window >>> 8
    if (leading >= windowLeading && trailing >= windowTrailing && windowLeading !== noWindow) {
      this.#put(0b10, 2)
      this.#putBits(low, high, windowTrailing, 64 - windowLeading - windowTrailing)
      return window
    }
    const significant = 64 - leading - trailing
    // 64 does not fit into 6 bits and is written as 0, a count that cannot occur.
    this.#put(0x1800 | (leading << 6) | (significant & 63), 13)
    this.#putBits(low, high, trailing, significant)
    return (trailing << 8) | leading
  }

  /** `count` bits of the 64-bit word from bit `shift` up. */
  #putBits(low: number, high: number, shift: number, count: number): void {
    this.#ending = (count & 7) === 0 ? wholeBytesFlag : 0
    if (shift >= 32) {
      this.#put(high >>> (shift - 32), count)
      return
    }
    const lowPart = shift === 0 ? low : (low >>> shift) | (high << (32 - shift))
    if (count > 32) {
      this.#put(high >>> shift, count - 32)
      this.#put(lowPart, 32)
    } else {
      this.#put(lowPart, count)
    }
  }

  #putUvarint(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.#put((rest % 128) | 0x80, 8)
      rest = Math.floor(rest / 128)
    }
    this.#put(rest, 8)
  }

  /** The low `count` bits (1…32) of `bits`, of which no higher one may be set. */
  #put(bits: number, count: number): void {
    const free = this.#free - count
    if (free > 0) {
      this.#word |= bits << free
      this.#free = free
      return
    }
    this.#window[this.#tail & wordMask] = this.#word | (bits >>> -free)
    this.#free = 32 + free
    this.#word = free === 0 ? 0 : bits << (32 + free)
    this.#tail++
    if ((this.#tail & (pieceWords - 1)) === linkField) this.#takeNextPiece()
  }

  #takeNextPiece(): void {
    const piece = this.#takePiece()
    this.#window[this.#tail & wordMask] = piece
    this.#tail = piece
    this.#window = this.#arena.words[piece >>> wordShift]!
    this.#pieces++
  }

  #takePiece(): number {
    const piece = this.#freePiece
    if (piece === 0) return this.#arena.allocate(pieceWords, pieceWords)
    const words = this.#arena.words[piece >>> wordShift]!
    const link = (piece & wordMask) + linkField
    this.#freePiece = words[link]!
    words[link] = 0
    this.freePieces--
    return piece
  }
}
