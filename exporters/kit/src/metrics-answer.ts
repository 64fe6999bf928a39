import { AnswerBuffers } from './answer-buffers.ts'
import { encodeBody, negotiateEncoding, type ContentEncoding } from './content-encoding.ts'
import { readScrapeTimeoutMs } from './scrape-timeout.ts'

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

type Headers = Readonly<Record<string, string>>

// The same objects each time: whoever writes them remembers what they become.
const headersByEncoding: Readonly<Record<ContentEncoding, Headers>> = {
  identity: { 'content-type': metricsContentType },
  gzip: { 'content-type': metricsContentType, 'content-encoding': 'gzip' },
  zstd: { 'content-type': metricsContentType, 'content-encoding': 'zstd' },
}

export interface MetricsRequest {
  readonly query?: URLSearchParams
  /** Names in lower case, as Node.js gives them. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface MetricsResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Owned by the caller. */
  readonly body: Uint8Array
  /** May be called, once, when nobody reads `body` any more: its memory is used for another answer then. */
  readonly release?: () => void
}

const buffers = new AnswerBuffers()

/** The time that a scraper's header leaves for the answer, in milliseconds; `offsetMs` is taken off for the way back. */
export function scrapeTimeoutOf(request: MetricsRequest, offsetMs: number): number {
  return readScrapeTimeoutMs(readHeader(request, 'x-prometheus-scrape-timeout-seconds'), offsetMs)
}

/** 200 with a text 0.0.4, packed as the request likes it; `text` may be reused once the promise has settled, or at once if there is none. */
export function answerMetrics(request: MetricsRequest, text: Uint8Array): MetricsResponse | Promise<MetricsResponse> {
  const encoding = negotiateEncoding(readHeader(request, 'accept-encoding'))
  if (encoding === 'identity') {
    const body = buffers.copy(text)
    return { status: 200, headers: headersByEncoding.identity, body, release: () => buffers.release(body) }
  }
  const body = encodeBody(text, encoding)
  return body instanceof Promise ? body.then((packed) => answerPacked(encoding, packed)) : answerPacked(encoding, body)
}

function answerPacked(encoding: ContentEncoding, body: Uint8Array): MetricsResponse {
  return { status: 200, headers: headersByEncoding[encoding], body }
}

export function answerText(status: number, text: string): MetricsResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: new TextEncoder().encode(text),
  }
}

/** 503: as many scrapes as are allowed are being answered. */
export function answerBusy(requestsMax: number): MetricsResponse {
  return answerText(503, `Limit of concurrent requests reached (${requestsMax}), try again later.\n`)
}

/** 500 with the reason. */
export function answerFailure(error: unknown): MetricsResponse {
  return answerText(500, `An error has occurred while serving metrics:\n\n${error instanceof Error ? error.message : String(error)}\n`)
}

function readHeader(request: MetricsRequest, name: string): string | undefined {
  const value = request.headers?.[name]
  return typeof value === 'string' || value === undefined ? value : value.join(',')
}
