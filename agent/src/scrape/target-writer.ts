import type { FrameSink, SeriesLayout } from '../store/frame.ts'
import type { AnswerOutcome } from './answer-outcome.ts'
import { batch } from './scrape-batch.ts'
import type { SeriesPart, SeriesParts } from './series-parts.ts'
import { scrapeTimeMark } from './target-columns.ts'
import type { TargetColumns } from './target-columns.ts'
import { TargetExemplars } from './target-exemplars.ts'
import type { ExemplarLine } from './target-exemplars.ts'

/** Explicit timestamps further ahead than this are dropped, as by Prometheus. */
const aheadMsMax = 600_000
/** Nor are those further than this from 1970: distances between timestamps stay exact numbers. */
const timeMsMax = 2 ** 48

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

/** Writes the batches of one target, stale markers among them. */
export class TargetWriter {
  readonly #parts: SeriesParts
  readonly #columns: TargetColumns
  readonly #reportCount: number
  readonly #tracksTimestamps: boolean
  readonly exemplars = new TargetExemplars()
  readonly refused: RefusedSamples = { outOfOrder: 0, outOfBounds: 0 }
  #vanished: readonly Vanished[] = noneVanished
  // Every series but the report series ends with a stale marker at the moment.
  #allStale = true
  #wroteReport = false
  // The series of the same target under rules that are no longer in force; those that have no heir are to be ended.
  #before: TargetWriter | undefined

  constructor(
    parts: SeriesParts,
    columns: TargetColumns,
    reportCount: number,
    tracksTimestamps: boolean,
    before: TargetWriter | undefined,
  ) {
    this.#parts = parts
    this.#columns = columns
    this.#reportCount = reportCount
    this.#tracksTimestamps = tracksTimestamps
    this.#before = before
  }

  /** As TargetSeries': the samples are in the columns, what belongs to no series' column in `answer`. */
  write(sink: FrameSink, timeMs: number, nowMs: number, report: readonly number[], answer: AnswerOutcome): void {
    this.#beginAnswer(sink, timeMs, report, answer)
    for (const part of this.#parts.parts) this.#writePart(sink, timeMs, nowMs, part, answer)
  }

  /** As `write`; each step writes one part. Nothing may be read into the columns before the last. */
  *writeSteps(
    sink: FrameSink,
    timeMs: number,
    nowMs: number,
    report: readonly number[],
    answer: AnswerOutcome,
  ): Generator<void, void, void> {
    this.#beginAnswer(sink, timeMs, report, answer)
    for (const part of this.#parts.parts) {
      this.#writePart(sink, timeMs, nowMs, part, answer)
      yield
    }
  }

  #beginAnswer(sink: FrameSink, timeMs: number, report: readonly number[], { exemplars }: AnswerOutcome): void {
    const columns = this.#columns
    for (let i = 0; i < this.#reportCount; i++) columns.setValue(i, report[i]!)
    this.#endBefore(sink, timeMs)
    if (!this.#allStale) for (const vanished of this.#vanished) this.#writeVanished(sink, timeMs, vanished)
    this.#vanished = noneVanished
    this.#allStale = false
    this.#wroteReport = true
    if (exemplars.length > 1) exemplars.sort((a, b) => a.series - b.series)
  }

  #writePart(sink: FrameSink, timeMs: number, nowMs: number, part: SeriesPart, answer: AnswerOutcome): void {
    const { layout, first } = part
    const { times, startTimes, histograms, words } = this.#columns
    if (layout.seriesCount === 0) return
    if (times !== undefined || answer.extras.series.length > 0) this.#writeTimed(sink, timeMs, nowMs, part, answer)
    else if (startTimes !== undefined || histograms !== undefined || answer.exemplars.length > 0)
      this.#writeRich(sink, timeMs, part, answer.exemplars)
    else sink.append({ layout, indexes: undefined, times: timeMs, words: wordsFrom(words, first), count: layout.seriesCount })
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
    return times === undefined || times[slot] === scrapeTimeMark || this.#tracksTimestamps
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
  #writeRich(sink: FrameSink, timeMs: number, { layout, first }: SeriesPart, exemplars: readonly ExemplarLine[]): void {
    const { words, startTimes, histograms } = this.#columns
    const { seriesCount } = layout
    batch.resetRare()
    if (histograms !== undefined) for (let i = 0; i < seriesCount; i++) histograms.addTo(batch.histograms, first + i, i)
    this.#addExemplars(exemplars, timeMs, first, seriesCount, (slot) => slot - first)
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

  #writeTimed(sink: FrameSink, timeMs: number, nowMs: number, { layout, first }: SeriesPart, answer: AnswerOutcome): void {
    const columns = this.#columns
    const { extras } = answer
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
    this.#addExemplars(answer.exemplars, timeMs, first, seriesCount, (slot) => batch.places[slot - first]!)
    batch.appendTimed(sink, layout, count, hasStarts)
  }

  /** Those of the slots [first, first + count); the lines are in the order of their slots. */
  #addExemplars(lines: readonly ExemplarLine[], timeMs: number, first: number, count: number, positionOf: (slot: number) => number): void {
    for (const line of lines) {
      if (line.series < first) continue
      if (line.series >= first + count) break
      this.exemplars.addTo(batch.exemplars, line, timeMs, positionOf(line.series))
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

  /** Remembers the series that the answer just read does not have, before they lose their slots. `inOrder`: there is none. */
  takeVanished(inOrder: boolean): void {
    this.#vanished = inOrder ? noneVanished : this.#findVanished()
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
}

/** The words of the slots from `first` on. */
function wordsFrom(words: Uint32Array, first: number): Uint32Array {
  return first === 0 ? words : words.subarray(2 * first)
}
