import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { Queryable, SeriesSet } from '@narthex/promql/storage'

export const histogramsNotBuilt = 'native histograms are not built yet'

interface StoredSeries {
  readonly labels: Labels
  readonly columns: SampleColumns
  /** Times at which the script has a native histogram, ms. */
  readonly histogramTimes: number[]
}

/** Series in memory, for test scripts: what was loaded comes back, in the order it was loaded first. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, StoredSeries>()

  series(labels: Labels): StoredSeries {
    const key = labels.key()
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { labels, columns: new SampleColumns(16), histogramTimes: [] }
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
      samples: (into: SampleColumns) => copySamples(matching[at]!, minTimeMs, maxTimeMs, into),
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

function copySamples({ columns, histogramTimes }: StoredSeries, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
  if (histogramTimes.some((time) => time >= minTimeMs && time <= maxTimeMs)) throw new Error(histogramsNotBuilt)
  const { times, words, length } = columns
  for (let i = 0; i < length; i++) {
    const time = times[i]!
    if (time >= minTimeMs && time <= maxTimeMs) into.push(time, words[2 * i]!, words[2 * i + 1]!)
  }
}
