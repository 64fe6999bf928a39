import { stringifyAsGo } from '@narthex/model/go-json'
import { Labels } from '@narthex/model/labels'
import { formatFloatG, formatFloatPlain, parseGoFloat } from '@narthex/model/number'

import type { AnswerData, HistogramPoint, Point, SeriesShape } from './answer-shape.ts'

// Answers as promtool prints them.

/** `name{a="b"} => value @[time]`, a line a sample; no line for an empty vector. */
export function describeResult({ resultType, result }: AnswerData): string {
  if (resultType === 'string') return `string: ${(result as Point)[1]} @[${(result as Point)[0]}]`
  if (resultType === 'scalar') return `scalar: ${describePoint(result as Point)}`
  return (result as readonly SeriesShape[]).map(describeSeries).join('\n')
}

/** The result alone, with numbers that have no exponent and HTML's characters escaped, as Go encodes it. */
export function encodeResult({ resultType, result }: AnswerData): string {
  if (resultType === 'string') return stringifyAsGo(result)
  if (resultType === 'scalar') return stringifyAsGo(plainPoint(result as Point))
  return stringifyAsGo(
    (result as readonly SeriesShape[]).map((series) => ({
      ...series,
      ...(series.value === undefined ? {} : { value: plainPoint(series.value) }),
      ...(series.values === undefined ? {} : { values: series.values.map(plainPoint) }),
    })),
  )
}

/** `{__name__="up", job="a"}` */
export function describeLabelSet(record: Readonly<Record<string, string>>): string {
  return Labels.from(record).toString()
}

function describeSeries({ metric, value, histogram, values, histograms }: SeriesShape): string {
  const name = Labels.from(metric).metricString()
  if (value !== undefined) return `${name} => ${describePoint(value)}`
  if (histogram !== undefined) return `${name} => ${describeHistogramPoint(histogram)}`
  const lines = [...(values ?? []).map(describePoint), ...(histograms ?? []).map(describeHistogramPoint)]
  return `${name} =>\n${lines.join('\n')}`
}

function describePoint([time, value]: Point): string {
  return `${plainValue(value)} @[${time}]`
}

function describeHistogramPoint([time, { count, sum, buckets }]: HistogramPoint): string {
  return `Count: ${plainValue(count)}, Sum: ${plainValue(sum)}, Buckets: [${(buckets ?? []).map(describeBucket).join(' ')}] @[${time}]`
}

/** Boundaries: 0 open on the left, 1 open on the right, 2 open, 3 closed on both sides. */
function describeBucket([boundaries, lower, upper, count]: readonly [number, string, string, string]): string {
  const [from, to] = [boundaries === 1 || boundaries === 3 ? '[' : '(', boundaries === 0 || boundaries === 3 ? ']' : ')']
  const bound = (text: string) => formatFloatG(parseGoFloat(text) ?? NaN)
  return `${from}${bound(lower)},${bound(upper)}${to}:${plainValue(count)}`
}

function plainPoint([time, value]: Point): Point {
  return [time, plainValue(value)]
}

/** Without an exponent, whatever the server wrote. */
function plainValue(text: string): string {
  const value = parseGoFloat(text)
  return value === undefined ? text : formatFloatPlain(value)
}
