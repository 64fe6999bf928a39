import { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import type { AnswerData, HistogramShape, Point, SeriesShape } from '../answer-shape.ts'

/** A native histogram as the API shows it; buckets by their boundaries. */
export interface AnsweredHistogram {
  readonly count: number
  readonly sum: number
  readonly buckets: ReadonlyMap<string, number>
}

/** What a query gave: values by time (ms) by series; series by `Labels.key()`. */
export interface Answer {
  readonly series: ReadonlyMap<string, AnsweredSeries>
}

export interface AnsweredSeries {
  readonly labels: Labels
  readonly values: ReadonlyMap<number, number | AnsweredHistogram>
}

/** Why a query gave nothing. */
export interface Refusal {
  readonly error: string
}

/** Reads the `data` of an answer to a query. Texts have no values to compare and give an empty answer. */
export function readAnswer(data: unknown): Answer {
  const { resultType, result } = data as AnswerData
  if (resultType === 'string') return { series: new Map() }
  if (resultType === 'scalar') return { series: new Map([['', { labels: Labels.empty, values: new Map([readPoint(result as Point)]) }]]) }
  const series = new Map<string, AnsweredSeries>()
  for (const raw of result as readonly SeriesShape[]) {
    const labels = Labels.from(raw.metric)
    const points = [...(raw.values ?? []), ...(raw.value === undefined ? [] : [raw.value])]
    const histograms = [...(raw.histograms ?? []), ...(raw.histogram === undefined ? [] : [raw.histogram])]
    const values = new Map<number, number | AnsweredHistogram>(points.map(readPoint))
    for (const [time, histogram] of histograms) values.set(Math.round(time * 1000), readHistogram(histogram))
    series.set(labels.key(), { labels, values })
  }
  return { series }
}

function readPoint([time, text]: Point): [number, number] {
  return [Math.round(time * 1000), readValue(text)]
}

function readHistogram({ count, sum, buckets = [] }: HistogramShape): AnsweredHistogram {
  const counts = buckets.map(([boundaries, lower, upper, inside]) => {
    return [`${boundaries} ${readValue(lower)} ${readValue(upper)}`, readValue(inside)] as const
  })
  return { count: readValue(count), sum: readValue(sum), buckets: new Map(counts) }
}

function readValue(text: string): number {
  const value = parseGoFloat(text)
  if (value === undefined) throw new Error(`cannot read an answer: want a number, got ${JSON.stringify(text)}`)
  return value
}
