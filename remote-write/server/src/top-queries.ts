import type { TopOrder } from '@narthex/api/backend'
import { gridOf, type EndedQuery } from './query-observer.ts'

/** Different queries that are counted; of more, those that ended longest ago are forgotten. */
const entriesMax = 2_000
/** Longer texts are cut, as keys and when shown. */
const textLengthMax = 8_192

export interface TopQuery {
  readonly query: string
  /** Seconds from the first to the last step; 0: an instant query. */
  readonly rangeSeconds: number
  readonly count: number
  readonly failures: number
  readonly totalSeconds: number
  readonly averageSeconds: number
  readonly maxSeconds: number
  readonly samplesRead: number
  readonly peakBytes: number
  readonly lastTime: string
}

interface Entry {
  readonly query: string
  readonly rangeMs: number
  count: number
  failures: number
  totalMs: number
  maxMs: number
  samplesRead: number
  peakBytes: number
  lastMs: number
}

/** Counts what queries took since the start, by expression and length of the range. At most 2,000 of them are remembered. */
export class TopQueries {
  /** The one that ended last is the last. */
  readonly #entries = new Map<string, Entry>()

  note({ request, askedMs, totalMs, measures, failure }: EndedQuery): void {
    const grid = gridOf(request)
    if (grid === undefined) return
    const query = grid.query.slice(0, textLengthMax)
    const rangeMs = grid.endMs - grid.startMs
    const key = `${rangeMs} ${query}`
    const entry = this.#entries.get(key) ?? {
      ...{ query, rangeMs, count: 0, failures: 0, totalMs: 0, maxMs: 0, samplesRead: 0, peakBytes: 0, lastMs: 0 },
    }
    entry.count++
    if (failure !== undefined) entry.failures++
    entry.totalMs += totalMs
    entry.maxMs = Math.max(entry.maxMs, totalMs)
    entry.samplesRead += measures?.samplesRead ?? 0
    entry.peakBytes = Math.max(entry.peakBytes, measures?.peakBytes ?? 0)
    entry.lastMs = askedMs
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size <= entriesMax) return
    const [oldest] = this.#entries.keys()
    this.#entries.delete(oldest!)
  }

  /** The `limit` greatest by `order`. */
  list(order: TopOrder, limit: number): TopQuery[] {
    const measure = orders[order]
    return [...this.#entries.values()]
      .sort((a, b) => measure(b) - measure(a))
      .slice(0, limit)
      .map(viewEntry)
  }
}

const orders: Readonly<Record<TopOrder, (entry: Entry) => number>> = {
  duration: (entry) => entry.totalMs,
  average: (entry) => entry.totalMs / entry.count,
  count: (entry) => entry.count,
  samples: (entry) => entry.samplesRead,
  memory: (entry) => entry.peakBytes,
}

function viewEntry({ query, rangeMs, count, failures, totalMs, maxMs, samplesRead, peakBytes, lastMs }: Entry): TopQuery {
  return {
    query,
    rangeSeconds: rangeMs / 1000,
    count,
    failures,
    totalSeconds: totalMs / 1000,
    averageSeconds: totalMs / 1000 / count,
    maxSeconds: maxMs / 1000,
    samplesRead,
    peakBytes,
    lastTime: new Date(lastMs).toISOString(),
  }
}
