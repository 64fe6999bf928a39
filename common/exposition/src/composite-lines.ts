import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { MetricType } from '@narthex/model/metric-type'
import type { BucketSpan } from '@narthex/model/native-histogram'
import { formatOpenMetricsFloat } from '@narthex/model/number'
import { CompositeError } from './composite-value.ts'
import type { CompositeItem, CompositeValue } from './composite-value.ts'
import { putExemplars } from './copy-line.ts'
import { encodeHistogram, makeHistogram } from './histogram-message.ts'
import { beginBlock, endBlock, exemplarsFlag, gaugeFlag, histogramFlag, linesBytesMax, putValue } from './lines.ts'
import type { ScrapedExemplar } from './parser.ts'

export interface CompositeOptions {
  /** Classic series also of histograms that are native. */
  readonly keepClassic: boolean
  /** False: only the classic part of a histogram is read. */
  readonly nativeHistograms: boolean
}

/** Where the parts of a series text stand in the body. */
export interface SeriesRanges {
  readonly nameFrom: number
  readonly nameTo: number
  /** The name stands in quotes inside the braces. */
  readonly isQuoted: boolean
  /** Start and end of every `label="value"`. */
  readonly pairs: readonly number[]
}

/** What a line says besides its value; `flags` are those of its times. */
export interface LineTimes {
  readonly flags: number
  readonly timestampMs: number
  readonly startMs: number
  readonly exemplars: readonly ScrapedExemplar[]
}

const noExemplars: readonly ScrapedExemplar[] = []

/** Writes composite values of OpenMetrics 2.0 as lines. */
export class CompositeWriter {
  readonly #body: Uint8Array
  readonly #out: ByteWriter
  readonly #options: CompositeOptions
  #series: SeriesRanges = { nameFrom: 0, nameTo: 0, isQuoted: false, pairs: [] }
  #times: LineTimes = { flags: 0, timestampMs: 0, startMs: 0, exemplars: noExemplars }

  constructor(body: Uint8Array, out: ByteWriter, options: CompositeOptions) {
    this.#body = body
    this.#out = out
    this.#options = options
  }

  /**
   * Writes one composite value: a summary if it has quantiles or its type says so, else a histogram. Throws CompositeError for parts that do
   * not belong together, HistogramError for a native histogram that makes no sense.
   */
  write(series: SeriesRanges, value: CompositeValue, type: MetricType, times: LineTimes): void {
    this.#series = series
    this.#times = times
    if (type === 'summary' || value.lists.has('quantile')) this.#writeSummary(value)
    else this.#writeHistogram(value, type === 'gaugehistogram' || value.numbers.has('gcount') || value.numbers.has('gsum'))
  }

