import type { QueryContext } from '../query-context.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { countPresent, extraSamples, stepSeriesBytes } from './operator.ts'

/** Kept copies of series, counted against the query's budget. */
export class SeriesStore {
  readonly series: StepSeries[] = []
  readonly #context: QueryContext
  #samples = 0
  #bytes = 0

  constructor(context: QueryContext) {
    this.#context = context
  }

  /** All of an operator's series. */
  static collect(context: QueryContext, input: VectorOperator): SeriesStore {
    const store = new SeriesStore(context)
    for (let series = input.next(); series !== undefined; series = input.next()) store.add(series)
    return store
  }

  /** Copies the series; the copy is the caller's to change. */
  add(series: StepSeries): StepSeries {
    const { labels, dropName } = series
    const histograms = series.histograms?.slice()
    const copy = { labels, dropName, values: series.values.slice(), present: series.present.slice(), histograms }
    const extra = extraSamples(series)
    const extraBytes = histograms === undefined ? 0 : histograms.length * 8 + extra * 16
    this.#hold(countPresent(series.present) + extra, copy.values.length, extraBytes)
    this.series.push(copy)
    return copy
  }

  #hold(samples: number, steps: number, extraBytes: number): void {
    const bytes = stepSeriesBytes(steps) + extraBytes
    this.#context.hold(samples, bytes)
    this.#samples += samples
    this.#bytes += bytes
  }

  /** Gives the budget back once the series are not needed any more. */
  release(): void {
    this.#context.release(this.#samples, this.#bytes)
    this.#samples = 0
    this.#bytes = 0
    this.series.length = 0
  }
}
