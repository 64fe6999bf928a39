import { HistogramColumns } from '@narthex/model/histogram-columns'
import { formatHistogram } from '@narthex/model/format-histogram'
import { formatFloatPlain } from '@narthex/model/number'
import { SampleColumns } from '@narthex/model/sample-columns'
import { isStaleWords } from '@narthex/model/stale'
import type { Queryable } from '@narthex/promql/storage'

/** Every series and its samples up to a time, as Prometheus prints a matrix: floats, then histograms, each with its time in ms; no ends of series. */
export function describeStorage(storage: Queryable, untilMs: number): string {
  const lines: string[] = []
  const series = storage.select([], -Infinity, untilMs)
  while (series.next()) {
    const samples: string[] = []
    const floats = new SampleColumns()
    series.samples(floats)
    for (let i = 0; i < floats.length; i++) {
      if (isStaleWords(floats.words[2 * i]!, floats.words[2 * i + 1]!)) continue
      samples.push(`${formatFloatPlain(floats.values[i]!)} @[${floats.times[i]!}]`)
    }
    const histograms = new HistogramColumns(16, 256)
    series.histograms?.(histograms)
    for (let i = 0; i < histograms.length; i++)
      if (!histograms.isStale(i)) samples.push(`${formatHistogram(histograms, i)} @[${histograms.times[i]!}]`)
    if (samples.length > 0) lines.push(`${series.labels().toString()} =>`, ...samples)
  }
  return lines.join('\n')
}
