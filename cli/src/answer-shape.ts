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

const resultTypes: ReadonlySet<unknown> = new Set(['scalar', 'string', 'vector', 'matrix'])

/** Checks what a server said to a query. Throws an Error with one line for what is no such answer. */
export function readAnswerData(value: unknown): AnswerData {
  const { resultType, result } = isObject(value) ? value : refuse('an object', value)
  if (!resultTypes.has(resultType)) throw new Error(`cannot read answer: unknown value type ${JSON.stringify(resultType)}`)
  if (resultType === 'scalar' || resultType === 'string') {
    if (!isPoint(result)) refuse('a time and a value', result)
  } else {
    if (!Array.isArray(result)) refuse('a list of series', result)
    for (const series of result as readonly unknown[]) if (!isSeries(series)) refuse('a series', series)
  }
  return { resultType: resultType as string, result }
}

/** Checks a list of texts (names and values of labels). Throws an Error with one line. */
export function readTextList(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  return refuse('a list of texts', value)
}

/** Checks a list of label sets. Throws an Error with one line. */
export function readLabelSets(value: unknown): readonly Readonly<Record<string, string>>[] {
  if (Array.isArray(value) && value.every(isLabelSet)) return value
  return refuse('a list of label sets', value)
}

function isSeries(value: unknown): boolean {
  if (!isObject(value) || !isLabelSet(value['metric'])) return false
  const { value: point, values, histogram, histograms } = value
  return (
    (point === undefined || isPoint(point)) &&
    (values === undefined || (Array.isArray(values) && values.every(isPoint))) &&
    (histogram === undefined || isHistogramPoint(histogram)) &&
    (histograms === undefined || (Array.isArray(histograms) && histograms.every(isHistogramPoint)))
  )
}

function isPoint(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'number' && typeof value[1] === 'string'
}

function isHistogramPoint(value: unknown): boolean {
  if (!Array.isArray(value) || typeof value[0] !== 'number' || !isObject(value[1])) return false
  const { count, sum, buckets } = value[1]
  return (
    typeof count === 'string' &&
    typeof sum === 'string' &&
    (buckets === undefined || (Array.isArray(buckets) && buckets.every(Array.isArray)))
  )
}

function isLabelSet(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(wanted: string, got: unknown): never {
  throw new Error(`cannot read answer: want ${wanted}, got ${(JSON.stringify(got) ?? 'nothing').slice(0, 200)}`)
}
