import type { ExpositionParser } from '@narthex/exposition/parser'
import type { MetricType } from '@narthex/model/metric-type'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { startTimeMsMax } from '../store/start-time-column.ts'
import { limitHistogram, schemaMax } from './limit-histogram.ts'
import type { HistogramLimits } from './limit-histogram.ts'
import type { TargetColumns } from './target-columns.ts'
import { scrapeTimeMark } from './target-columns.ts'
import type { ExemplarLine } from './target-exemplars.ts'

// What a line of an answer was. 0 and above: a sample of that series.
export const commentCode = -1
export const droppedCode = -2
export const pendingCode = -3
/** What stands behind the last line: blank lines, the end marker. */
export const endCode = -4
/** -16 - index into metricTypes: a TYPE line. */
export const firstTypeCode = -16
/** -1000 - series: a further line of a series seen above it. */
export const firstDuplicateCode = -1000

/** Samples in parallel arrays; `times` holds scrapeTimeMark for none, `starts` 0. A sample with a histogram has no value. */
export interface SampleLists {
  readonly values: number[]
  readonly times: number[]
  readonly starts: number[]
  readonly histograms: (NativeHistogram | undefined)[]
}

/** Lines whose series text was not in the last answer. Their keys are `keyBytes[i]` bytes at `offsets[i]`. */
export interface PendingLines extends SampleLists {
  readonly lines: number[]
  readonly offsets: number[]
  readonly keyBytes: number[]
  readonly types: MetricType[]
}

/** Further samples of a series that has one already, with timestamps of their own. */
export interface ExtraSamples extends SampleLists {
  readonly series: number[]
}

export interface ReadOptions {
  readonly honorTimestamps: boolean
  /** Whether start timestamps are kept. */
  readonly startTimestamps: boolean
  readonly histogramLimits: HistogramLimits
  /** Called for every HELP, TYPE and UNIT line that was not in the last answer at its place. */
  readonly onMetadata: (kind: number, parser: ExpositionParser) => void
}

/** Counts of an answer's lines that the next one has too when nothing moved. */
export interface KeptLines {
  readonly samples: number
  readonly dropped: number
  readonly duplicates: number
}

// Most answers of most targets have none of these, so that they are made when one comes.
const noPending: PendingLines = makePending()
const noExtras: ExtraSamples = makeExtras()
const noExemplars: ExemplarLine[] = []

function makePending(): PendingLines {
  return { lines: [], offsets: [], keyBytes: [], types: [], values: [], times: [], starts: [], histograms: [] }
}

function makeExtras(): ExtraSamples {
  return { series: [], values: [], times: [], starts: [], histograms: [] }
}

/** What reading an answer gives but its columns. The ways of reading differ in how they know a line again, not in what a line means. */
export class AnswerOutcome {
  /** The answer has the keys of the last one in the same order, so no series came or went. */
  inOrder = false
  /** Sample lines; those dropped by relabeling before; those that repeat a series without a timestamp of their own. */
  samples = 0
  dropped = 0
  duplicates = 0
  /** A histogram has too many buckets whatever its resolution. */
  exceedsBuckets = false
  pending: PendingLines = noPending
  extras: ExtraSamples = noExtras
  /** Exemplars of the lines that are not the same as in the last answer. */
  exemplars: ExemplarLine[] = noExemplars

  protected options: ReadOptions = {
    honorTimestamps: true,
    startTimestamps: false,
    histogramLimits: { bucketLimit: 0, schemaMax },
    onMetadata: () => {},
  }
  /** There is a last answer to compare with; before, even an empty one is not the same. */
  protected hasLast = false
  protected keptLines: KeptLines = { samples: 0, dropped: 0, duplicates: 0 }
  /** The first exemplars have their series. */
  #resolvedExemplars = 0

  /** The series text of pending line `i`, without the blanks and blank lines around. */
  pendingRange(i: number, body: Uint8Array): { start: number; end: number } {
    let start = this.pending.offsets[i]!
    let end = start + this.pending.keyBytes[i]!
    while (start < end && body[start]! <= 32) start++
    while (end > start && body[end - 1]! <= 32) end--
    return { start, end }
  }

  forgetPending(): void {
    this.pending = noPending
  }

  /** Gives exemplars of pending lines their series: `series[i]` is that of pending line i, -1 if it was dropped. */
  resolveExemplars(series: Int32Array): void {
    this.#mapExemplars(this.#resolvedExemplars, (given) => (given >= 0 ? given : series[-1 - given]!))
    this.#resolvedExemplars = this.exemplars.length
  }

  /** Series got new numbers. */
  renumberExemplars(renumbered: Int32Array): void {
    if (this.exemplars.length > 0) this.#mapExemplars(0, (series) => renumbered[series]!)
  }