  #writeSummary({ numbers, lists }: CompositeValue): void {
    for (const key of [...numbers.keys(), ...lists.keys()]) {
      if (key !== 'count' && key !== 'sum' && key !== 'quantile') throw new CompositeError(`unexpected ${key} in the value of a summary`)
    }
    this.#putNumber('_count', wanted(numbers, 'count'), noExemplars)
    const sum = numbers.get('sum')
    if (sum !== undefined) this.#putNumber('_sum', sum, noExemplars)
    for (const { first, second } of lists.get('quantile') ?? []) {
      this.#putSeries('', `quantile="${formatOpenMetricsFloat(first)}"`)
      this.#putSample(second, noExemplars)
    }
  }

  #writeHistogram(value: CompositeValue, isGauge: boolean): void {
    const { numbers, lists } = value
    const count = numbers.get('count') ?? wanted(numbers, numbers.has('gcount') ? 'gcount' : 'count')
    const sum = numbers.get('sum') ?? numbers.get('gsum')
    const isNative = numbers.has('schema') && this.#options.nativeHistograms
    if (!numbers.has('schema')) {
      for (const key of [...numbers.keys(), ...lists.keys()]) {
        if (/^(?:zero|positive|negative)_/.test(key)) throw new CompositeError(`unexpected ${key} in a value without schema`)
      }
    }
    if (isNative) this.#putNative(value, count, sum ?? 0, isGauge)
    if (isNative && !(this.#options.keepClassic && lists.has('bucket'))) return
    this.#putNumber(isGauge ? '_gcount' : '_count', count, noExemplars)
    if (sum !== undefined) this.#putNumber(isGauge ? '_gsum' : '_sum', sum, noExemplars)
    this.#putBuckets(lists.get('bucket') ?? [], count)
  }

  #putBuckets(buckets: readonly CompositeItem[], count: number): void {
    const all = buckets.some(({ first }) => first === Infinity) ? buckets : [...buckets, { first: Infinity, second: count }]
    const byBucket = this.#exemplarsByBucket(all)
    for (let i = 0; i < all.length; i++) {
      this.#putSeries('_bucket', `le="${formatOpenMetricsFloat(all[i]!.first)}"`)
      this.#putSample(all[i]!.second, byBucket.get(i) ?? noExemplars)
    }
  }

  /** An exemplar belongs to the bucket that its value falls into; bounds ascend. */
  #exemplarsByBucket(buckets: readonly CompositeItem[]): Map<number, ScrapedExemplar[]> {
    const byBucket = new Map<number, ScrapedExemplar[]>()
    for (const exemplar of this.#times.exemplars) {
      let low = 0
      let high = buckets.length - 1
      while (low < high) {
        const middle = (low + high) >> 1
        if (exemplar.value <= buckets[middle]!.first) high = middle
        else low = middle + 1
      }
      const list = byBucket.get(low)
      if (list === undefined) byBucket.set(low, [exemplar])
      else list.push(exemplar)
    }
    return byBucket
  }

  #putNative({ numbers, lists }: CompositeValue, count: number, sum: number, isGauge: boolean): void {
    const zeroCount = numbers.get('zero_count') ?? 0
    const positive = countsOf(lists, 'positive_buckets')
    const negative = countsOf(lists, 'negative_buckets')
    const histogram = makeHistogram(
      {
        schema: numbers.get('schema')!,
        isFloat: ![count, zeroCount, ...positive, ...negative].every(Number.isInteger),
        count,
        sum,
        zeroThreshold: numbers.get('zero_threshold') ?? 0,
        zeroCount,
        positiveSpans: spansOf(lists, 'positive_spans'),
        negativeSpans: spansOf(lists, 'negative_spans'),
        positive,
        negative,
        customValues: [],
      },
      isGauge,
    )
    const { flags, timestampMs, startMs, exemplars } = this.#times
    const out = this.#out
    this.#putSeries('', '')
    const gauge = isGauge ? gaugeFlag : 0
    putValue(out, flags | histogramFlag | gauge | (exemplars.length > 0 ? exemplarsFlag : 0), NaN, timestampMs, startMs)
    const block = beginBlock(out)
    encodeHistogram(out, histogram)
    endBlock(out, block)
    if (exemplars.length > 0) putExemplars(out, exemplars)
  }

  #putNumber(suffix: string, value: number, exemplars: readonly ScrapedExemplar[]): void {
    this.#putSeries(suffix, '')
    this.#putSample(value, exemplars)
  }

  #putSample(value: number, exemplars: readonly ScrapedExemplar[]): void {
    const { flags, timestampMs, startMs } = this.#times
    putValue(this.#out, exemplars.length > 0 ? flags | exemplarsFlag : flags, value, timestampMs, startMs)
    if (exemplars.length > 0) putExemplars(this.#out, exemplars)
  }

  #putSeries(suffix: string, extraLabel: string): void {
    const out = this.#out
    const { nameFrom, nameTo, isQuoted, pairs } = this.#series
    if (out.length > linesBytesMax) throw new CompositeError(`body expands to more than ${linesBytesMax} bytes`)
    if (isQuoted) out.utf8('{"')
    out.raw(this.#body, nameFrom, nameTo)
    out.utf8(suffix)
    if (isQuoted) out.u8(34)
    else if (pairs.length === 0 && extraLabel === '') return
    else out.u8(123)
    let needsComma = isQuoted
    for (let i = 0; i < pairs.length; i += 2) {
      if (needsComma) out.u8(44)
      needsComma = true
      out.raw(this.#body, pairs[i]!, pairs[i + 1]!)
    }
    if (extraLabel !== '') {
      if (needsComma) out.u8(44)
      out.utf8(extraLabel)
    }
    out.u8(125)
  }
}

function wanted(numbers: ReadonlyMap<string, number>, key: string): number {
  const value = numbers.get(key)
  if (value === undefined) throw new CompositeError(`expected ${key} in composite value`)
  return value
}

function countsOf(lists: CompositeValue['lists'], key: string): number[] {
  return (lists.get(key) ?? []).map(({ first }) => first)
}

function spansOf(lists: CompositeValue['lists'], key: string): BucketSpan[] {
  return (lists.get(key) ?? []).map(({ first, second }) => {
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second) || second < 0) {
      throw new CompositeError(`expected whole numbers in ${key} of composite value`)
    }
    return { offset: first, length: second }
  })
}
