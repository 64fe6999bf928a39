import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import type { HistogramColumns } from '@narthex/model/histogram-columns'
import { Labels } from '@narthex/model/labels'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { RangeSeries } from '@narthex/tsdb/tools/rule-blocks'
import { storeAnsweredHistograms, type AnsweredBucket, type AnsweredHistogram } from './answered-histograms.ts'

/** Answers above this are refused. */
const answerBytesMax = 512 * 1024 * 1024
const timeoutMs = 130_000

/** Range queries to a server that has Prometheus' API, as columns of samples. */
export class RangeQueryClient {
  readonly #url: URL
  readonly #client: HttpClient

  /** Throws a TypeError for what is no URL. */
  constructor(server: string, config?: HttpClientConfig) {
    this.#url = new URL('api/v1/query_range', server.endsWith('/') ? server : `${server}/`)
    this.#client = createHttpClient(config, { userAgent: 'narthex-tsdb' })
  }

  /** From start to end, both included, in ms. Throws an error with one line. */
  async ask(query: string, startMs: number, endMs: number, stepMs: number): Promise<RangeSeries[]> {
    const seconds = (ms: number): string => String(ms / 1000)
    const form = new URLSearchParams({ query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) })
    const answer = await this.#client.request({
      url: this.#url,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      timeoutMs,
      bodyBytesMax: answerBytesMax,
    })
    return this.#parse(Buffer.from(answer.body).toString('utf8'), answer.status)
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #parse(text: string, status: number): RangeSeries[] {
    let content: unknown
    try {
      content = JSON.parse(text)
    } catch (cause) {
      throw new Error(`server error: ${status}: want JSON, got ${JSON.stringify(text.slice(0, 200))}`, { cause })
    }
    const answer = readObject(content)
    if (answer['status'] !== 'success') throw new Error(`${String(answer['errorType'])}: ${String(answer['error'])}`)
    const { resultType, result } = readObject(answer['data'])
    if (resultType !== 'matrix' || !Array.isArray(result)) throw new Error(`rule result is wrong type ${String(resultType)}`)
    return result.map((series: unknown) => this.#readSeries(readObject(series)))
  }

  #readSeries({ metric, values, histograms }: Record<string, unknown>): RangeSeries {
    const samples = new SampleColumns()
    for (const pair of Array.isArray(values) ? (values as unknown[]) : []) {
      const [time, value] = Array.isArray(pair) ? (pair as unknown[]) : []
      if (typeof time !== 'number' || typeof value !== 'string') throw new Error('cannot read answer: want pairs of time and value')
      samples.pushNumber(Math.round(time * 1000), readValue(value))
    }
    const pairs = Object.entries(readObject(metric)).flatMap(([name, value]) => [name, String(value)])
    return { labels: Labels.fromPairs(pairs), samples, histograms: readHistograms(histograms) }
  }
}

function readObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`cannot read answer: want an object, got ${JSON.stringify(value)?.slice(0, 100)}`)
  }
  return value as Record<string, unknown>
}

function readHistograms(list: unknown): HistogramColumns | undefined {
  if (!Array.isArray(list) || list.length === 0) return undefined
  return storeAnsweredHistograms(
    list.map((pair: unknown): AnsweredHistogram => {
      const [time, value] = Array.isArray(pair) ? (pair as unknown[]) : []
      if (typeof time !== 'number') throw new Error('cannot read answer: want pairs of time and histogram')
      const { count, sum, buckets = [] } = readObject(value)
      if (!Array.isArray(buckets)) throw new Error('cannot read answer: want the buckets of a histogram to be a list')
      return { timeMs: Math.round(time * 1000), count: readValue(count), sum: readValue(sum), buckets: buckets.map(readBucket) }
    }),
  )
}

/** `[0,"1","2","7"]`: which ends belong to it (3: both), its ends, its count. */
function readBucket(bucket: unknown): AnsweredBucket {
  const [ends, lower, upper, count] = Array.isArray(bucket) ? (bucket as unknown[]) : []
  if (typeof ends !== 'number') throw new Error(`cannot read answer: want a bucket, got ${JSON.stringify(bucket)}`)
  return { lower: readValue(lower), upper: readValue(upper), count: readValue(count), isClosed: ends === 3 }
}

const valueNames = new Map([
  ['NaN', NaN],
  ['+Inf', Infinity],
  ['Inf', Infinity],
  ['-Inf', -Infinity],
])

function readValue(text: unknown): number {
  if (typeof text !== 'string') throw new Error(`cannot read answer: want a value, got ${JSON.stringify(text)}`)
  const value = valueNames.get(text) ?? Number(text)
  if (text === '' || (Number.isNaN(value) && text !== 'NaN'))
    throw new Error(`cannot read answer: want a value, got ${JSON.stringify(text)}`)
  return value
}
