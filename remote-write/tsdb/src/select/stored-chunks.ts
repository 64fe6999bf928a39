import { SampleColumns } from '@narthex/model/sample-columns'
import { BitReader } from '../chunk/bit-reader.ts'
import { floatHistogramEncoding, xorEncoding } from '../chunk/chunk-encoding.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { readHistograms } from '../chunk/histogram-decoder.ts'
import { chunkMask, storedBytesField, storedFileField, storedOffsetField } from '../chunk/open-chunk.ts'
import { decodeXorChunk } from '../chunk/xor-chunk.ts'
import { chunkFilesFromAt, storedDamageAt } from '../head/head-memory.ts'
import type { HeadMemory } from '../head/head-memory.ts'
import { wordShift } from '../head/shared-arena.ts'
import type { HeadChunk } from '../head-chunks/chunk-entry.ts'
import { HeadChunkReader } from '../head-chunks/head-chunk-reader.ts'
import type { SeriesChunk } from './series-chunks.ts'

/** Reads the chunks of the head that are in files. Errors are those of `HeadChunkReader.read` and `ChunkError`. */
export class StoredChunks {
  readonly #memory: HeadMemory
  readonly #cacheBytesMax: number | undefined
  #reader: HeadChunkReader | undefined

  constructor(memory: HeadMemory, cacheBytesMax?: number) {
    this.#memory = memory
    this.#cacheBytesMax = cacheBytesMax
  }

  /** Of a chunk of floats, its first `samples` samples with minTimeMs ≤ time ≤ maxTimeMs. */
  readFloats(chunk: number, samples: number, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const { encoding, data } = this.#read(chunk)
    if (encoding === xorEncoding) decodeXorChunk(data, into, minTimeMs, maxTimeMs, samples)
    // Those were complete before this head was there.
    else decodeChunk(encoding, data, { floats: into, histograms: others }, minTimeMs, maxTimeMs)
  }

  /** The same of a chunk of histograms. */
  readHistograms(chunk: number, samples: number, minTimeMs: number, maxTimeMs: number, into: HistogramColumns): void {
    const { encoding, data } = this.#read(chunk)
    if (samples === countOf(data)) {
      decodeChunk(encoding, data, { floats, histograms: into }, minTimeMs, maxTimeMs)
      return
    }
    const fewer = data.slice()
    fewer[0] = samples >>> 8
    fewer[1] = samples
    readHistograms(new BitReader(fewer), encoding === floatHistogramEncoding, false, into, minTimeMs, maxTimeMs)
  }

  /** The chunk as it stands in the file, if that is all that is asked for, and in a form that everyone reads. */
  copyWhole(chunk: number, samples: number, minTimeMs: number, maxTimeMs: number): SeriesChunk | undefined {
    const { encoding, data } = this.#read(chunk)
    if (encoding > floatHistogramEncoding || samples !== countOf(data)) return undefined
    return { minTimeMs, maxTimeMs, encoding, data: data.slice() }
  }

  /** Closes files that are gone. */
  closeGone(): void {
    this.#reader?.closeBefore(this.#memory.control[chunkFilesFromAt]!)
  }

  close(): void {
    this.#reader?.close()
  }

  #read(chunk: number): Pick<HeadChunk, 'encoding' | 'data'> {
    this.#reader ??= new HeadChunkReader(this.#memory.chunksDirectory, this.#cacheBytesMax)
    const words = this.#memory.chunks.window(chunk >>> wordShift)
    const at = chunk & chunkMask
    try {
      return this.#reader.read({
        file: words[at + storedFileField]!,
        offset: words[at + storedOffsetField]!,
        bytes: words[at + storedBytesField]!,
      })
    } catch (cause) {
      Atomics.store(this.#memory.control, storedDamageAt, 1)
      throw cause
    }
  }
}

function countOf(data: Uint8Array): number {
  return (data[0]! << 8) | data[1]!
}

// Of kinds that a chunk has none of.
const floats = new SampleColumns(1)
const others = new HistogramColumns()
