import type { TestSeries } from '@narthex/config/rule-test-file'
import type { Labels } from '@narthex/model/labels'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import type { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import { parseMetric, parseSequence, type SequenceValue } from '@narthex/promql/testing/series-notation'

/** A series of a test, with the value that comes next. */
export interface LoadedSeries {
  readonly labels: Labels
  readonly values: readonly SequenceValue[]
  next: number
}

/**
 * Reads `input_series` as promtool does: of two entries of the same labels the later counts; blank ones and those that begin with `#` are passed over.
 * Throws for the first that cannot be read, with its text.
 */
export function loadSeries(described: readonly TestSeries[]): LoadedSeries[] {
  const loaded = new Map<string, LoadedSeries>()
  for (const { series, values } of described) {
    const text = `${series} ${values}`.trim()
    if (text === '' || text.startsWith('#')) continue
    try {
      const labels = readLabels(series.trim())
      loaded.set(labels.key(), { labels, values: parseSequence(values), next: 0 })
    } catch (cause) {
      throw new Error(`cannot read series ${JSON.stringify(text)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }
  return [...loaded.values()]
}

function readLabels(text: string): Labels {
  if (/^[a-zA-Z_:][\w:]*\s+\{/.test(text)) throw new Error('want no blank between the name and its labels')
  const labels = parseMetric(text)
  if (labels.size === 0) throw new Error('want a name or labels, got neither')
  return labels
}

/** Appends the values up to a time after the start, both in ms. */
export function appendUntil(series: LoadedSeries, storage: MemoryStorage, startMs: number, stepMs: number, untilMs: number): void {
  for (; series.next < series.values.length && series.next * stepMs <= untilMs; series.next++) {
    const value = series.values[series.next]
    const timeMs = startMs + series.next * stepMs
    if (value === undefined || value === 'missing') continue
    const stored = storage.series(series.labels)
    if (value === 'stale') stored.append(timeMs, STALE_LOW, STALE_HIGH)
    else if (typeof value === 'number') stored.appendNumber(timeMs, value)
    else stored.appendHistogram(timeMs, value)
  }
}
