import type { HistogramColumns } from '@narthex/model/histogram-columns'
import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { counterReset, gaugeHistogram, noReset, unknownReset, type ResetHint } from '@narthex/model/reset-hint'
import { SampleColumns } from '@narthex/model/sample-columns'
import { hasFallen } from '@narthex/promql/histogram/detect-reset'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { nativeOfHistogram } from '@narthex/promql/histogram/native-of-histogram'
import type { Queryable, SeriesSet } from '@narthex/promql/storage'

/** Series in memory, for test scripts: what was loaded comes back, in the order it was loaded first. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, StoredSeries>()

  series(labels: Labels): StoredSeries {
    const key = labels.key()
    let series = this.#series.get(key)
    if (series === undefined) {
      series = new StoredSeries(labels)
      this.#series.set(key, series)
    }
    return series
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    const matching = [...this.#matching(matchers)]
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
    const names = new Set<string>()
    for (const { labels } of this.#matching(matchers)) for (let i = 0; i < labels.pairs.length; i += 2) names.add(labels.pairs[i]!)
    return [...names].sort()
  }

  labelValues(name: string, matchers: readonly Matcher[]): string[] {
    const values = new Set<string>()
    for (const { labels } of this.#matching(matchers)) if (labels.has(name)) values.add(labels.get(name))
    return [...values].sort()
  }

  *#matching(matchers: readonly Matcher[]): Iterable<StoredSeries> {
    for (const series of this.#series.values()) {
      if (matchers.every((matcher) => matcher.matches(series.labels.get(matcher.name)))) yield series
    }
  }
}

export class StoredSeries {
  readonly labels: Labels
  readonly columns = new SampleColumns(16)
  /** When counting began, by the time of the sample; both ms. */
  readonly startTimes = new Map<number, number>()
  readonly #histograms: { readonly timeMs: number; readonly histogram: FloatHistogram; readonly hint: ResetHint }[] = []
  /** The last sample, if it was a histogram: resets are noted against it. */
  #last: FloatHistogram | undefined

  constructor(labels: Labels) {
    this.labels = labels
  }

  push(timeMs: number, lowWord: number, highWord: number): void {
    this.columns.push(timeMs, lowWord, highWord)
    this.#last = undefined
  }

  pushNumber(timeMs: number, value: number): void {
    this.columns.pushNumber(timeMs, value)
    this.#last = undefined
  }

  pushHistogram(timeMs: number, histogram: FloatHistogram): void {
    const { hint } = histogram
    const isTold = hint === gaugeHistogram || hint === counterReset
    this.#histograms.push({ timeMs, histogram, hint: isTold ? hint : this.#hintAgainst(histogram) })
    this.#last = histogram
  }

  /** As a storage notes it: of another layout nothing is known, but for a counter that fell. */
  #hintAgainst(histogram: FloatHistogram): ResetHint {
    const last = this.#last
    if (last === undefined || last.isGauge) return unknownReset
    if (histogram.count < last.count) return counterReset
    const isAlike =
      histogram.schema === last.schema &&
      histogram.zeroThreshold === last.zeroThreshold &&
      histogram.customValues.join() === last.customValues.join()
    if (!isAlike) return unknownReset
    return hasFallen(histogram, last) ? counterReset : noReset
  }

  copySamples(minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
    const { times, words, length } = this.columns
    for (let i = 0; i < length; i++) {
      const time = times[i]!
      if (time >= minTimeMs && time <= maxTimeMs) into.push(time, words[2 * i]!, words[2 * i + 1]!)
    }
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
