import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { isHistogramEncoding } from '../chunk/chunk-encoding.ts'
import { BlockError } from './block-error.ts'
import { writeBlockMeta } from './block-meta.ts'
import type { BlockCompaction, BlockMeta } from './block-meta.ts'
import { readChunkSampleCount } from './chunk-format.ts'
import { ChunkFileWriter } from './chunk-file-writer.ts'
import { IndexWriter } from './index-writer.ts'
import { syncBlockDirectory } from './output-file.ts'
import { Tombstones } from './tombstones.ts'
import { isUlid } from './ulid.ts'

export const creationSuffix = '.tmp-for-creation'

/** One chunk to be written; `data` is what stands in a file without length, encoding and checksum. */
export interface BlockChunk {
  /** 1 XOR, 2 histogram, 3 float histogram, 4 XOR2, 5 and 6 histograms with start times. Older Prometheus, Thanos and VictoriaMetrics read 1 to 3 only. */
  readonly encoding: number
  /** Of the first and the last sample. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly data: Uint8Array
}

/**
 * A label set; or name, value, name, value, … in ascending order of names, as bytes or texts; or the same as ordinals of the symbols
 * that were given, which is what a merge of blocks has.
 */
export type SeriesLabels = Labels | readonly (string | Uint8Array)[] | Uint32Array

export interface BlockDescription {
  /** Milliseconds: all samples lie in [minTimeMs, maxTimeMs). */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly compaction: BlockCompaction
  /** Further fields of meta.json, such as `thanos`. */
  readonly extra?: Readonly<Record<string, unknown>>
}

export interface BlockWriterOptions {
  /** Bytes after which the next file of chunks begins; 512 MiB if not given. */
  readonly chunkFileBytesMax?: number
  /** Postings put together in memory at a time; 16 million if not given. */
  readonly postingsAtOnceMax?: number
}

/**
 * Writes a block: `symbols` once, then `addSeries` in strictly ascending order of labels, then `finish` or `discard`. Until `finish`
 * renames it the directory is `ULID.tmp-for-creation`, which Prometheus and we delete on the next start. Writes are synchronous: for worker threads and
 * tools. Memory: see `IndexWriter`. What is refused throws a `BlockError`; the block is then only good for `discard`.
 */
export class BlockWriter {
  readonly ulid: string
  /** Where the block will stand. */
  readonly directory: string
  numSamples = 0
  numFloatSamples = 0
  numChunks = 0
  readonly #parent: string
  readonly #temporary: string
  readonly #chunks: ChunkFileWriter
  readonly #index: IndexWriter
  #hasSymbols = false
  #minTimeMs = Infinity
  #maxTimeMs = -Infinity
  // Of the series that is being added.
  #labels = new Uint32Array(64)
  readonly #minTimes: number[] = []
  readonly #maxTimes: number[] = []
  readonly #references: number[] = []

  constructor(parentDirectory: string, ulid: string, options: BlockWriterOptions = {}) {
    if (!isUlid(ulid)) throw new BlockError('write', parentDirectory, 0, `want a ULID as name of a block, got ${JSON.stringify(ulid)}`)
    this.ulid = ulid
    this.directory = join(parentDirectory, ulid)
    this.#parent = parentDirectory
    this.#temporary = this.directory + creationSuffix
    const chunks = join(this.#temporary, 'chunks')
    this.#try(() => {
      rmSync(this.#temporary, { recursive: true, force: true })
      mkdirSync(chunks, { recursive: true })
    })
    this.#chunks = new ChunkFileWriter(chunks, options.chunkFileBytesMax)
    this.#index = new IndexWriter(join(this.#temporary, 'index'), options)
  }

  get numSeries(): number {
    return this.#index.seriesCount
  }

