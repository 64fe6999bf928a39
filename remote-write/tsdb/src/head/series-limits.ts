import type { LabelPairs } from './label-pairs.ts'
import type { Symbols } from './symbols.ts'
import type { SeriesRefusalKind } from './refused-series.ts'

export interface SeriesLimitOptions {
  /** Series in the head; 0 = no limit. */
  readonly seriesMax?: number
  /** Series of one metric name in the head; 0 = no limit. */
  readonly seriesPerMetricMax?: number
}

export interface SeriesOverLimit {
  readonly kind: SeriesRefusalKind
  readonly reason: string
}

const metricName = new TextEncoder().encode('__name__')

/** Decides whether a new series may be made. Freed series give room again. */
export class SeriesLimits {
  readonly #symbols: Symbols
  readonly #pairs: LabelPairs
  /** Infinity = no limit. */
  readonly seriesMax: number
  readonly seriesPerMetricMax: number

  constructor(symbols: Symbols, pairs: LabelPairs, { seriesMax, seriesPerMetricMax }: SeriesLimitOptions) {
    this.#symbols = symbols
    this.#pairs = pairs
    this.seriesMax = toLimit(seriesMax)
    this.seriesPerMetricMax = toLimit(seriesPerMetricMax)
  }

  /** Whether `find` looks at the lists of pairs. */
  get countsMetrics(): boolean {
    return this.seriesPerMetricMax !== Infinity
  }

  /** The limit that one more series of these pairs of symbols would pass, beside `count` series. */
  find(symbols: Uint32Array, pairCount: number, count: number): SeriesOverLimit | undefined {
    if (count >= this.seriesMax) {
      const reason = `series limit reached: want at most ${this.seriesMax} series (--storage.tsdb.head-series-max)`
      return { kind: 'series_limit', reason }
    }
    if (this.seriesPerMetricMax === Infinity) return undefined
    const name = this.#symbols.find(metricName, 0, metricName.length)
    if (name === 0) return undefined
    for (let i = 0; i < pairCount; i++) {
      if (symbols[2 * i] !== name) continue
      const pair = this.#pairs.find(name, symbols[2 * i + 1]!)
      if (pair === 0 || this.#pairs.count(pair) < this.seriesPerMetricMax) return undefined
      const metric = JSON.stringify(this.#symbols.text(symbols[2 * i + 1]!))
      const reason = `series limit of a metric reached: want at most ${this.seriesPerMetricMax} series of ${metric} (--storage.tsdb.head-series-per-metric-max)`
      return { kind: 'metric_limit', reason }
    }
    return undefined
  }
}

function toLimit(option: number | undefined): number {
  return option !== undefined && option > 0 ? option : Infinity
}
