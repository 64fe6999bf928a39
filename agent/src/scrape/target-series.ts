import { entryHelp, entryType } from '@narthex/exposition/parser'
import type { ExpositionParser } from '@narthex/exposition/parser'
import { parseSeriesText, SeriesTextError } from '@narthex/exposition/series-text'
import type { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW, writeStale } from '@narthex/model/stale'
import type { FamilyMetadata, FrameSink, SeriesLayout } from '../store/frame.ts'
import { AnswerCache } from './answer-cache.ts'
import type { ReadOptions } from './answer-cache.ts'
import type { FamilyTable } from './family-table.ts'
import { LayoutEditor } from './layout-editor.ts'
import { limitHistogram } from './limit-histogram.ts'
import type { HistogramLimits } from './limit-histogram.ts'
import { ScrapeError } from './scrape-error.ts'
import { scrapeTimeMark, TargetColumns } from './target-columns.ts'
import { BatchExemplars, TargetExemplars } from './target-exemplars.ts'
import type { ExemplarCounts } from './target-exemplars.ts'
import { BatchHistograms } from './target-histograms.ts'

/** Explicit timestamps further ahead than this are dropped, as by Prometheus. */
const aheadMsMax = 600_000
/** Nor are those further than this from 1970: distances between timestamps stay exact numbers. */
const timeMsMax = 2 ** 48

export interface ReportSeries {
  readonly labels: Labels
  readonly family: FamilyMetadata
}

export interface TargetSeriesOptions {
  /** Number of the target for the layouts; batches of one number are sent in order. */
  readonly target: number
  /** `up` and the like; their values are given to `write` in this order. */
  readonly reportSeries: readonly ReportSeries[]
  readonly families: FamilyTable
  readonly honorTimestamps: boolean
  readonly trackTimestampsStaleness: boolean
  /** 0 = none. */
  readonly sampleLimit: number
  readonly histogramLimits: HistogramLimits
  /** Whether start timestamps are kept. */
  readonly startTimestamps: boolean
  /** Scraped labels → labels to keep, undefined to drop; throws ScrapeError. */
  readonly makeLabels: (scraped: Labels) => Labels | undefined
}

/** Figures of one answer; also of one that failed half-way. */
export interface AnswerCounts {
  /** Sample lines. */
  scraped: number
  /** Of these, not dropped by relabeling. */
  kept: number
  seriesAdded: number
  duplicates: number
}

/** Figures of explicit timestamps that were not written. */
export interface RefusedSamples {
  outOfOrder: number
  outOfBounds: number
}

/** Series that were in the answer before and are not any more, still numbered by the layout of then. */
interface Vanished {
  readonly layout: SeriesLayout
  readonly indexes: Uint32Array
}

// Batches are copied by the sink before `append` returns, so all targets build theirs in the same arrays.
let batchIndexes = new Uint32Array(1024)
let batchTimes = new Float64Array(1024)
let batchWords = new Uint32Array(2048)
let batchStarts = new Float64Array(0)
// Place in the batch of a series, for exemplars.
let batchPlaces = new Int32Array(0)
const batchHistograms = new BatchHistograms()
const batchExemplars = new BatchExemplars()

/**
 * The series of one target: reads answers into columns, keeps the layout in step with what the target exposes, and writes batches with
 * samples and stale markers. `read` and the `write…` that follows it are one synchronous step.
 */
export class TargetSeries {
  readonly #options: TargetSeriesOptions
  readonly #cache = new AnswerCache()
  readonly #columns = new TargetColumns()
  readonly #exemplars = new TargetExemplars()
  readonly #reportCount: number
  readonly #readOptions: ReadOptions
  #layout: SeriesLayout
  #vanished: Vanished | undefined
  // Every series but the report series ends with a stale marker at the moment.
  #allStale = true
  #wroteReport = false
  // Series left out of layouts since the symbols were last made compact.
  #leftOut = 0

  readonly counts: AnswerCounts = { scraped: 0, kept: 0, seriesAdded: 0, duplicates: 0 }
  readonly refused: RefusedSamples = { outOfOrder: 0, outOfBounds: 0 }

  get exemplarCounts(): ExemplarCounts {
    return this.#exemplars.counts
  }

