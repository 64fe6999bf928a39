import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { asBlockError, BlockError } from '../block/block-error.ts'
import type { BlockReader } from '../block/block-reader.ts'
import { BlockSeries } from '../block/series-entry.ts'
import { isAllDeleted } from '../block/tombstones.ts'
import { unknownReset } from '@narthex/model/reset-hint'
import { floatHistogramEncoding, histogramEncoding, isHistogramEncoding, xor2Encoding, xorEncoding } from '../chunk/chunk-encoding.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { StartTimeColumn } from '../chunk/start-time-column.ts'
import type { ChunkColumns } from '../chunk/decode-chunk.ts'
import { encodeHistograms, headerOf } from '../chunk/encode-histograms.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { dropDeletedHistograms } from './histogram-samples.ts'
import type { Queryable, SeriesSet } from './queryable.ts'
import { encodeChunks } from './series-chunks.ts'
import type { SeriesChunk } from './series-chunks.ts'

const seriesPerCheck = 512

export type OnDamage = (damage: BlockError) => void

function raise(damage: BlockError): void {
  throw damage
}

/** One block as a storage. */
export class BlockQueryable implements Queryable {
  /** Called every few milliseconds of a selection; may throw to end it. */
  onProgress: () => void = () => {}
  readonly #block: BlockReader
  readonly #onDamage: OnDamage
  readonly #range: { readonly minTimeMs: number; readonly maxTimeMs: number }
  readonly #check = (): void => this.onProgress()

  /**
   * `onDamage` hears of a damaged series or chunk, which is then left out; by default it is thrown, as damage of all else always is.
   * `range`: where it has samples, if its meta.json is wrong.
   */
  constructor(block: BlockReader, onDamage: OnDamage = raise, range?: { readonly minTimeMs: number; readonly maxTimeMs: number }) {
    this.#block = block
    this.#onDamage = onDamage
    this.#range = range ?? { minTimeMs: block.meta.minTime, maxTimeMs: block.meta.maxTime }
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    const selected = this.overlaps(minTimeMs, maxTimeMs) ? this.#block.select(matchers, this.#check) : new Uint32Array(0)
    // Without its symbols no series can be read: that is told here, once.
    if (selected.length > 0) this.#block.index.symbols.check(0)
    return new BlockSeriesSet(this.#block, selected, minTimeMs, maxTimeMs, this.#check, this.#onDamage)
  }

  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.overlaps(minTimeMs, maxTimeMs) ? this.#block.labelNames(matchers, this.#check) : []
  }

  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return this.overlaps(minTimeMs, maxTimeMs) ? this.#block.labelValues(name, matchers, this.#check) : []
  }

  overlaps(minTimeMs: number, maxTimeMs: number): boolean {
    return this.#range.minTimeMs <= maxTimeMs && minTimeMs < this.#range.maxTimeMs
  }
}

/** Only series with a chunk that may have samples of the time and is not deleted as a whole; it may turn out that a series has none. */
class BlockSeriesSet implements SeriesSet {
  readonly #block: BlockReader
  readonly #selected: Uint32Array
  readonly #minTimeMs: number
  readonly #maxTimeMs: number
  readonly #check: () => void
  readonly #onDamage: OnDamage
  readonly #series = new BlockSeries()
  #at = -1
  #labels: Labels | undefined
  #mayHaveHistograms = false

  constructor(block: BlockReader, selected: Uint32Array, minTimeMs: number, maxTimeMs: number, check: () => void, onDamage: OnDamage) {
    this.#block = block
    this.#selected = selected
    this.#minTimeMs = minTimeMs
    this.#maxTimeMs = maxTimeMs
    this.#check = check
    this.#onDamage = onDamage
  }

