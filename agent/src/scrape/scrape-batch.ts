import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW, writeStale } from '@narthex/model/stale'
import type { FrameSink, SeriesLayout } from '../store/frame.ts'
import { BatchExemplars } from './target-exemplars.ts'
import { BatchHistograms } from './target-histograms.ts'

/**
 * The arrays of the batch being built. The sink copies them before `append` returns, so all targets build theirs in the same ones.
 */
class ScrapeBatchArrays {
  indexes = new Uint32Array(1024)
  times = new Float64Array(1024)
  words = new Uint32Array(2048)
  /** Only for batches with timestamps of their own: start timestamps, and the place in the batch of each series, for exemplars. */
  starts = new Float64Array(0)
  places = new Int32Array(0)
  readonly histograms = new BatchHistograms()
  readonly exemplars = new BatchExemplars()

  /** Room for `count` samples, of which the first `kept` stay. */
  reserve(count: number, kept = 0): void {
    if (count <= this.indexes.length) return
    const { indexes, words } = this
    const capacity = Math.max(count, indexes.length * 2)
    this.indexes = new Uint32Array(capacity)
    this.times = new Float64Array(capacity)
    this.words = new Uint32Array(capacity * 2)
    this.indexes.set(indexes.subarray(0, kept))
    this.words.set(words.subarray(0, 2 * kept))
  }

  /** As `reserve`, with the arrays that only batches with timestamps of their own need; empties the rare columns. */
  reserveTimed(count: number): void {
    this.reserve(count)
    this.resetRare()
    if (count <= this.starts.length) return
    this.starts = new Float64Array(this.indexes.length)
    this.places = new Int32Array(this.indexes.length)
  }

  resetRare(): void {
    this.histograms.reset()
    this.exemplars.reset()
  }

  putStale(at: number, series: number): void {
    this.indexes[at] = series
    writeStale(this.words, at)
  }

  putNumber(at: number, series: number, value: number): void {
    this.indexes[at] = series
    wordsFloat[0] = value
    this.words[2 * at] = value === value ? wordsHalves[0]! : NORMAL_NAN_LOW
    this.words[2 * at + 1] = value === value ? wordsHalves[1]! : NORMAL_NAN_HIGH
  }

  /** The first `count` samples, all of one time. */
  append(sink: FrameSink, layout: SeriesLayout, timeMs: number, count: number): void {
    if (count > 0) sink.append({ layout, indexes: this.indexes, times: timeMs, words: this.words, count })
  }

  /** The first `count` samples with a time each, and the rare columns. */
  appendTimed(sink: FrameSink, layout: SeriesLayout, count: number, hasStarts: boolean): void {
    const { indexes, times, words, histograms, exemplars } = this
    const starts = hasStarts ? { startTimes: this.starts } : {}
    if (count > 0) sink.append({ layout, indexes, times, words, count, histograms, exemplars, ...starts })
  }
}

const wordsFloat = new Float64Array(1)
const wordsHalves = new Uint32Array(wordsFloat.buffer)

export const batch = new ScrapeBatchArrays()
