import { entryHelp, entryType } from '@narthex/exposition/parser'
import type { ExpositionParser } from '@narthex/exposition/parser'
import { parseSeriesText, SeriesTextError } from '@narthex/exposition/series-text'
import { readText } from '@narthex/exposition/text-cache'
import type { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { FamilyMetadata, FrameSink } from '../store/frame.ts'
import { AnswerCache } from './answer-cache.ts'
import type { AnswerOutcome, ReadOptions } from './answer-outcome.ts'
import type { FamilyTable } from './family-table.ts'
import { limitHistogram } from './limit-histogram.ts'
import type { HistogramLimits } from './limit-histogram.ts'
import { LabelTexts } from './label-texts.ts'
import { PlainSeries } from './plain-series.ts'
import { ScrapeError } from './scrape-error.ts'
import { SeriesParts } from './series-parts.ts'
import { StreamedAnswer } from './streamed-answer.ts'
import { scrapeTimeMark, TargetColumns } from './target-columns.ts'
import type { ExemplarCounts } from './target-exemplars.ts'
import { TargetWriter } from './target-writer.ts'
import type { RefusedSamples } from './target-writer.ts'

// Of the series being added, whichever target's it is.
const newTexts = new LabelTexts()
const plainSeries = new PlainSeries()

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
  /** What `onlyJoinedLabels` says of the same rules. */
  readonly joinedLabels: Labels | undefined
  /** Most series of one layout; default `partSeriesMax`. */
  readonly partSize?: number
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

/**
 * The series of one target: reads answers into columns, keeps the layout in step with what the target exposes, and writes batches with
 * samples and stale markers. `read` and the `write…` that follows it are one synchronous step.
 */
export class TargetSeries {
  readonly #options: Omit<TargetSeriesOptions, 'reportSeries'>
  readonly #columns = new TargetColumns()
  readonly #parts: SeriesParts
  readonly #reportCount: number
  readonly #readOptions: ReadOptions
  // How answers are read: small ones are compared with the bytes of the last one, large ones are not kept.
  #answer: AnswerCache | StreamedAnswer = new AnswerCache()
  readonly #writer: TargetWriter

  readonly counts: AnswerCounts = { scraped: 0, kept: 0, seriesAdded: 0, duplicates: 0 }

  get refused(): RefusedSamples {
    return this.#writer.refused
  }

  get exemplarCounts(): ExemplarCounts {
    return this.#writer.exemplars.counts
  }

  /** `before`: what this target was scraped into until now, when its labels are made by other rules from now on. */
  constructor(options: TargetSeriesOptions, before?: TargetSeries) {
    const { reportSeries, ...rest } = options
    this.#options = rest
    this.#reportCount = reportSeries.length
    this.#parts = new SeriesParts(options.target, options.families, reportSeries, options.partSize)
    this.#columns.reserve(this.#reportCount)
    this.#writer = new TargetWriter(
      this.#parts,
      this.#columns,
      this.#reportCount,
      options.trackTimestampsStaleness,
      before === undefined ? undefined : before.#writer,
    )
    this.#readOptions = {
      honorTimestamps: options.honorTimestamps,
      startTimestamps: options.startTimestamps,
      histogramLimits: options.histogramLimits,
      onMetadata: (kind, parser) => this.#takeMetadata(kind, parser),
    }
  }

  /** Series of the target, report series not counted. */
  get seriesCount(): number {
    return this.#parts.seriesCount - this.#reportCount
  }

  /** The last answer was read in windows. */
  get isWindowed(): boolean {
    return this.#answer instanceof StreamedAnswer
  }

  /**
   * Reads an answer; `write` then writes it. Throws ExpositionError or ScrapeError: nothing of the answer is kept, and `writeFailure` is due.
   * `counts` holds what was read until then. The body must not change until the next answer is read.
   */
  read(body: Uint8Array, parser: ExpositionParser): void {
    this.#begin()
    this.#trying(() => {
      if (this.#answer instanceof StreamedAnswer) this.#answer = new AnswerCache()
      this.#answer.read(body, parser, this.#columns, this.#readOptions)
      this.#resolvePending(body)
      this.#check()
      this.#answer.commit(body, this.#updateParts())
    })
  }

  /**
   * Begins to read an answer of which nothing is kept but its series; `readWindow` for all of it, then `finish`, throw as `read` does.
   */
  open(): void {
    this.#begin()
    if (this.#answer instanceof AnswerCache) this.#answer = new StreamedAnswer()
    this.#answer.begin(this.#columns, this.#readOptions)
  }

  /** Reads lines [0, end), which end with a line feed unless they are the last; returns how far it read: the next window begins there. */
  readWindow(bytes: Uint8Array, end: number, isLast: boolean, parser: ExpositionParser): number {
    return this.#trying(() => {
      const read = this.#streamed.read(bytes, end, isLast, parser, this.#columns)
      this.#resolvePending(bytes)
      this.#check()
      return read
    })
  }

  finish(): void {
    this.#trying(() => {
      this.#streamed.finish(this.#columns)
      this.#check()
      this.#streamed.commit(this.#updateParts())
    })
  }

  get #streamed(): StreamedAnswer {
    if (this.#answer instanceof StreamedAnswer) return this.#answer
    throw new Error('cannot read a window: no answer is open')
  }

  #begin(): void {
    const { counts } = this
    counts.scraped = counts.kept = counts.seriesAdded = counts.duplicates = 0
    this.#parts.begin()
  }

  #trying<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.#countLines()
      this.counts.seriesAdded = 0
      if (error instanceof SeriesTextError) throw new ScrapeError('body', error.message, { cause: error })
      throw error
    }
  }

  #check(): void {
    this.#countLines()
    const { counts } = this
    const { sampleLimit } = this.#options
    if (sampleLimit > 0 && counts.kept - counts.duplicates > sampleLimit) throw new ScrapeError('sample-limit', 'sample limit exceeded')
    if (this.#answer.exceedsBuckets) throw new ScrapeError('bucket-limit', 'histogram bucket limit exceeded')
  }

  /** Writes what was read: every sample, stale markers for series that are gone, and the report series. */
  write(sink: FrameSink, timeMs: number, nowMs: number, report: readonly number[]): void {
    this.#writer.write(sink, timeMs, nowMs, report, this.#answer)
  }

  /** As `write`, one step for each of the target's layouts. Everything else has to wait for the last one; `finishSteps` takes all at once. */
  writeSteps(sink: FrameSink, timeMs: number, nowMs: number, report: readonly number[]): Iterator<void> {
    return this.#writer.writeSteps(sink, timeMs, nowMs, report, this.#answer)
  }

  /** How many steps `writeSteps` has. */
  get layoutCount(): number {
    return this.#parts.parts.length
  }

  /** Writes the report series of a scrape that failed, and stale markers for all others if they have none yet. */
  writeFailure(sink: FrameSink, timeMs: number, report: readonly number[]): void {
    this.#writer.writeFailure(sink, timeMs, report)
  }

  /** Ends every series with a stale marker: the target is gone. */
  writeEnd(sink: FrameSink, timeMs: number): void {
    this.#writer.writeEnd(sink, timeMs)
  }

  #countLines(): void {
    const { samples, dropped, duplicates } = this.#answer
    this.counts.scraped = samples
    this.counts.kept = samples - dropped
    this.counts.duplicates = duplicates
  }

  /** Gives every line with a new key its series. */
  #resolvePending(body: Uint8Array): void {
    const answer = this.#answer
    const columns = this.#columns
    const parts = this.#parts
    const { pending } = answer
    const count = pending.lines.length
    if (count === 0) return
    const resolved = answer.exemplars.length > 0 ? new Int32Array(count) : undefined
    const { families, joinedLabels } = this.#options
    if (joinedLabels !== undefined) plainSeries.begin(body, joinedLabels)
    let lastMetric: string | undefined
    let family: FamilyMetadata | undefined
    for (let i = 0; i < count; i++) {
      const { start, end } = answer.pendingRange(i, body)
      const metric = this.#readLabels(body, start, end, pending.types[i]!)
      if (metric === undefined) {
        answer.dropped++
        answer.resolve(i, undefined, false)
        if (resolved !== undefined) resolved[i] = -1
        continue
      }
      let series = parts.find(newTexts)
      if (series < 0) {
        if (metric !== lastMetric) family = families.ofMetric(metric)
        lastMetric = metric
        series = parts.add(newTexts, family)
        columns.reserve(series + 1)
        columns.clear(series)
        this.counts.seriesAdded++
      }
      const isRepeated = columns.seenRounds[series] === columns.round
      answer.resolve(i, series, isRepeated)
      if (resolved !== undefined) resolved[i] = series
      if (isRepeated && pending.times[i] === scrapeTimeMark) answer.duplicates++
      else if (isRepeated) this.#keepExtra(i, series)
      else this.#setPending(i, series)
    }
    plainSeries.end()
    if (resolved !== undefined) answer.resolveExemplars(resolved)
    answer.forgetPending()
  }

  /** Fills `newTexts` with the labels of a series text and returns its metric's name, undefined when a rule drops it. */
  #readLabels(body: Uint8Array, start: number, end: number, type: MetricType): string | undefined {
    const { joinedLabels, makeLabels } = this.#options
    if (joinedLabels !== undefined && plainSeries.read(start, end, type, newTexts)) return readText(body, start, plainSeries.nameEnd)
    const scraped = parseSeriesText(body, start, end, type)
    const labels = makeLabels(scraped)
    if (labels === undefined) return undefined
    newTexts.take(labels)
    return scraped.get('__name__')
  }

  /** The sample of pending line `i` is the first of its series. */
  #setPending(i: number, series: number): void {
    const columns = this.#columns
    const { times, values, starts, histograms } = this.#answer.pending
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
    const { pending } = this.#answer
    const extras = this.#answer.ownExtras()
    const histogram = pending.histograms[i]
    extras.series.push(series)
    extras.values.push(pending.values[i]!)
    extras.times.push(pending.times[i]!)
    extras.starts.push(pending.starts[i]!)
    extras.histograms.push(histogram === undefined ? undefined : this.#limit(histogram))
  }

  #limit(histogram: NativeHistogram): NativeHistogram | undefined {
    const limited = limitHistogram(histogram, this.#options.histogramLimits)
    if (limited === undefined) this.#answer.exceedsBuckets = true
    return limited
  }

  /** Brings the layouts in step with the answer; returns the new slot of every series if there is a change. */
  #updateParts(): Int32Array | undefined {
    const columns = this.#columns
    const answer: AnswerOutcome = this.#answer
    const { seenRounds, round } = columns
    this.#writer.takeVanished(answer.inOrder)
    const update = answer.inOrder
      ? this.#parts.commit(undefined)
      : this.#parts.commit((slot) => slot < this.#reportCount || seenRounds[slot] === round)
    if (update === undefined) return undefined
    const { renumbered, freed } = update
    columns.compact(renumbered, renumbered.length)
    for (const [from, to] of freed) columns.clearRange(from, to)
    const { extras } = answer
    for (let i = 0; i < extras.series.length; i++) extras.series[i] = renumbered[extras.series[i]!]!
    answer.renumberExemplars(renumbered)
    this.#writer.exemplars.renumber(renumbered)
    return renumbered
  }

  #takeMetadata(kind: number, parser: ExpositionParser): void {
    const { families } = this.#options
    if (kind === entryType) families.set(parser.name(), { type: parser.type })
    else if (kind === entryHelp) families.set(parser.name(), { help: parser.text() })
    else families.set(parser.name(), { unit: parser.text() })
  }
}

export function finishSteps(steps: Iterator<void>): void {
  while (steps.next().done !== true);
}