  next(): boolean {
    while (++this.#at < this.#selected.length) {
      if (this.#at % seriesPerCheck === 0) this.#check()
      try {
        this.#block.readSeries(this.#selected[this.#at]!, this.#series)
        if (!this.#hasChunk()) continue
        // At once, as a series whose labels cannot be read is none.
        this.#labels = this.#block.labels(this.#series)
        return true
      } catch (error) {
        if (!(error instanceof BlockError)) throw error
        this.#onDamage(error)
      }
    }
    return false
  }

  labels(): Labels {
    if (this.#labels === undefined) throw new Error('cannot give labels: there is no series')
    return this.#labels
  }

  samples(into: SampleColumns): void {
    const series = this.#series
    const before = into.length
    const columns: ChunkColumns = { floats: into, histograms }
    this.#mayHaveHistograms = false
    let last = series.chunkCount - 1
    while (last > 0 && series.minTimes[last]! > this.#maxTimeMs) last--
    for (let i = 0; i <= last; i++) {
      if (series.maxTimes[i]! < this.#minTimeMs) continue
      if (series.minTimes[i]! > this.#maxTimeMs) break
      const whole = into.length
      try {
        const { encoding, data } = this.#block.viewChunk(series.chunks[i]!, series.chunks[last]!)
        if (isHistogramEncoding(encoding)) this.#mayHaveHistograms = true
        else decodeChunk(encoding, data, columns, this.#minTimeMs, this.#maxTimeMs)
      } catch (error) {
        // Nothing of a chunk that is read in part.
        into.length = whole
        this.#onDamage(asBlockError(`chunk ${series.chunks[i]} of ${this.#block.directory}`, 0, error))
      }
    }
    histograms.clear()
    this.#block.tombstones.apply(series.reference, into, before)
  }

  hasHistograms(): boolean {
    return this.#mayHaveHistograms
  }

  startTimes(times: Float64Array, into: Float64Array): void {
    const series = this.#series
    for (let i = 0; i < series.chunkCount; i++) {
      if (series.maxTimes[i]! < this.#minTimeMs) continue
      if (series.minTimes[i]! > this.#maxTimeMs) break
      scratch.clear()
      starts.clear()
      try {
        const { encoding, data } = this.#block.chunk(series.chunks[i]!)
        if (encoding !== xor2Encoding) continue
        decodeChunk(encoding, data, { floats: scratch, startTimes: starts, histograms }, this.#minTimeMs, this.#maxTimeMs)
      } catch {
        // `samples` has told of the damage.
        continue
      }
      for (let from = 0, at = 0; from < scratch.length; from++) {
        while (at < times.length && times[at]! < scratch.times[from]!) at++
        if (times[at] === scratch.times[from]) into[at] = starts.times[from]!
      }
    }
    scratch.clear()
  }

  histograms(into: HistogramColumns): void {
    const series = this.#series
    const before = into.length
    for (let i = 0; i < series.chunkCount; i++) {
      if (series.maxTimes[i]! < this.#minTimeMs) continue
      if (series.minTimes[i]! > this.#maxTimeMs) break
      const whole = into.length
      try {
        const { encoding, data } = this.#block.chunk(series.chunks[i]!)
        if (isHistogramEncoding(encoding))
          decodeChunk(encoding, data, { floats: scratch, histograms: into }, this.#minTimeMs, this.#maxTimeMs)
      } catch (error) {
        into.truncate(whole)
        this.#onDamage(asBlockError(`chunk ${series.chunks[i]} of ${this.#block.directory}`, 0, error))
      }
    }
    const deleted = this.#block.tombstones.intervals(series.reference)
    if (deleted !== undefined) dropDeletedHistograms(deleted, into, before)
  }

  chunks(): readonly SeriesChunk[] {
    const series = this.#series
    const list: SeriesChunk[] = []
    const deleted = this.#block.tombstones.intervals(series.reference)
    for (let i = 0; i < series.chunkCount; i++) {
      if (series.maxTimes[i]! < this.#minTimeMs) continue
      if (series.minTimes[i]! > this.#maxTimeMs) break
      try {
        this.#addChunk(i, deleted !== undefined, list)
      } catch (error) {
        this.#onDamage(asBlockError(`chunk ${series.chunks[i]} of ${this.#block.directory}`, 0, error))
      }
    }
    return list
  }

  #addChunk(i: number, hasDeleted: boolean, list: SeriesChunk[]): void {
    const { reference, chunks, minTimes, maxTimes } = this.#series
    const { encoding, data } = this.#block.chunk(chunks[i]!)
    const isWhole = !hasDeleted && minTimes[i]! >= this.#minTimeMs && maxTimes[i]! <= this.#maxTimeMs
    if (isWhole && (encoding === xorEncoding || encoding === histogramEncoding || encoding === floatHistogramEncoding)) {
      list.push({ minTimeMs: minTimes[i]!, maxTimeMs: maxTimes[i]!, encoding, data })
      return
    }
    scratch.clear()
    histograms.clear()
    decodeChunk(encoding, data, { floats: scratch, histograms }, this.#minTimeMs, this.#maxTimeMs)
    if (isHistogramEncoding(encoding)) {
      const deleted = this.#block.tombstones.intervals(reference)
      if (deleted !== undefined) dropDeletedHistograms(deleted, histograms, 0)
      const header = histograms.length === 0 ? unknownReset : headerOf(histograms, 0, histograms.times[0] === minTimes[i])
      encodeHistograms(histograms, 0, histograms.length, header, false, list)
      histograms.clear()
      return
    }
    this.#block.tombstones.apply(reference, scratch, 0)
    encodeChunks(scratch, list)
  }

  #hasChunk(): boolean {
    const { reference, chunkCount, minTimes, maxTimes } = this.#series
    const deleted = this.#block.tombstones.intervals(reference)
    for (let i = 0; i < chunkCount; i++) {
      if (maxTimes[i]! < this.#minTimeMs || minTimes[i]! > this.#maxTimeMs) continue
      if (deleted === undefined || !isAllDeleted(deleted, minTimes[i]!, maxTimes[i]!)) return true
    }
    return false
  }
}

// Filled and thrown away.
const histograms = new HistogramColumns(16, 128)
const starts = new StartTimeColumn()
const scratch = new SampleColumns()
