// The HTTP API of the server, as the pages use it. Answers come as Prometheus' JSON.

/** A native histogram: of each bucket which ends belong to it, its ends and its count. */
export interface Histogram {
  readonly count: string
  readonly sum: string
  readonly buckets?: readonly (readonly [ends: number, lower: string, upper: string, count: string])[]
}

/** Floats and histograms at times of their own; a list without entries is left out. */
export interface MatrixSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: readonly (readonly [time: number, value: string])[]
  readonly histograms?: readonly (readonly [time: number, value: Histogram])[]
}

/** One of the two. */
export interface VectorSample {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [time: number, value: string]
  readonly histogram?: readonly [time: number, value: Histogram]
}

export type QueryData =
  | { readonly resultType: 'matrix'; readonly result: readonly MatrixSeries[] }
  | { readonly resultType: 'vector'; readonly result: readonly VectorSample[] }
  | { readonly resultType: 'scalar'; readonly result: readonly [time: number, value: string] }
  | { readonly resultType: 'string'; readonly result: readonly [time: number, value: string] }

/** A part of the plan of a query that was analyzed. */
export interface ExplainedPart {
  readonly operator: string
  readonly detail: string
  readonly rewrites: readonly string[]
  readonly measures?: {
    readonly seconds: number
    readonly ownSeconds: number
    readonly series: number
    readonly samples: number
    readonly bytes: number
  }
  readonly children: readonly ExplainedPart[]
}

export interface Answer<Data> {
  readonly data: Data
  readonly warnings: readonly string[]
}

export class RequestError extends Error {
  override name = 'RequestError'
}

/** GET below the page's base address; rejects with the server's own error text. */
export async function getJson<Data>(path: string, parameters: Record<string, string> = {}, signal?: AbortSignal): Promise<Answer<Data>> {
  const url = new URL(path, document.baseURI)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  const response = await fetch(url, signal ? { signal } : {})
  const text = await response.text()
  let body: { status?: string; data?: Data; error?: string; warnings?: string[]; infos?: string[] }
  try {
    body = JSON.parse(text) as typeof body
  } catch {
    throw new RequestError(`${response.status} ${text.slice(0, 200) || response.statusText}`)
  }
  if (body.status !== 'success') throw new RequestError(body.error ?? `the server answered ${response.status}`)
  return { data: body.data as Data, warnings: [...(body.warnings ?? []), ...(body.infos ?? [])] }
}

export function queryInstant(query: string, timeSeconds?: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
  return getJson('api/v1/query', { query, ...(timeSeconds === undefined ? {} : { time: String(timeSeconds) }) }, signal)
}

export function queryRange(query: string, start: number, end: number, step: number, signal?: AbortSignal): Promise<Answer<QueryData>> {
  return getJson('api/v1/query_range', { query, start: String(start), end: String(end), step: String(step) }, signal)
}

/** As `queryRange`, with what each part of the plan took. */
export function analyzeRange(
  query: string,
  start: number,
  end: number,
  step: number,
  signal?: AbortSignal,
): Promise<Answer<QueryData & { readonly explain: ExplainedPart }>> {
  const times = { start: String(start), end: String(end), step: String(step) }
  return getJson('api/v1/query_range', { query, ...times, explain: 'analyze' }, signal)
}

/** `{count:3, sum:1.5, [-0.001,0.001]:1, (1,2]:2}` */
export function formatHistogram({ count, sum, buckets = [] }: Histogram): string {
  const parts = buckets.map(([ends, lower, upper, observations]) => {
    const opening = ends === 1 || ends === 3 ? '[' : '('
    return `${opening}${lower},${upper}${ends === 0 || ends === 3 ? ']' : ')'}:${observations}`
  })
  return `{${[`count:${count}`, `sum:${sum}`, ...parts].join(', ')}}`
}

/** `name{label="value"}`, as a legend shows it. */
export function formatMetric(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = '', ...labels } = metric
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  if (pairs.length === 0) return name === '' ? '{}' : name
  return `${name}{${pairs.join(', ')}}`
}
