import { HistogramColumns } from '@narthex/model/histogram-columns'
import { isSameBounds, splitFloat } from '@narthex/model/histogram-layout'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { SampleColumns } from '@narthex/model/sample-columns'
import { hasFallen } from '../histogram/detect-reset.ts'
import { areEqual } from '../histogram/equal-histograms.ts'
import type { FloatHistogram } from '../histogram/float-histogram.ts'
import { histogramOfColumns } from '../histogram/histograms-of-columns.ts'
import { nativeOfHistogram } from '../histogram/native-of-histogram.ts'
import type { Queryable, SeriesSet } from '../storage.ts'

/** What a storage says to a sample; a duplicate is another value at the time of the newest one. */
export type MemoryOutcome = 'accepted' | 'out-of-order' | 'duplicate'

/** Series in memory, for tests of queries and rules: what is appended is found at once. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, StoredSeries>()
  /** By metric name, so that a query does not look at all series. */
  readonly #byName = new Map<string, StoredSeries[]>()

  /** The series of these labels, an empty one if there was none. */
  series(labels: Labels): StoredSeries {
    const key = labels.key()
    let series = this.#series.get(key)
    if (series === undefined) {
      series = new StoredSeries(labels)
      this.#series.set(key, series)
      const name = labels.get('__name__')
      const named = this.#byName.get(name)
      if (named === undefined) this.#byName.set(name, [series])
      else named.push(series)
    }
    return series
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    const matching = this.#matching(matchers)
    let at = -1
    return {
      next: () => ++at < matching.length,
      labels: () => matching[at]!.labels,
      samples: (into) => matching[at]!.copySamples(minTimeMs, maxTimeMs, into),
      startTimes: (times, into) => matching[at]!.copyStartTimes(times, into),
      histograms: (into) => matching[at]!.copyHistograms(minTimeMs, maxTimeMs, into),
    }
  }

  labelNames(matchers: readonly Matcher[]): string[] {
    return [...new Set(this.#matching(matchers).flatMap(({ labels }) => labels.pairs.filter((_, i) => i % 2 === 0)))].sort()
  }

  labelValues(name: string, matchers: readonly Matcher[]): string[] {
    const values = this.#matching(matchers).map(({ labels }) => labels.get(name))
    return [...new Set(values.filter((value) => value !== ''))].sort()
  }

  /** In the order of their labels. */
  #matching(matchers: readonly Matcher[]): StoredSeries[] {
    const byName = matchers.find(({ name, type }) => name === '__name__' && type === '=')
    const candidates = byName === undefined ? [...this.#series.values()] : (this.#byName.get(byName.value) ?? [])
    return candidates
      .filter(({ labels }) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
      .sort((a, b) => Labels.compare(a.labels, b.labels))
  }
}

interface StoredHistogram {
  readonly timeMs: number
  readonly histogram: FloatHistogram
  readonly hint: ResetHint
}

/** Floats and histograms of one series, each in ascending order of time. */
export class StoredSeries {
  readonly labels: Labels
  readonly columns = new SampleColumns(16)
  /** When counting began, by the time of the sample; both ms. */
  readonly startTimes = new Map<number, number>()
  readonly #histograms: StoredHistogram[] = []
  /** The last sample, if it was a histogram: resets are noted against it. */
  #last: FloatHistogram | undefined

  constructor(labels: Labels) {
    this.labels = labels
  }

  /** A value as two words of 32 bits, for a stale marker does not survive as a number. */
  append(timeMs: number, lowWord: number, highWord: number): MemoryOutcome {
    const { columns, lastTimeMs } = this
    if (timeMs < lastTimeMs) return 'out-of-order'
    if (timeMs === lastTimeMs) {
      const at = columns.length - 1
      const isSame = columns.times[at] === timeMs && columns.words[2 * at] === lowWord && columns.words[2 * at + 1] === highWord
      return isSame ? 'accepted' : 'duplicate'
    }
    columns.push(timeMs, lowWord, highWord)
    this.#last = undefined
    return 'accepted'
  }

  appendNumber(timeMs: number, value: number): MemoryOutcome {
    splitFloat(value, words)
    return this.append(timeMs, words[0]!, words[1]!)
  }

  appendHistogram(timeMs: number, histogram: FloatHistogram): MemoryOutcome {
    const { lastTimeMs } = this
    if (timeMs < lastTimeMs) return 'out-of-order'
    if (timeMs === lastTimeMs) {
      const last = this.#histograms.at(-1)
      return last?.timeMs === timeMs && areEqual(last.histogram, histogram) ? 'accepted' : 'duplicate'
    }
    const { hint } = histogram
    const isTold = hint === gaugeHistogram || hint === counterReset
    this.#histograms.push({ timeMs, histogram, hint: isTold ? hint : this.#hintAgainst(histogram) })
    this.#last = histogram
    return 'accepted'
  }

  appendNative(timeMs: number, native: NativeHistogram): MemoryOutcome {
    const columns = new HistogramColumns(1, 64)
    columns.pushHistogram(timeMs, 0, native)
    return this.appendHistogram(timeMs, histogramOfColumns(columns, 0))
  }

  /** -Infinity: there is no sample yet. */
  get lastTimeMs(): number {
    const { times, length } = this.columns
    return Math.max(length === 0 ? -Infinity : times[length - 1]!, this.#histograms.at(-1)?.timeMs ?? -Infinity)
  }

  /** As a storage notes it: of another layout nothing is known, but for a counter that fell. */
  #hintAgainst(histogram: FloatHistogram): ResetHint {
    const last = this.#last
    if (last === undefined || last.isGauge) return unknownReset
    if (histogram.count < last.count) return counterReset
    const isAlike =
      histogram.schema === last.schema &&
      histogram.zeroThreshold === last.zeroThreshold &&
      isSameBounds(histogram.customValues, last.customValues)
    if (!isAlike) return unknownReset
    return hasFallen(histogram, last) ? counterReset : noReset
  }

  copySamples(minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const { times, words: bits, length } = this.columns
    let from = 0
    let to = length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (times[middle]! < minTimeMs) from = middle + 1
      else to = middle
    }
    for (let i = from; i < length && times[i]! <= maxTimeMs; i++) into.push(times[i]!, bits[2 * i]!, bits[2 * i + 1]!)
  }

  copyStartTimes(times: Float64Array, into: Float64Array): void {
    times.forEach((timeMs, i) => {
      into[i] = this.startTimes.get(timeMs) ?? 0
    })
  }

  copyHistograms(minTimeMs: number, maxTimeMs: number, into: HistogramColumns): void {
    for (const { timeMs, histogram, hint } of this.#histograms) {
      if (timeMs >= minTimeMs && timeMs <= maxTimeMs)
        into.pushHistogram(timeMs, this.startTimes.get(timeMs) ?? 0, nativeOfHistogram(histogram), hint)
    }
  }
}

const words = new Uint32Array(2)