  #mapExemplars(from: number, map: (series: number) => number): void {
    const { exemplars } = this
    if (exemplars.length === from) return
    let kept = from
    for (let i = from; i < exemplars.length; i++) {
      const line = exemplars[i]!
      const series = map(line.series)
      if (series >= 0) exemplars[kept++] = series === line.series ? line : { ...line, series }
    }
    exemplars.length = kept
  }

  protected resetOutcome(options: ReadOptions): void {
    this.options = options
    this.inOrder = false
    this.samples = 0
    this.dropped = 0
    this.duplicates = 0
    this.exceedsBuckets = false
    this.exemplars = noExemplars
    this.#resolvedExemplars = 0
    this.pending = noPending
    this.extras = noExtras
  }

  /** All lines are where they were. */
  protected takeInOrder(): void {
    this.inOrder = true
    this.samples = this.keptLines.samples
    this.dropped = this.keptLines.dropped
    this.duplicates = this.keptLines.duplicates
  }

  protected keptCounts(): KeptLines {
    return { samples: this.samples, dropped: this.dropped, duplicates: this.duplicates }
  }

  /** Counts the lines before `count`, which are where they were, and their series as seen. */
  protected countMatched(codes: Int32Array, count: number, columns: TargetColumns): void {
    for (let line = 0; line < count; line++) {
      const code = codes[line]!
      if (code >= 0) columns.seenRounds[code] = columns.round
      if (code >= droppedCode && code !== commentCode) this.samples++
      if (code === droppedCode) this.dropped++
      if (code > firstDuplicateCode) continue
      this.samples++
      this.duplicates++
    }
    // A repeated series with a timestamp of its own is no duplicate.
    this.duplicates -= this.extras.series.length
  }

  /** A line of known meaning, at the place where it was, read by the parser. */
  protected keepKnown(code: number, parser: ExpositionParser, columns: TargetColumns): void {
    const time = explicitTime(parser, this.options)
    if (code >= 0) this.#setParsed(code, parser, time, columns)
    else if (code <= firstDuplicateCode && time !== scrapeTimeMark) this.#keepExtra(firstDuplicateCode - code, parser, time)
  }

  /** Sample line `line`, with `keyBytes` bytes of key at `offset`, read by the parser; returns its code. */
  protected keepParsed(line: number, offset: number, code: number, parser: ExpositionParser, columns: TargetColumns): number {
    const time = explicitTime(parser, this.options)
    this.samples++
    if (code === droppedCode) {
      this.dropped++
      return code
    }
    if (code === pendingCode) {
      if (this.pending === noPending) this.pending = makePending()
      const { pending } = this
      pending.lines.push(line)
      pending.offsets.push(offset)
      pending.keyBytes.push(parser.valueStart - offset)
      pending.types.push(parser.type)
      this.#pushParsed(pending, parser, time, parser.hasHistogram ? parser.histogram() : undefined)
      return code
    }
    const series = code >= 0 ? code : firstDuplicateCode - code
    if (columns.seenRounds[series] !== columns.round) {
      columns.seenRounds[series] = columns.round
      this.#setParsed(series, parser, time, columns)
      return series
    }
    if (time === scrapeTimeMark) this.duplicates++
    else this.#keepExtra(series, parser, time)
    return firstDuplicateCode - series
  }

  /**
   * Writes the value of a known line without a timestamp where it belongs; returns the line's code, which changes when its series was seen
   * above already.
   */
  protected keepPlain(code: number, value: number, columns: TargetColumns): number {
    this.samples++
    if (code === droppedCode) {
      this.dropped++
      return code
    }
    const series = code >= 0 ? code : firstDuplicateCode - code
    if (columns.seenRounds[series] !== columns.round) {
      columns.seenRounds[series] = columns.round
      columns.setSample(series, value, scrapeTimeMark)
      return series
    }
    this.duplicates++
    return firstDuplicateCode - series
  }

  /** The exemplars of a line with this code; those of a line that `keepParsed` made pending just now wait with it. */
  protected keepExemplars(code: number, parser: ExpositionParser): void {
    const series = code === pendingCode ? -this.pending.lines.length : code >= 0 ? code : firstDuplicateCode - code
    if (this.exemplars === noExemplars) this.exemplars = []
    this.exemplars.push({ series, exemplars: parser.exemplars(), ofHistogram: parser.hasHistogram })
  }

  /** Writes what the parser has of a line into the columns. */
  #setParsed(series: number, parser: ExpositionParser, time: number, columns: TargetColumns): void {
    if (parser.hasHistogram) {
      const histogram = this.#takeHistogram(parser)
      if (histogram !== undefined) columns.setHistogram(series, histogram, time)
    } else columns.setSample(series, parser.value, time)
    columns.setStart(series, startTime(parser, this.options))
  }

  /** The histogram within its limits; undefined, and noted, if that cannot be: the scrape counts for nothing then. */
  #takeHistogram(parser: ExpositionParser): NativeHistogram | undefined {
    const histogram = limitHistogram(parser.histogram(), this.options.histogramLimits)
    if (histogram === undefined) this.exceedsBuckets = true
    return histogram
  }

  /** The lists of further samples, to add to. */
  ownExtras(): ExtraSamples {
    if (this.extras === noExtras) this.extras = makeExtras()
    return this.extras
  }

  #keepExtra(series: number, parser: ExpositionParser, time: number): void {
    const extras = this.ownExtras()
    extras.series.push(series)
    this.#pushParsed(extras, parser, time, parser.hasHistogram ? this.#takeHistogram(parser) : undefined)
  }

  #pushParsed(lists: SampleLists, parser: ExpositionParser, time: number, histogram: NativeHistogram | undefined): void {
    lists.values.push(parser.value)
    lists.times.push(time)
    lists.starts.push(startTime(parser, this.options))
    lists.histograms.push(histogram)
  }
}

/** Gives the series in the codes of lines their new numbers. */
export function renumberCodes(codes: Int32Array, count: number, renumbered: Int32Array): void {
  for (let line = 0; line < count; line++) {
    const code = codes[line]!
    if (code >= 0) codes[line] = renumbered[code]!
    else if (code <= firstDuplicateCode) codes[line] = firstDuplicateCode - renumbered[firstDuplicateCode - code]!
  }
}

function explicitTime(parser: ExpositionParser, options: ReadOptions): number {
  return parser.hasTimestamp && options.honorTimestamps ? parser.timestampMs : scrapeTimeMark
}

/** 0 = none. */
function startTime({ startTimestampMs }: ExpositionParser, options: ReadOptions): number {
  return options.startTimestamps && startTimestampMs > 0 && startTimestampMs <= startTimeMsMax ? Math.trunc(startTimestampMs) : 0
}
