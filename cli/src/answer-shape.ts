// The `data` of an answer to a query, as the HTTP API of Prometheus gives it.

export type Point = readonly [time: number, value: string]
export type HistogramPoint = readonly [time: number, histogram: HistogramShape]

export interface HistogramShape {
  readonly count: string
  readonly sum: string
  /** Boundaries, lower, upper, count. */
  readonly buckets?: readonly (readonly [number, string, string, string])[]
}

export interface SeriesShape {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: Point
  readonly histogram?: HistogramPoint
  readonly values?: readonly Point[]
  readonly histograms?: readonly HistogramPoint[]
}

export interface AnswerData {
  readonly resultType: string
  readonly result: unknown
}