  constructor(options: TargetSeriesOptions) {
    this.#options = options
    this.#reportCount = options.reportSeries.length
    const editor = new LayoutEditor(undefined)
    for (const { labels, family } of options.reportSeries) editor.add(labels, family)
    this.#layout = editor.build(
      options.target,
      () => true,
      () => undefined,
      false,
    ).layout
    this.#columns.reserve(this.#reportCount)
    this.#readOptions = {
      honorTimestamps: options.honorTimestamps,
      startTimestamps: options.startTimestamps,
      histogramLimits: options.histogramLimits,
      onMetadata: (kind, parser) => this.#takeMetadata(kind, parser),
    }
  }

  /** Series of the target, report series not counted. */
  get seriesCount(): number {
    return this.#layout.seriesCount - this.#reportCount
  }

  /**
   * Reads an answer; `write` then writes it. Throws ExpositionError or ScrapeError: nothing of the answer is kept, and `writeFailure` is due.
   * `counts` holds what was read until then.
   */
  read(body: Uint8Array, parser: ExpositionParser): void {
    const { counts } = this
    const cache = this.#cache
    counts.scraped = counts.kept = counts.seriesAdded = counts.duplicates = 0
    try {
      cache.read(body, parser, this.#columns, this.#readOptions)
      const editor = this.#resolvePending(body)
      this.#countLines()
      const { sampleLimit } = this.#options
      if (sampleLimit > 0 && counts.kept - counts.duplicates > sampleLimit) throw new ScrapeError('sample-limit', 'sample limit exceeded')
      if (cache.exceedsBuckets) throw new ScrapeError('bucket-limit', 'histogram bucket limit exceeded')
      cache.commit(body, this.#updateLayout(editor))
    } catch (error) {
      this.#countLines()
      counts.seriesAdded = 0
      if (error instanceof SeriesTextError) throw new ScrapeError('body', error.message, { cause: error })
      throw error
    }
  }

  /** Writes what `read` took: every sample, stale markers for series that are gone, and the report series. */
  write(sink: FrameSink, timeMs: number, nowMs: number, report: readonly number[]): void {
    const columns = this.#columns
    for (let i = 0; i < this.#reportCount; i++) columns.setValue(i, report[i]!)
    if (this.#vanished !== undefined && !this.#allStale) this.#writeVanished(sink, timeMs, this.#vanished)
    this.#vanished = undefined
    this.#allStale = false
    this.#wroteReport = true
    if (columns.times === undefined && this.#cache.extras.series.length === 0) {
      const isRich = columns.startTimes !== undefined || columns.histograms !== undefined || this.#cache.exemplars.length > 0
      if (isRich) this.#writeRich(sink, timeMs)
      else sink.append({ layout: this.#layout, indexes: undefined, times: timeMs, words: columns.words, count: this.#layout.seriesCount })
    } else {
      this.#writeTimed(sink, timeMs, nowMs)
    }
  }

  /** Writes the report series of a scrape that failed, and stale markers for all others if they have none yet. */
  writeFailure(sink: FrameSink, timeMs: number, report: readonly number[]): void {
    this.#vanished = undefined
    this.#wroteReport = true
    let count = 0
    reserveBatch(this.#layout.seriesCount)
    for (; count < this.#reportCount; count++) putNumber(count, count, report[count]!)
    this.#writeStale(sink, timeMs, count)
  }

  /** Ends every series with a stale marker: the target is gone. */
  writeEnd(sink: FrameSink, timeMs: number): void {
    if (!this.#wroteReport) return
    this.#wroteReport = false
    reserveBatch(this.#layout.seriesCount)
    for (let i = 0; i < this.#reportCount; i++) putStale(i, i)
    this.#writeStale(sink, timeMs, this.#reportCount)
  }

  #writeStale(sink: FrameSink, timeMs: number, reportCount: number): void {
    let count = reportCount
    if (!this.#allStale) {
      for (let series = this.#reportCount; series < this.#layout.seriesCount; series++) {
        if (this.#endsStale(series)) putStale(count++, series)
      }
    }
    this.#allStale = true
    this.#appendBatch(sink, this.#layout, timeMs, count)
  }

  /** A series with timestamps of its own gets a marker only when its job asks for it. */
  #endsStale(series: number): boolean {
    const { times } = this.#columns
    return times === undefined || times[series] === scrapeTimeMark || this.#options.trackTimestampsStaleness
  }

  #writeVanished(sink: FrameSink, timeMs: number, vanished: Vanished): void {
    const { length } = vanished.indexes
    reserveBatch(length)
    for (let i = 0; i < length; i++) putStale(i, vanished.indexes[i]!)
    this.#appendBatch(sink, vanished.layout, timeMs, length)
  }

  /** All samples have the scrape's time: sample i of the batch is that of series i. */
  #writeRich(sink: FrameSink, timeMs: number): void {
    const { words, startTimes, histograms } = this.#columns
    const { seriesCount } = this.#layout
    batchHistograms.reset()
    batchExemplars.reset()
    if (histograms !== undefined) for (let series = 0; series < seriesCount; series++) histograms.addTo(batchHistograms, series, series)
    this.#exemplars.addTo(batchExemplars, this.#cache.exemplars, timeMs, (series) => series)
    sink.append({
      layout: this.#layout,
      indexes: undefined,
      times: timeMs,
      words,
      count: seriesCount,
      histograms: batchHistograms,
      exemplars: batchExemplars,
      ...(startTimes === undefined ? {} : { startTimes }),
    })
  }

  #writeTimed(sink: FrameSink, timeMs: number, nowMs: number): void {
    const columns = this.#columns
    const { extras, exemplars } = this.#cache
    const { startTimes, histograms } = columns
    const { seriesCount } = this.#layout
    const aheadMax = nowMs + aheadMsMax
    const hasStarts = startTimes !== undefined || extras.starts.some((start) => start !== 0)
    reserveTimedBatch(seriesCount + extras.series.length)
    batchHistograms.reset()
    batchExemplars.reset()
    let count = 0
    for (let series = 0; series < seriesCount; series++) {
      const time = columns.times === undefined || series < this.#reportCount ? scrapeTimeMark : columns.times[series]!
      batchPlaces[series] = -1
      if (time !== scrapeTimeMark && !this.#takesTime(series, time, aheadMax)) continue
      batchPlaces[series] = count
      batchIndexes[count] = series
      batchTimes[count] = time === scrapeTimeMark ? timeMs : time
      batchStarts[count] = startTimes === undefined ? 0 : startTimes[series]!
      batchWords[2 * count] = columns.words[2 * series]!
      batchWords[2 * count + 1] = columns.words[2 * series + 1]!
      histograms?.addTo(batchHistograms, series, count)
      count++
    }
    for (let i = 0; i < extras.series.length; i++) {
      const series = extras.series[i]!
      const time = extras.times[i]!
      columns.setTime(series, columns.times?.[series] ?? scrapeTimeMark)
      if (!this.#takesTime(series, time, aheadMax)) continue
      const histogram = extras.histograms[i]
      if (histogram !== undefined) batchHistograms.add(count, histogram)
      putNumber(count, series, histogram === undefined ? extras.values[i]! : 0)
      batchStarts[count] = extras.starts[i]!
      batchTimes[count++] = time
    }
    this.#exemplars.addTo(batchExemplars, exemplars, timeMs, (series) => batchPlaces[series]!)
    sink.append({
      layout: this.#layout,
      indexes: batchIndexes,
      times: batchTimes,
      words: batchWords,
      count,
      histograms: batchHistograms,
      exemplars: batchExemplars,
      ...(hasStarts ? { startTimes: batchStarts } : {}),
    })
  }

  /** True when a sample with this timestamp of its own is news. The same timestamp again is what a source shows that did not look anew. */
  #takesTime(series: number, timeMs: number, aheadMax: number): boolean {
    const written = this.#columns.writtenTimes!
    if (timeMs > aheadMax || timeMs < -timeMsMax) {
      this.refused.outOfBounds++
      return false
    }
    if (timeMs < written[series]!) this.refused.outOfOrder++
    if (timeMs <= written[series]!) return false
    written[series] = timeMs
    return true
  }

  #appendBatch(sink: FrameSink, layout: SeriesLayout, timeMs: number, count: number): void {
    if (count > 0) sink.append({ layout, indexes: batchIndexes, times: timeMs, words: batchWords, count })
  }

  #countLines(): void {
    this.counts.scraped = this.#cache.samples
    this.counts.kept = this.#cache.samples - this.#cache.dropped
    this.counts.duplicates = this.#cache.duplicates
  }

  /** Gives every line with a new key its series; the editor holds those that are new to the layout. */
  #resolvePending(body: Uint8Array): LayoutEditor | undefined {
    const cache = this.#cache
    const columns = this.#columns
    const { pending } = cache
    if (pending.lines.length === 0) return undefined
    const editor = new LayoutEditor(this.#layout)
    const resolved = cache.exemplars.length > 0 ? new Int32Array(pending.lines.length) : undefined
    for (let i = 0; i < pending.lines.length; i++) {
      const { start, end } = cache.pendingRange(i, body)
      const scraped = parseSeriesText(body, start, end, pending.types[i]!)
      const labels = this.#options.makeLabels(scraped)
      if (labels === undefined) {
        cache.dropped++
        cache.resolve(i, undefined, false)
        if (resolved !== undefined) resolved[i] = -1
        continue
      }
      let series = editor.find(labels)
      if (series < 0) {
        series = editor.add(labels, this.#options.families.ofMetric(scraped.get('__name__')))
        columns.reserve(editor.seriesCount)
        columns.clear(series)
        this.counts.seriesAdded++
      }
      const isRepeated = columns.seenRounds[series] === columns.round
      cache.resolve(i, series, isRepeated)
      if (resolved !== undefined) resolved[i] = series
      if (isRepeated && pending.times[i] === scrapeTimeMark) cache.duplicates++
      else if (isRepeated) this.#keepExtra(i, series)
      else this.#setPending(i, series)
    }
    if (resolved !== undefined) cache.resolveExemplars(resolved)
    return editor
  }

  /** The sample of pending line `i` is the first of its series. */
  #setPending(i: number, series: number): void {
    const columns = this.#columns
    const { times, values, starts, histograms } = this.#cache.pending
    columns.seenRounds[series] = columns.round
    if (histograms[i] === undefined) {
      columns.setSample(series, values[i]!, times[i]!)
    } else {
      const histogram = this.#limit(histograms[i])
      if (histogram !== undefined) columns.setHistogram(series, histogram, times[i]!)
    }
    columns.setStart(series, starts[i]!)
  }

  #keepExtra(i: number, series: number): void {
    const { extras, pending } = this.#cache
    const histogram = pending.histograms[i]
    extras.series.push(series)
    extras.values.push(pending.values[i]!)
    extras.times.push(pending.times[i]!)
    extras.starts.push(pending.starts[i]!)
    extras.histograms.push(histogram === undefined ? undefined : this.#limit(histogram))
  }

  #limit(histogram: NativeHistogram): NativeHistogram | undefined {
    const limited = limitHistogram(histogram, this.#options.histogramLimits)
    if (limited === undefined) this.#cache.exceedsBuckets = true
    return limited
  }

  /** Brings the layout in step with the answer; returns the new number of every series if numbers changed. */
  #updateLayout(added: LayoutEditor | undefined): Int32Array | undefined {
    const vanished = this.#findVanished()
    this.#vanished = vanished.length === 0 ? undefined : this.#rememberVanished(vanished)
    const { families, target } = this.#options
    const { changed } = families
    families.changed = false
    if (this.counts.seriesAdded === 0 && vanished.length === 0 && !(changed && this.#layout.families.length > 0)) return undefined
    const columns = this.#columns
    const editor = added ?? new LayoutEditor(this.#layout)
    this.#leftOut += vanished.length
    const compacts = this.#leftOut > Math.max(1000, editor.seriesCount)
    if (compacts) this.#leftOut = 0
    const allKept = this.#cache.inOrder
    const keeps = (series: number): boolean => allKept || series < this.#reportCount || columns.seenRounds[series] === columns.round
    const { layout, renumbered } = editor.build(target, keeps, (name) => families.get(name), compacts)
    this.#layout = layout
    columns.compact(renumbered, renumbered.length)
    columns.clearFrom(layout.seriesCount)
    const { extras } = this.#cache
    for (let i = 0; i < extras.series.length; i++) extras.series[i] = renumbered[extras.series[i]!]!
    this.#cache.renumberExemplars(renumbered)
    this.#exemplars.renumber(renumbered)
    return renumbered
  }

  #findVanished(): number[] {
    const vanished: number[] = []
    if (this.#cache.inOrder) return vanished
    const { seenRounds, round } = this.#columns
    for (let series = this.#reportCount; series < this.#layout.seriesCount; series++)
      if (seenRounds[series] !== round) vanished.push(series)
    return vanished
  }

  #rememberVanished(vanished: readonly number[]): Vanished {
    return { layout: this.#layout, indexes: Uint32Array.from(vanished.filter((series) => this.#endsStale(series))) }
  }

  #takeMetadata(kind: number, parser: ExpositionParser): void {
    const { families } = this.#options
    if (kind === entryType) families.set(parser.name(), { type: parser.type })
    else if (kind === entryHelp) families.set(parser.name(), { help: parser.text() })
    else families.set(parser.name(), { unit: parser.text() })
  }
}

function reserveBatch(count: number): void {
  if (count <= batchIndexes.length) return
  const capacity = Math.max(count, batchIndexes.length * 2)
  batchIndexes = new Uint32Array(capacity)
  batchTimes = new Float64Array(capacity)
  batchWords = new Uint32Array(capacity * 2)
}

/** The arrays that only batches with timestamps of their own need. */
function reserveTimedBatch(count: number): void {
  reserveBatch(count)
  if (count <= batchStarts.length) return
  batchStarts = new Float64Array(batchIndexes.length)
  batchPlaces = new Int32Array(batchIndexes.length)
}

function putStale(at: number, series: number): void {
  batchIndexes[at] = series
  writeStale(batchWords, at)
}

function putNumber(at: number, series: number, value: number): void {
  batchIndexes[at] = series
  wordsFloat[0] = value
  batchWords[2 * at] = value === value ? wordsHalves[0]! : NORMAL_NAN_LOW
  batchWords[2 * at + 1] = value === value ? wordsHalves[1]! : NORMAL_NAN_HIGH
}

const wordsFloat = new Float64Array(1)
const wordsHalves = new Uint32Array(wordsFloat.buffer)
