import { entryHelp, entryType } from '@narthex/exposition/parser'
import type { ExpositionParser } from '@narthex/exposition/parser'
import { parseSeriesText, SeriesTextError } from '@narthex/exposition/series-text'
import type { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { FamilyMetadata, FrameSink, SeriesLayout } from '../store/frame.ts'
import { AnswerCache } from './answer-cache.ts'
import type { AnswerOutcome, ReadOptions } from './answer-outcome.ts'
import type { FamilyTable } from './family-table.ts'
import { limitHistogram } from './limit-histogram.ts'
import type { HistogramLimits } from './limit-histogram.ts'
import { batch } from './scrape-batch.ts'
import { ScrapeError } from './scrape-error.ts'
import { SeriesParts } from './series-parts.ts'
import type { SeriesPart } from './series-parts.ts'
import { StreamedAnswer } from './streamed-answer.ts'
import { scrapeTimeMark, TargetColumns } from './target-columns.ts'
import { TargetExemplars } from './target-exemplars.ts'
import type { ExemplarCounts } from './target-exemplars.ts'

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

const noneVanished: readonly Vanished[] = []

/**
 * The series of one target: reads answers into columns, keeps the layout in step with what the target exposes, and writes batches with
 * samples and stale markers. `read` and the `write…` that follows it are one synchronous step.
 */
export class TargetSeries {
  readonly #options: Omit<TargetSeriesOptions, 'reportSeries'>
  readonly #columns = new TargetColumns()
  readonly #exemplars = new TargetExemplars()
  readonly #parts: SeriesParts
  readonly #reportCount: number
  readonly #readOptions: ReadOptions
  // How answers are read: small ones are compared with the bytes of the last one, large ones are not kept.
  #answer: AnswerCache | StreamedAnswer = new AnswerCache()
  #vanished: readonly Vanished[] = noneVanished
  // Every series but the report series ends with a stale marker at the moment.
  #allStale = true
  #wroteReport = false
  // The series of the same target under rules that are no longer in force; those that have no heir are to be ended.
  #before: TargetSeries | undefined

  readonly counts: AnswerCounts = { scraped: 0, kept: 0, seriesAdded: 0, duplicates: 0 }
  readonly refused: RefusedSamples = { outOfOrder: 0, outOfBounds: 0 }

  get exemplarCounts(): ExemplarCounts {
    return this.#exemplars.counts
  }

  /** `before`: what this target was scraped into until now, when its labels are made by other rules from now on. */
  constructor(options: TargetSeriesOptions, before?: TargetSeries) {
    const { reportSeries, ...rest } = options
    this.#options = rest
    this.#before = before
    this.#reportCount = reportSeries.length
    this.#parts = new SeriesParts(options.target, options.families, reportSeries, options.partSize)
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
    const columns = this.#columns
    for (let i = 0; i < this.#reportCount; i++) columns.setValue(i, report[i]!)
    this.#endBefore(sink, timeMs)
    if (!this.#allStale) for (const vanished of this.#vanished) this.#writeVanished(sink, timeMs, vanished)
    this.#vanished = noneVanished
    this.#allStale = false
    this.#wroteReport = true
    const { extras, exemplars } = this.#answer
    if (exemplars.length > 1) exemplars.sort((a, b) => a.series - b.series)
    const isTimed = columns.times !== undefined || extras.series.length > 0
    const isRich = columns.startTimes !== undefined || columns.histograms !== undefined || exemplars.length > 0
    for (const part of this.#parts.parts) {
      const { layout, first } = part
      if (layout.seriesCount === 0) continue
      if (isTimed) this.#writeTimed(sink, timeMs, nowMs, part)
      else if (isRich) this.#writeRich(sink, timeMs, part)
      else sink.append({ layout, indexes: undefined, times: timeMs, words: wordsFrom(columns.words, first), count: layout.seriesCount })
    }
  }

  /** Writes the report series of a scrape that failed, and stale markers for all others if they have none yet. */
  writeFailure(sink: FrameSink, timeMs: number, report: readonly number[]): void {
    this.#endBefore(sink, timeMs)
    this.#vanished = noneVanished
    this.#wroteReport = true
    batch.reserve(this.#reportCount)
    for (let i = 0; i < this.#reportCount; i++) batch.putNumber(i, i, report[i]!)
    this.#writeStale(sink, timeMs, this.#reportCount)
  }

  /** Ends every series with a stale marker: the target is gone. */
  writeEnd(sink: FrameSink, timeMs: number): void {
    this.#endBefore(sink, timeMs)
    if (!this.#wroteReport) return
    this.#wroteReport = false
    batch.reserve(this.#reportCount)
    for (let i = 0; i < this.#reportCount; i++) batch.putStale(i, i)
    this.#writeStale(sink, timeMs, this.#reportCount)
  }

  /** The batch holds the report series, which are the first of the first part. */
  #writeStale(sink: FrameSink, timeMs: number, reportCount: number): void {
    let count = reportCount
    for (const { layout, first } of this.#parts.parts) {
      if (!this.#allStale) {
        batch.reserve(count + layout.seriesCount, count)
        for (let i = count; i < layout.seriesCount; i++) if (this.#endsStale(first + i)) batch.putStale(count++, i)
      }
      batch.append(sink, layout, timeMs, count)
      count = 0
    }
    this.#allStale = true
  }

  /** A series with timestamps of its own gets a marker only when its job asks for it. */
  #endsStale(slot: number): boolean {
    const { times } = this.#columns
    return times === undefined || times[slot] === scrapeTimeMark || this.#options.trackTimestampsStaleness
  }

  #writeVanished(sink: FrameSink, timeMs: number, { layout, indexes }: Vanished): void {
    const { length } = indexes
    batch.reserve(length)
    for (let i = 0; i < length; i++) batch.putStale(i, indexes[i]!)
    batch.append(sink, layout, timeMs, length)
  }

  /** Ends the series of before the rules changed that are not among those of now. */
  #endBefore(sink: FrameSink, timeMs: number): void {
    const before = this.#before
    this.#before = undefined
    if (before === undefined) return
    before.#endBefore(sink, timeMs)
    const ended = new Map<SeriesPart, number[]>()
    this.#parts.eachMissing(before.#parts, (part, i) => {
      const isReport = part.first + i < before.#reportCount
      if (isReport ? !before.#wroteReport : before.#allStale || !before.#endsStale(part.first + i)) return
      const indexes = ended.get(part)
      if (indexes === undefined) ended.set(part, [i])
      else indexes.push(i)
    })
    for (const [{ layout }, indexes] of ended) this.#writeVanished(sink, timeMs, { layout, indexes: Uint32Array.from(indexes) })
  }

  /** All samples have the scrape's time: sample i of the batch is that of series i. */
  #writeRich(sink: FrameSink, timeMs: number, { layout, first }: SeriesPart): void {
    const { words, startTimes, histograms } = this.#columns
    const { seriesCount } = layout
    batch.resetRare()
    if (histograms !== undefined) for (let i = 0; i < seriesCount; i++) histograms.addTo(batch.histograms, first + i, i)
    this.#addExemplars(timeMs, first, seriesCount, (slot) => slot - first)
    sink.append({
      layout,
      indexes: undefined,
      times: timeMs,
      words: wordsFrom(words, first),
      count: seriesCount,
      histograms: batch.histograms,
      exemplars: batch.exemplars,
      ...(startTimes === undefined ? {} : { startTimes: first === 0 ? startTimes : startTimes.subarray(first) }),
    })
  }

  #writeTimed(sink: FrameSink, timeMs: number, nowMs: number, { layout, first }: SeriesPart): void {
    const columns = this.#columns
    const { extras } = this.#answer
    const { startTimes, histograms, words, times } = columns
    const { seriesCount } = layout
    const aheadMax = nowMs + aheadMsMax
    const hasStarts = startTimes !== undefined || extras.starts.some((start) => start !== 0)
    batch.reserveTimed(seriesCount + extras.series.length)
    let count = 0
    for (let i = 0; i < seriesCount; i++) {
      const slot = first + i
      const time = times === undefined || slot < this.#reportCount ? scrapeTimeMark : times[slot]!
      batch.places[i] = -1
      if (time !== scrapeTimeMark && !this.#takesTime(slot, time, aheadMax)) continue
      batch.places[i] = count
      batch.indexes[count] = i
      batch.times[count] = time === scrapeTimeMark ? timeMs : time
      batch.starts[count] = startTimes === undefined ? 0 : startTimes[slot]!
      batch.words[2 * count] = words[2 * slot]!
      batch.words[2 * count + 1] = words[2 * slot + 1]!
      histograms?.addTo(batch.histograms, slot, count)
      count++
    }
    for (let i = 0; i < extras.series.length; i++) {
      const slot = extras.series[i]!
      if (slot < first || slot >= first + seriesCount) continue
      const time = extras.times[i]!
      columns.setTime(slot, columns.times?.[slot] ?? scrapeTimeMark)
      if (!this.#takesTime(slot, time, aheadMax)) continue
      const histogram = extras.histograms[i]
      if (histogram !== undefined) batch.histograms.add(count, histogram)
      batch.putNumber(count, slot - first, histogram === undefined ? extras.values[i]! : 0)
      batch.starts[count] = extras.starts[i]!
      batch.times[count++] = time
    }
    this.#addExemplars(timeMs, first, seriesCount, (slot) => batch.places[slot - first]!)
    batch.appendTimed(sink, layout, count, hasStarts)
  }

  /** Those of the slots [first, first + count); the lines are in the order of their slots. */
  #addExemplars(timeMs: number, first: number, count: number, positionOf: (slot: number) => number): void {
    for (const line of this.#answer.exemplars) {
      if (line.series < first) continue
      if (line.series >= first + count) break
      this.#exemplars.addTo(batch.exemplars, line, timeMs, positionOf(line.series))
    }
  }

  /** True when a sample with this timestamp of its own is news. The same timestamp again is what a source shows that did not look anew. */
  #takesTime(slot: number, timeMs: number, aheadMax: number): boolean {
    const written = this.#columns.writtenTimes!
    if (timeMs > aheadMax || timeMs < -timeMsMax) {
      this.refused.outOfBounds++
      return false
    }
    if (timeMs < written[slot]!) this.refused.outOfOrder++
    if (timeMs <= written[slot]!) return false
    written[slot] = timeMs
    return true
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
    for (let i = 0; i < count; i++) {
      const { start, end } = answer.pendingRange(i, body)
      const scraped = parseSeriesText(body, start, end, pending.types[i]!)
      const labels = this.#options.makeLabels(scraped)
      if (labels === undefined) {
        answer.dropped++
        answer.resolve(i, undefined, false)
        if (resolved !== undefined) resolved[i] = -1
        continue
      }
      let series = parts.find(labels)
      if (series < 0) {
        series = parts.add(labels, this.#options.families.ofMetric(scraped.get('__name__')))
        columns.reserve(parts.slotEnd)
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
    if (resolved !== undefined) answer.resolveExemplars(resolved)
    answer.forgetPending()
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
    this.#vanished = answer.inOrder ? noneVanished : this.#findVanished()
    const isSeen = (slot: number): boolean => slot < this.#reportCount || seenRounds[slot] === round
    const update = this.#parts.commit(answer.inOrder ? undefined : isSeen)
    if (update === undefined) return undefined
    const { renumbered, freed } = update
    columns.compact(renumbered, renumbered.length)
    for (const [from, to] of freed) columns.clearRange(from, to)
    const { extras } = answer
    for (let i = 0; i < extras.series.length; i++) extras.series[i] = renumbered[extras.series[i]!]!
    answer.renumberExemplars(renumbered)
    this.#exemplars.renumber(renumbered)
    return renumbered
  }

  #findVanished(): Vanished[] {
    const { seenRounds, round } = this.#columns
    const vanished: Vanished[] = []
    for (const { layout, first } of this.#parts.parts) {
      const indexes: number[] = []
      for (let i = first === 0 ? this.#reportCount : 0; i < layout.seriesCount; i++) {
        if (seenRounds[first + i] !== round && this.#endsStale(first + i)) indexes.push(i)
      }
      if (indexes.length > 0) vanished.push({ layout, indexes: Uint32Array.from(indexes) })
    }
    return vanished
  }

  #takeMetadata(kind: number, parser: ExpositionParser): void {
    const { families } = this.#options
    if (kind === entryType) families.set(parser.name(), { type: parser.type })
    else if (kind === entryHelp) families.set(parser.name(), { help: parser.text() })
    else families.set(parser.name(), { unit: parser.text() })
  }
}

/** The words of the slots from `first` on. */
function wordsFrom(words: Uint32Array, first: number): Uint32Array {
  return first === 0 ? words : words.subarray(2 * first)
}
