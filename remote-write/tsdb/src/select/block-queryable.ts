import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { SampleColumns } from '@narthex/model/sample-columns'
import type { BlockReader } from '../block/block-reader.ts'
import { BlockSeries } from '../block/series-entry.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import type { ChunkColumns } from '../chunk/decode-chunk.ts'
import { HistogramColumns } from '../chunk/histogram-columns.ts'
import type { Queryable, SeriesSet } from './queryable.ts'

const seriesPerCheck = 512

/** One block as a storage. Of its native histograms nothing is given yet: the engine takes floats. */
export class BlockQueryable implements Queryable {
  /** Called every few milliseconds of a selection; may throw to end it. */
  onProgress: () => void = () => {}
  readonly #block: BlockReader
  readonly #check = (): void => this.onProgress()

  constructor(block: BlockReader) {
    this.#block = block
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    const selected = this.#overlaps(minTimeMs, maxTimeMs) ? this.#block.select(matchers, this.#check) : new Uint32Array(0)
    return new BlockSeriesSet(this.#block, selected, minTimeMs, maxTimeMs, this.#check)
  }

  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.#overlaps(minTimeMs, maxTimeMs) ? this.#block.labelNames(matchers, this.#check) : []
  }

  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.#overlaps(minTimeMs, maxTimeMs) ? this.#block.labelValues(name, matchers, this.#check) : []
  }

  #overlaps(minTimeMs: number, maxTimeMs: number): boolean {
    const { minTime, maxTime } = this.#block.meta
    return minTime <= maxTimeMs && minTimeMs < maxTime
  }
}

/** Only series with a chunk that may have samples of the time; those whose samples of it are all deleted come too, with none. */
class BlockSeriesSet implements SeriesSet {
  readonly #block: BlockReader
  readonly #selected: Uint32Array
  readonly #minTimeMs: number
  readonly #maxTimeMs: number
  readonly #check: () => void
  readonly #series = new BlockSeries()
  #at = -1

  constructor(block: BlockReader, selected: Uint32Array, minTimeMs: number, maxTimeMs: number, check: () => void) {
    this.#block = block
    this.#selected = selected
    this.#minTimeMs = minTimeMs
    this.#maxTimeMs = maxTimeMs
    this.#check = check
  }

  next(): boolean {
    while (++this.#at < this.#selected.length) {
      if (this.#at % seriesPerCheck === 0) this.#check()
      this.#block.readSeries(this.#selected[this.#at]!, this.#series)
      if (this.#hasChunk()) return true
    }
    return false
  }

  labels(): Labels {
    return this.#block.labels(this.#series)
  }

  samples(into: SampleColumns): void {
    const series = this.#series
    const before = into.length
    const columns: ChunkColumns = { floats: into, histograms }
    for (let i = 0; i < series.chunkCount; i++) {
      if (series.maxTimes[i]! < this.#minTimeMs) continue
      if (series.minTimes[i]! > this.#maxTimeMs) break
      const { encoding, data } = this.#block.chunk(series.chunks[i]!)
      decodeChunk(encoding, data, columns, this.#minTimeMs, this.#maxTimeMs)
    }
    histograms.clear()
    this.#block.tombstones.apply(series.reference, into, before)
  }

  #hasChunk(): boolean {
    const { chunkCount, minTimes, maxTimes } = this.#series
    for (let i = 0; i < chunkCount; i++) if (maxTimes[i]! >= this.#minTimeMs && minTimes[i]! <= this.#maxTimeMs) return true
    return false
  }
}

// Filled and thrown away.
const histograms = new HistogramColumns(16, 128)
