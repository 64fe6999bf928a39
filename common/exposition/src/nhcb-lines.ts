import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { parseGoFloat } from '@narthex/model/number'
import { copyMetadata, copySample, putExemplars } from './copy-line.ts'
import { encodeHistogram, HistogramError, makeHistogram } from './histogram-message.ts'
import { beginBlock, endBlock, exemplarsFlag, gaugeFlag, histogramFlag, putValue, startFlag, timestampFlag } from './lines.ts'
import { LineParser } from './line-parser.ts'
import { entryEnd, entrySample, entryType } from './parser.ts'
import type { ExpositionParser, ScrapedExemplar } from './parser.ts'
import { putSeriesText, readSeriesKey } from './series-key.ts'
import { ValueParser } from './value-parser.ts'

export interface NhcbOptions {
  /** The classic series stay beside the histogram made of them. */
  readonly keepClassic: boolean
  /** Converts gauge histograms, too; their series are called `_count` and `_sum` in protobuf only. */
  readonly gaugeHistograms: boolean
}

/** The classic series of one histogram at one time. */
interface Group {
  readonly labels: string
  readonly hasTimestamp: boolean
  readonly timestampMs: number
  startMs: number
  readonly bounds: number[]
  readonly counts: number[]
  count: number | undefined
  sum: number
  readonly exemplars: ScrapedExemplar[]
  /** The target exposes a native histogram of this name and labels itself. */
  isNative: boolean
}

/**
 * Appends the samples of a body to `out`, as lines for LineParser, in which each classic histogram (a TYPE histogram and its `_bucket`,
 * `_count` and `_sum` series with equal labels) is one native histogram with custom bounds, at the end of its family: of whole numbers if
 * all its counts are, else of floats. As in Prometheus, a missing count is that of the last bucket and a missing `+Inf` bucket is the
 * count; series that make no histogram (falling, negative or infinite counts) are dropped unless the classic ones are kept; one that the target exposes
 * as native already is not converted. Throws ExpositionError.
 */
export function writeNhcbLines(body: Uint8Array, parser: ExpositionParser, out: ByteWriter, options: NhcbOptions): void {
  new Converter(body, parser, out, options).run()
}

const values = new ValueParser()

class Converter {
  readonly #body: Uint8Array
  readonly #parser: ExpositionParser
  readonly #out: ByteWriter
  readonly #options: NhcbOptions
  #family = ''
  #isHistogram = false
  #isGauge = false
  readonly #groups = new Map<string, Group>()
  // The group of the bucket line before and what that line had around its `le`.
  #lastGroup: Group | undefined
  #lastStart = 0
  #prefixBytes = 0
  #lastSuffix = 0
  #suffixBytes = 0

  constructor(body: Uint8Array, parser: ExpositionParser, out: ByteWriter, options: NhcbOptions) {
    this.#body = body
    this.#parser = parser
    this.#out = out
    this.#options = options
  }