  /** All names and values, strictly ascending as bytes; more than the series use do no harm. Called once, before any series. */
  symbols(symbols: Iterable<string | Uint8Array>): void {
    if (this.#hasSymbols) throw this.#refuse('want symbols once')
    this.#hasSymbols = true
    this.#index.writeSymbols(symbols)
  }

  /** At least one label and one chunk; chunks in the order of time, without overlap. */
  addSeries(labels: SeriesLabels, chunks: readonly BlockChunk[]): void {
    const resolved = labels instanceof Uint32Array ? labels : this.#resolve(labels instanceof Labels ? labels.pairs : labels)
    const length = labels instanceof Uint32Array ? labels.length : labels instanceof Labels ? labels.pairs.length : labels.length
    if (length % 2 !== 0) throw this.#refuse(`want pairs of name and value, got ${length} of them`)
    for (let i = 0; i < chunks.length; i++) {
      const { encoding, minTimeMs, maxTimeMs, data } = chunks[i]!
      if (!Number.isSafeInteger(minTimeMs) || !Number.isSafeInteger(maxTimeMs)) {
        throw this.#refuse(`want times in whole milliseconds, got ${minTimeMs} and ${maxTimeMs}`)
      }
      this.#minTimes[i] = minTimeMs
      this.#maxTimes[i] = maxTimeMs
      this.#references[i] = this.#chunks.write(encoding, data)
      const samples = readChunkSampleCount(encoding, data)
      if (samples === 0) throw this.#refuse('want chunks with samples, got an empty one')
      this.numSamples += samples
      if (!isHistogramEncoding(encoding)) this.numFloatSamples += samples
    }
    const list = { count: chunks.length, minTimes: this.#minTimes, maxTimes: this.#maxTimes, chunks: this.#references }
    this.#index.addSeries(resolved, length / 2, list)
    this.numChunks += chunks.length
    this.#minTimeMs = Math.min(this.#minTimeMs, this.#minTimes[0]!)
    this.#maxTimeMs = Math.max(this.#maxTimeMs, this.#maxTimes[chunks.length - 1]!)
  }

  /** Writes the rest, syncs everything and gives the block its name; when it resolves the block survives a power cut. */
  async finish(description: BlockDescription): Promise<BlockMeta> {
    const { minTimeMs, maxTimeMs } = description
    if (this.numSeries === 0) throw this.#refuse('want at least one series')
    if (this.#minTimeMs < minTimeMs || this.#maxTimeMs >= maxTimeMs) {
      throw this.#refuse(`want samples in [${minTimeMs}, ${maxTimeMs}), got some in [${this.#minTimeMs}, ${this.#maxTimeMs}]`)
    }
    const meta = this.#describe(description)
    await this.#chunks.finish()
    await this.#index.finish()
    await this.#writeTombstones()
    await syncBlockDirectory(join(this.#temporary, 'chunks'))
    // Syncs the directory as well.
    await writeBlockMeta(this.#temporary, meta)
    try {
      await rename(this.#temporary, this.directory)
    } catch (cause) {
      throw new BlockError('write', this.directory, 0, cause instanceof Error ? cause.message : String(cause), { cause })
    }
    await syncBlockDirectory(this.#parent)
    return meta
  }

  /** Deletes what was written, after an error or instead of `finish`. */
  async discard(): Promise<void> {
    await this.#chunks.abandon()
    this.#index.abandon()
    await rm(this.#temporary, { recursive: true, force: true })
  }

  #resolve(pairs: readonly (string | Uint8Array)[]): Uint32Array {
    if (this.#labels.length < pairs.length) this.#labels = new Uint32Array(pairs.length * 2)
    const labels = this.#labels
    for (let i = 0; i < pairs.length; i++) {
      const ordinal = this.#index.symbols.find(pairs[i]!)
      if (ordinal < 0) throw this.#refuse(`want a symbol that was given, got ${JSON.stringify(String(pairs[i]))}`)
      labels[i] = ordinal
    }
    return labels
  }

  #describe({ minTimeMs, maxTimeMs, compaction, extra }: BlockDescription): BlockMeta {
    const { numSamples, numFloatSamples, numSeries, numChunks } = this
    const numHistogramSamples = numSamples - numFloatSamples
    return {
      ulid: this.ulid,
      minTime: minTimeMs,
      maxTime: maxTimeMs,
      stats: {
        numSamples,
        ...(numFloatSamples === 0 ? {} : { numFloatSamples }),
        ...(numHistogramSamples === 0 ? {} : { numHistogramSamples }),
        numSeries,
        numChunks,
      },
      compaction,
      version: 1,
      ...extra,
    }
  }

  // Prometheus writes a file without stones too.
  async #writeTombstones(): Promise<void> {
    const path = join(this.#temporary, 'tombstones')
    this.#try(() => writeFileSync(path, new Tombstones().encode()))
    const file = await open(path, 'r')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  #try(action: () => void): void {
    try {
      action()
    } catch (cause) {
      throw new BlockError('write', this.#temporary, 0, cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  #refuse(problem: string): BlockError {
    return new BlockError('write', this.#temporary, 0, problem)
  }
}
