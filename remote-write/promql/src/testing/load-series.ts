import { MemoryStorage } from './memory-storage.ts'
import { parseSeriesDescription } from './series-notation.ts'

/** A storage with the series that the lines describe in promtool's notation, a value every `everyMs` from time 0 on. */
export function loadSeries(everyMs: number, lines: readonly string[]): MemoryStorage {
  const storage = new MemoryStorage()
  for (const line of lines) {
    const { labels, values } = parseSeriesDescription(line)
    values.forEach((value, i) => {
      if (value === 'missing' || value === 'stale') return
      const series = storage.series(labels)
      if (typeof value === 'number') series.appendNumber(i * everyMs, value)
      else series.appendHistogram(i * everyMs, value)
    })
  }
  return storage
}
