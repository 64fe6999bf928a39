import { Labels } from '@narthex/model/labels'
import { formatFloatG, formatFloatPlain, parseGoFloat } from '@narthex/model/number'

// Answers as promtool prints them.

type Point = readonly [time: number, value: string]
type HistogramPoint = readonly [time: number, histogram: Histogram]

interface Histogram {
  readonly count: string
  readonly sum: string
  /** Boundaries, lower, upper, count. */
  readonly buckets?: readonly (readonly [number, string, string, string])[]
}

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: Point
  readonly histogram?: HistogramPoint
  readonly values?: readonly Point[]
  readonly histograms?: readonly HistogramPoint[]
}

export interface QueryData {
  readonly resultType: string
  readonly result: unknown
}

/** `name{a="b"} => value @[time]`, a line a sample; no line for an empty vector. */
export function describeResult({ resultType, result }: QueryData): string {
  if (resultType === 'string') return `string: ${(result as Point)[1]} @[${(result as Point)[0]}]`
  if (resultType === 'scalar') return `scalar: ${describePoint(result as Point)}`
  return (result as readonly Series[]).map(describeSeries).join('\n')
}

/** The result alone, with numbers that have no exponent and HTML's characters escaped, as Go encodes it. */
export function encodeResult({ resultType, result }: QueryData): string {
  if (resultType === 'string') return encodeGo(result)
  if (resultType === 'scalar') return encodeGo(plainPoint(result as Point))
  return encodeGo(
    (result as readonly Series[]).map((series) => ({
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

export function encodeGo(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = {
    '<': '\\u003c',
    '>': '\\u003e',
    '&': '\\u0026',
    '\u2028': '\\u2028',
    '\u2029': '\\u2029',
  }
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => escapes[character]!)
}

function describeSeries({ metric, value, histogram, values, histograms }: Series): string {
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
