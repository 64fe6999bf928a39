import type { MetricType } from '@narthex/model/metric-type'

// What the series of a family have behind its name, by type.
const suffixes: Partial<Record<MetricType, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  gaugehistogram: ['_bucket', '_gsum', '_gcount'],
  summary: ['_sum', '_count'],
}

/** The family of a series: its metric name without what histograms and summaries put behind it. */
export function familyOfSeries(name: string, type: MetricType): string {
  const suffix = suffixes[type]?.find((text) => name.endsWith(text))
  return suffix === undefined ? name : name.slice(0, -suffix.length)
}

/** The metric names that series of a family may have. */
export function seriesNamesOf(family: string, type: MetricType): string[] {
  const own = type === 'counter' ? ['_total'] : type === 'info' ? ['_info'] : (suffixes[type] ?? [])
  return [family, ...own.map((suffix) => family + suffix)]
}
