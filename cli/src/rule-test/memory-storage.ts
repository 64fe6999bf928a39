import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { Queryable, SeriesSet } from '@narthex/promql/storage'
import type { AppendOutcome } from '@narthex/rules/interfaces'

interface StoredSeries {
  readonly labels: Labels
  readonly columns: SampleColumns
}

/** Series in memory, for tests of rules: what is appended is found at once. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, StoredSeries>()
  /** By metric name, so that a query does not look at all series. */
  readonly #byName = new Map<string, StoredSeries[]>()

  append(labels: Labels, timeMs: number, lowWord: number, highWord: number): AppendOutcome {
    const { columns } = this.#find(labels)
    const last = columns.length - 1
    if (last >= 0 && timeMs <= columns.times[last]!) {
      if (timeMs < columns.times[last]!) return 'out-of-order'
      return columns.words[2 * last] === lowWord && columns.words[2 * last + 1] === highWord ? 'accepted' : 'duplicate'
    }
    columns.push(timeMs, lowWord, highWord)
    return 'accepted'
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    const matching = this.#matching(matchers)
    let at = -1
    return {
      next: () => ++at < matching.length,
      labels: () => matching[at]!.labels,
      samples: (into) => copySamples(matching[at]!.columns, minTimeMs, maxTimeMs, into),
    }
  }

  labelNames(matchers: readonly Matcher[]): string[] {
    return [...new Set(this.#matching(matchers).flatMap(({ labels }) => labels.pairs.filter((_, i) => i % 2 === 0)))].sort()
  }

  labelValues(name: string, matchers: readonly Matcher[]): string[] {
    const values = this.#matching(matchers).map(({ labels }) => labels.get(name))
    return [...new Set(values.filter((value) => value !== ''))].sort()
  }

  #find(labels: Labels): StoredSeries {
    const key = labels.key()
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { labels, columns: new SampleColumns(16) }
      this.#series.set(key, series)
      const name = labels.get('__name__')
      const named = this.#byName.get(name)
      if (named === undefined) this.#byName.set(name, [series])
      else named.push(series)
    }
    return series
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

function copySamples({ times, words, length }: SampleColumns, minTimeMs: number, maxTimeMs: number, into: SampleColumns): void {
  let from = 0
  let to = length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (times[middle]! < minTimeMs) from = middle + 1
    else to = middle
  }
  for (let i = from; i < length && times[i]! <= maxTimeMs; i++) into.push(times[i]!, words[2 * i]!, words[2 * i + 1]!)
}