  run(): void {
    const parser = this.#parser
    parser.begin(this.#body, 0, this.#body.length)
    for (;;) {
      const start = parser.offset
      const kind = parser.next()
      if (kind === entryEnd) break
      if (kind === entrySample) {
        if (!this.#isHistogram || !this.#take()) this.#copy(start)
        continue
      }
      if (kind === entryType) this.#beginFamily()
      copyMetadata(this.#out, kind, parser)
    }
    this.#endFamily()
  }

  #beginFamily(): void {
    this.#endFamily()
    const { type } = this.#parser
    this.#isGauge = type === 'gaugehistogram'
    this.#isHistogram = type === 'histogram' || (this.#isGauge && this.#options.gaugeHistograms)
    this.#family = this.#parser.name()
  }

  #copy(start: number): void {
    const parser = this.#parser
    if (parser instanceof LineParser) this.#out.raw(this.#body, start, parser.offset)
    else copySample(this.#out, this.#body, parser, parser.startTimestampMs)
  }

  /** Takes the sample if it belongs to a histogram; false when it is to be copied. */
  #take(): boolean {
    const parser = this.#parser
    if (this.#isNextBucket()) {
      const group = this.#lastGroup!
      const bound = values.read(this.#body, parser.seriesStart + this.#prefixBytes, parser.seriesEnd - this.#suffixBytes)
      if (values.end === parser.seriesEnd - this.#suffixBytes) return this.#addBucket(group, bound)
    }
    this.#lastGroup = undefined
    const { name, labels, bound, boundStart, boundEnd } = readSeriesKey(this.#body, parser.seriesStart, parser.seriesEnd, 'le', parser.type)
    if (parser.hasHistogram) {
      if (name === this.#family) this.#groupOf(labels).isNative = true
      return false
    }
    if (!name.startsWith(this.#family)) return false
    const suffix = name.slice(this.#family.length)
    if (suffix === '_bucket') {
      const le = bound === undefined ? undefined : parseGoFloat(bound)
      if (le === undefined || Number.isNaN(le)) return false
      const group = this.#groupOf(labels)
      if (boundStart >= 0 && !parser.hasTimestamp) {
        this.#lastGroup = group
        this.#lastStart = parser.seriesStart
        this.#prefixBytes = boundStart - parser.seriesStart
        this.#lastSuffix = boundEnd
        this.#suffixBytes = parser.seriesEnd - boundEnd
      }
      return this.#addBucket(group, le)
    }
    if (suffix !== '_count' && suffix !== '_sum') return false
    const group = this.#groupOf(labels)
    if (suffix === '_count') group.count = parser.value
    else group.sum = parser.value
    return this.#taken(group)
  }

  /** True when the line differs from the last bucket's in its `le` alone, as most lines of a histogram do: then no string is made. */
  #isNextBucket(): boolean {
    const parser = this.#parser
    const { seriesStart, seriesEnd } = parser
    if (this.#lastGroup === undefined || parser.hasTimestamp || parser.hasHistogram) return false
    if (seriesEnd - seriesStart <= this.#prefixBytes + this.#suffixBytes) return false
    const body = this.#body
    for (let i = this.#prefixBytes - 1, a = this.#lastStart, b = seriesStart; i >= 0; i--) if (body[a + i] !== body[b + i]) return false
    for (let i = this.#suffixBytes - 1, a = this.#lastSuffix, b = seriesEnd - this.#suffixBytes; i >= 0; i--) {
      if (body[a + i] !== body[b + i]) return false
    }
    return true
  }

  #addBucket(group: Group, bound: number): boolean {
    group.bounds.push(bound)
    group.counts.push(this.#parser.value)
    return this.#taken(group)
  }

  #taken(group: Group): boolean {
    const parser = this.#parser
    if (group.isNative) return false
    if (group.startMs === 0) group.startMs = parser.startTimestampMs
    if (parser.hasExemplar) for (const exemplar of parser.exemplars()) group.exemplars.push(exemplar)
    return !this.#options.keepClassic
  }

  #groupOf(labels: string): Group {
    const parser = this.#parser
    const key = parser.hasTimestamp ? `${labels}\n${parser.timestampMs}` : labels
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = {
        labels,
        hasTimestamp: parser.hasTimestamp,
        timestampMs: parser.timestampMs,
        startMs: 0,
        bounds: [],
        counts: [],
        count: undefined,
        sum: 0,
        exemplars: [],
        isNative: false,
      }
      this.#groups.set(key, group)
    }
    return group
  }

  #endFamily(): void {
    for (const group of this.#groups.values()) {
      const histogram = group.isNative ? undefined : convert(group, this.#isGauge)
      if (histogram !== undefined) this.#write(group, histogram)
    }
    this.#groups.clear()
    this.#lastGroup = undefined
  }

  #write(group: Group, histogram: NativeHistogram): void {
    const out = this.#out
    const { hasTimestamp, startMs, exemplars } = group
    putSeriesText(out, this.#family, group.labels)
    const flags =
      histogramFlag |
      (hasTimestamp ? timestampFlag : 0) |
      (startMs !== 0 ? startFlag : 0) |
      (this.#isGauge ? gaugeFlag : 0) |
      (exemplars.length > 0 ? exemplarsFlag : 0)
    putValue(out, flags, NaN, group.timestampMs, startMs)
    const block = beginBlock(out)
    encodeHistogram(out, histogram)
    endBlock(out, block)
    if (exemplars.length > 0) putExemplars(out, exemplars)
  }
}

/** The buckets in ascending order, as nearly all targets write them; of several with one bound the first counts. */
function sortBuckets({ bounds, counts }: Group): { bounds: number[]; counts: number[] } {
  let isAscending = true
  for (let i = 1; i < bounds.length; i++) isAscending &&= bounds[i]! > bounds[i - 1]!
  if (isAscending) return { bounds, counts }
  const order = bounds.map((_, i) => i).sort((a, b) => (bounds[a] === bounds[b] ? a - b : bounds[a]! - bounds[b]!))
  const kept = order.filter((at, i) => i === 0 || bounds[at] !== bounds[order[i - 1]!])
  return { bounds: kept.map((at) => bounds[at]!), counts: kept.map((at) => counts[at]!) }
}

/** Undefined when the series make no histogram. */
function convert(group: Group, isGauge: boolean): NativeHistogram | undefined {
  const { bounds, counts } = sortBuckets(group)
  const total = group.count ?? counts.at(-1) ?? 0
  if (bounds.at(-1) !== Infinity) {
    bounds.push(Infinity)
    counts.push(total)
  }
  if (counts.at(-1) !== total || !Number.isFinite(total) || !(counts[0]! >= 0)) return undefined
  for (let i = 1; i < counts.length; i++) if (!(counts[i]! >= counts[i - 1]!)) return undefined
  const own = counts.map((cumulative, i) => (i === 0 ? cumulative : cumulative - counts[i - 1]!))
  try {
    return makeHistogram(
      {
        schema: customBucketsSchema,
        isFloat: !counts.every(Number.isInteger),
        count: total,
        sum: group.sum,
        zeroThreshold: 0,
        zeroCount: 0,
        positiveSpans: [{ offset: 0, length: own.length }],
        negativeSpans: [],
        positive: own,
        negative: [],
        customValues: bounds.slice(0, -1),
      },
      isGauge,
    )
  } catch (error) {
    if (error instanceof HistogramError) return undefined
    throw error
  }
}
