import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { unite } from '../block/postings-set.ts'
import * as record from '../head/series-record.ts'
import { PinnedChunks } from '../select/head-series-set.ts'
import { orderByLabels } from '../select/label-order.ts'
import { LabelReader } from '../select/label-reader.ts'
import { PostingsReader } from '../select/postings.ts'
import { copyHistogram } from '../chunk/copy-histogram.ts'
import { cutIntervals } from './cut-intervals.ts'
import type { HeadChunkRuns } from './head-chunk-runs.ts'
import type { LogContents } from './log-contents.ts'
import { SampleRun } from './sample-run.ts'
import type { RunSource } from './sample-run.ts'
import type { SeriesSource } from './series-source.ts'

export interface LogSelection {
  readonly selectors: readonly (readonly Matcher[])[]
  readonly minTimeMs: number
  readonly maxTimeMs: number
}

/** The series of a log in the order of their labels: floats, histograms, out-of-order samples and head chunks of each. */
export class LogSeriesSource implements SeriesSource {
  readonly #log: LogContents
  readonly #headChunks: HeadChunkRuns | undefined
  readonly #selection: LogSelection
  readonly #labels: LabelReader
  readonly #chunks: PinnedChunks
  readonly #refs: Uint32Array
  readonly #runs = [new SampleRun(), new SampleRun(), new SampleRun(), new SampleRun()] as const
  #at = -1

  constructor(log: LogContents, headChunks: HeadChunkRuns | undefined, selection: LogSelection) {
    this.#log = log
    this.#headChunks = headChunks
    this.#selection = selection
    const { memory, symbols, pairs, places } = log.head
    const check = (): void => {}
    this.#labels = new LabelReader(memory, symbols, pairs)
    const postings = new PostingsReader(symbols, pairs, this.#labels, check)
    this.#chunks = new PinnedChunks(memory)
    const refs = unite(selection.selectors.map((matchers) => postings.select(matchers, places)))
    const order = orderByLabels(refs, refs.length, { labels: this.#labels, pairs, symbols, check })
    this.#refs = order.map((i) => refs[i]!)
  }

  next(): Labels | undefined {
    this.#at++
    return this.#at < this.#refs.length ? this.#labels.labels(this.#refs[this.#at]!, false) : undefined
  }

  runs(): readonly RunSource[] {
    const ref = this.#refs[this.#at]!
    const [floats, histograms, late, lateHistograms] = this.#runs
    const { minTimeMs, maxTimeMs } = this.#selection
    const own = [
      this.#once(ref, floats, () => this.#readFloats(ref)),
      this.#once(ref, histograms, () => this.#readHistograms(ref)),
      ...(this.#log.late.has(ref) ? [this.#once(ref, late, () => this.#readLate(ref))] : []),
      ...(this.#log.lateHistograms.has(ref)
        ? [this.#once(ref, lateHistograms, () => this.#log.lateHistograms.read(ref, minTimeMs, maxTimeMs, lateHistograms.histograms))]
        : []),
    ]
    if (this.#headChunks === undefined) return own
    const intervals = this.#log.tombstones.intervals(ref)
    return [...own, ...this.#headChunks.runs(ref, minTimeMs, maxTimeMs, intervals)]
  }

  /** All samples of one kind as one stretch. */
  #once(ref: number, run: SampleRun, fill: () => void): RunSource {
    let isDone = false
    const nextRun = (): boolean => {
      if (isDone) return false
      isDone = true
      run.clear()
      fill()
      const intervals = this.#log.tombstones.intervals(ref)
      if (intervals !== undefined) cutIntervals(run, intervals)
      return true
    }
    return { run, nextRun }
  }

  #readFloats(ref: number): void {
    const { minTimeMs, maxTimeMs } = this.#selection
    const words = this.#log.head.memory.series.words[ref >>> record.seriesPerWindowShift]!
    const at = (ref & record.seriesPerWindowMask) << record.recordShift
    const chunk = words[at + record.openChunkField]!
    this.#chunks.read(chunk, words[at + record.totalField]!, minTimeMs, maxTimeMs, this.#runs[0].floats)
  }

  #readHistograms(ref: number): void {
    const { minTimeMs, maxTimeMs } = this.#selection
    const histograms = this.#log.histograms.get(ref)
    if (histograms === undefined) return
    for (let i = 0; i < histograms.length; i++) {
      const timeMs = histograms.times[i]!
      if (timeMs >= minTimeMs && timeMs <= maxTimeMs) copyHistogram(histograms, i, this.#runs[1].histograms)
    }
  }

  #readLate(ref: number): void {
    const { minTimeMs, maxTimeMs } = this.#selection
    const { floats } = this.#runs[2]
    this.#log.late.forEach(ref, (timeMs, low, high) => {
      if (timeMs >= minTimeMs && timeMs <= maxTimeMs) floats.push(timeMs, low, high)
    })
  }
}
