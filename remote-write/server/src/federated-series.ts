import { compareBytewise } from '@narthex/model/compare'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { customBucketsSchema } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { isStaleWords } from '@narthex/model/stale'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import { histogramOfColumns } from '@narthex/promql/histogram/histograms-of-columns'
import type { Queryable } from '@narthex/tsdb/select/queryable'

/** The newest sample of a series. */
export interface FederatedSeries {
  readonly name: string
  readonly labels: Labels
  readonly timeMs: number
  readonly value: number
  /** The sample is this instead of a float. */
  readonly histogram: FloatHistogram | undefined
}

export interface Selection {
  /** One set of matchers a selector. */
  readonly sets: readonly (readonly Matcher[])[]
  readonly timeMs: number
  /** How old the newest sample of a series may be. */
  readonly lookbackMs: number
  /** False: of native histograms only those with custom buckets, which can be told as classic ones. */
  readonly withNativeHistograms: boolean
}

const lineBytes = 48

/**
 * The newest sample of each selected series, by name and, within a name, by type and labels. A series whose newest sample is a stale marker is left out, as is
 * one that has no name. What is held is told to `holder`.
 */
export function collectNewest(selection: Selection, reader: Queryable, holder: { hold(bytes: number): void }): FederatedSeries[] {
  const { sets, timeMs, lookbackMs, withNativeHistograms } = selection
  const found: FederatedSeries[] = []
  const seen = new Set<string>()
  const floats = new SampleColumns()
  const histograms = new HistogramColumns()
  for (const matchers of sets) {
    // As in Prometheus `{}` selects nothing.
    if (matchers.length === 0) continue
    // Open on the left, as a query's lookback.
    const series = reader.select(matchers, timeMs - lookbackMs + 1, timeMs)
    while (series.next()) {
      floats.clear()
      histograms.clear()
      series.samples(floats)
      if (series.hasHistograms?.() !== false) series.histograms?.(histograms)
      const newest = readNewest(floats, histograms)
      if (newest === undefined) continue
      if (newest.histogram !== undefined && !withNativeHistograms && newest.histogram.schema !== customBucketsSchema) continue
      const labels = series.labels()
      const name = labels.get('__name__')
      const key = labels.key()
      if (name === '' || seen.has(key)) continue
      seen.add(key)
      holder.hold(key.length * 4 + lineBytes + bytesOf(newest.histogram))
      found.push({ name, labels, ...newest })
    }
  }
  return found.sort(
    (a, b) => compareBytewise(a.name, b.name) || compareBytewise(familyType(b), familyType(a)) || Labels.compare(a.labels, b.labels),
  )
}

/** A gauge histogram and a counter of the same name are two families. */
export function familyType({ histogram }: Pick<FederatedSeries, 'histogram'>): 'untyped' | 'histogram' | 'gaugehistogram' {
  if (histogram === undefined) return 'untyped'
  return histogram.isGauge && histogram.schema !== customBucketsSchema ? 'gaugehistogram' : 'histogram'
}

/** Those of a histogram with custom bounds, the last one without a bound. */
export function classicBuckets({
  customValues,
  positive,
  count,
}: FloatHistogram): { readonly upper: number; readonly cumulative: number }[] {
  let [at, cumulative] = [0, 0]
  const buckets = customValues.map((upper, i) => {
    while (at < positive.indexes.length && positive.indexes[at]! <= i) cumulative += positive.counts[at++]!
    return { upper, cumulative }
  })
  return [...buckets, { upper: Infinity, cumulative: count }]
}

function readNewest(
  floats: SampleColumns,
  histograms: HistogramColumns,
): Pick<FederatedSeries, 'timeMs' | 'value' | 'histogram'> | undefined {
  const float = floats.length - 1
  const last = histograms.length - 1
  if (last >= 0 && (float < 0 || histograms.times[last]! > floats.times[float]!)) {
    if (histograms.isStale(last)) return undefined
    return { timeMs: histograms.times[last]!, value: 0, histogram: histogramOfColumns(histograms, last) }
  }
  if (float < 0 || isStaleWords(floats.words[2 * float]!, floats.words[2 * float + 1]!)) return undefined
  return { timeMs: floats.times[float]!, value: floats.values[float]!, histogram: undefined }
}

function bytesOf(histogram: FloatHistogram | undefined): number {
  return histogram === undefined ? 0 : 16 * histogram.sampleCount
}
