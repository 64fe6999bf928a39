import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { parseMetricSelector } from '../parse/parse.ts'
import type { Queryable, SeriesSet } from '../storage.ts'

/** A value, 'stale', or undefined for no sample. */
export type ListedValue = number | 'stale' | undefined

/** A store for unit tests: values by metric, `everyMs` apart from 0 on. */
export function listSeries(everyMs: number, values: Readonly<Record<string, readonly ListedValue[]>>): Queryable {
  const series = Object.entries(values).map(([metric, list]) => ({
    labels: Labels.fromPairs(parseMetricSelector(metric).flatMap((matcher) => [matcher.name, matcher.value])),
    columns: makeColumns(list, everyMs),
  }))
  const matching = (matchers: readonly Matcher[]) =>
    series.filter(({ labels }) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
  return {
    select: (matchers, minTimeMs, maxTimeMs) => makeSet(matching(matchers), minTimeMs, maxTimeMs),
    labelNames: (matchers) => [...new Set(matching(matchers).flatMap(({ labels }) => Object.keys(labels.toRecord())))].sort(),
    labelValues: (name, matchers) => [...new Set(matching(matchers).map(({ labels }) => labels.get(name)))].sort(),
  }
}

function makeColumns(list: readonly ListedValue[], everyMs: number): SampleColumns {
  const columns = new SampleColumns(Math.max(1, list.length))
  list.forEach((value, i) => {
    if (value === 'stale') columns.push(i * everyMs, STALE_LOW, STALE_HIGH)
    else if (value !== undefined) columns.pushNumber(i * everyMs, value)
  })
  return columns
}

function makeSet(series: readonly { labels: Labels; columns: SampleColumns }[], minTimeMs: number, maxTimeMs: number): SeriesSet {
  let at = -1
  return {
    next: () => ++at < series.length,
    labels: () => series[at]!.labels,
    samples: (into) => {
      const { times, words, length } = series[at]!.columns
      for (let i = 0; i < length; i++) {
        if (times[i]! >= minTimeMs && times[i]! <= maxTimeMs) into.push(times[i]!, words[2 * i]!, words[2 * i + 1]!)
      }
    },
  }
}
