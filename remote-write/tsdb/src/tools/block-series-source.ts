import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { BlockReader } from '../block/block-reader.ts'
import { asBlockError } from '../block/block-error.ts'
import { unite } from '../block/postings-set.ts'
import { BlockSeries } from '../block/series-entry.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { SampleRun } from './sample-run.ts'
import type { RunSource } from './sample-run.ts'
import { cutIntervals } from './cut-intervals.ts'
import type { SeriesSource } from './series-source.ts'

/** The series of one block, in the order of their labels, chunk by chunk. Memory: a chunk, and a reference for each selected series. */
export class BlockSeriesSource implements SeriesSource, RunSource {
  readonly run = new SampleRun()
  readonly #block: BlockReader
  readonly #references: Uint32Array
  readonly #minTimeMs: number
  readonly #maxTimeMs: number
  readonly #series = new BlockSeries()
  #at = -1
  #chunk = 0

  /** Of the series that any of the selectors takes, those with a chunk that may have samples in [minTimeMs, maxTimeMs]. */
  constructor(block: BlockReader, selectors: readonly (readonly Matcher[])[], minTimeMs: number, maxTimeMs: number) {
    this.#block = block
    this.#references = unite(selectors.map((matchers) => block.select(matchers)))
    this.#minTimeMs = minTimeMs
    this.#maxTimeMs = maxTimeMs
  }

  next(): Labels | undefined {
    while (++this.#at < this.#references.length) {
      this.#block.readSeries(this.#references[this.#at]!, this.#series)
      this.#chunk = 0
      if (this.#hasChunk()) return this.#block.labels(this.#series)
    }
    return undefined
  }

  runs(): readonly RunSource[] {
    return [this]
  }

  nextRun(): boolean {
    const { run } = this
    run.clear()
    if (!this.#hasChunk()) return false
    const reference = this.#series.chunks[this.#chunk++]!
    const { encoding, data } = this.#block.chunk(reference)
    try {
      decodeChunk(encoding, data, run, this.#minTimeMs, this.#maxTimeMs)
    } catch (cause) {
      throw asBlockError(this.#block.directory, reference, cause)
    }
    const intervals = this.#block.tombstones.intervals(this.#series.reference)
    if (intervals !== undefined) cutIntervals(run, intervals)
    return true
  }

  /** Passes over chunks before the range of times. */
  #hasChunk(): boolean {
    const { chunkCount, minTimes, maxTimes } = this.#series
    while (this.#chunk < chunkCount && maxTimes[this.#chunk]! < this.#minTimeMs) this.#chunk++
    return this.#chunk < chunkCount && minTimes[this.#chunk]! <= this.#maxTimeMs
  }
}
