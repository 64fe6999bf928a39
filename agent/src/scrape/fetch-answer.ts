import { STATUS_CODES } from 'node:http'
import { gunzipSync } from 'node:zlib'
import type { HttpClient } from '@narthex/http/client'
import { BodyTooLargeError } from '@narthex/http/client-errors'
import type { InProcessTargets } from './in-process.ts'
import { ScrapeError } from './scrape-error.ts'

/** Bound of one answer, unpacked, when the job sets none: what is larger is not a list of metrics. */
export const answerBytesMax = 512 * 2 ** 20

export interface Answer {
  readonly contentType: string
  /** Unpacked; the caller's to keep. */
  readonly body: Uint8Array
}

export interface FetchOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** An unpacked body of this size or more fails; 0 = no limit but `answerBytesMax`. */
  readonly bodySizeLimitBytes: number
  /** Expected size of the unpacked body. */
  readonly bodyBytesHint: number
  readonly client: HttpClient
  readonly inProcess: InProcessTargets
  readonly signal?: AbortSignal
}

/** Asks a target once; throws ScrapeError or the client's error. Only status 200 is an answer. */
export async function fetchAnswer(options: FetchOptions): Promise<Answer> {
  const url = new URL(options.url)
  const target = options.inProcess.find(url)
  if (target !== undefined) {
    const asked = target({ url, accept: options.headers['accept'] ?? '', timeoutMs: options.timeoutMs })
    const answer = asked instanceof Promise ? await withDeadline(asked, options) : asked
    checkStatus(answer.status)
    checkSize(answer.body.length, options)
    return { contentType: answer.contentType, body: answer.body.slice() }
  }
  const bytesMax = options.bodySizeLimitBytes > 0 ? options.bodySizeLimitBytes : answerBytesMax
  try {
    const response = await options.client.request({
      url,
      headers: options.headers,
      timeoutMs: options.timeoutMs,
      bodyBytesMax: bytesMax,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    checkStatus(response.status)
    const isPacked = response.headers['content-encoding'] === 'gzip'
    const body = isPacked ? unpack(response.body, bytesMax, options.bodyBytesHint) : response.body
    checkSize(body.length, options)
    const contentType = response.headers['content-type']
    return { contentType: typeof contentType === 'string' ? contentType : '', body }
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw bodyTooLarge(error)
    throw error
  }
}

/** Synchronous on purpose: a hop to the thread pool costs more than unpacking 50 KB. The hint makes it one piece, without a copy. */
function unpack(packed: Uint8Array, bytesMax: number, hint: number): Uint8Array {
  try {
    return gunzipSync(packed, { maxOutputLength: bytesMax, chunkSize: Math.min(Math.max(hint + (hint >> 3), 16_384), 2 ** 26) })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(error)
    throw new ScrapeError('http', `cannot unpack gzip answer: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function checkSize(bytes: number, { bodySizeLimitBytes }: FetchOptions): void {
  if (bodySizeLimitBytes > 0 && bytes >= bodySizeLimitBytes) throw bodyTooLarge(undefined)
}

function bodyTooLarge(cause: unknown): ScrapeError {
  return new ScrapeError('body-size-limit', 'body size limit exceeded', { cause })
}

function checkStatus(status: number): void {
  if (status !== 200) throw new ScrapeError('http', `server returned HTTP status ${statusText(status)}`)
}

function statusText(status: number): string {
  const text = STATUS_CODES[status]
  return text === undefined ? String(status) : `${status} ${text}`
}

async function withDeadline<T>(work: Promise<T>, { url, timeoutMs }: FetchOptions): Promise<T> {
  const over = Promise.withResolvers<never>()
  const timer = setTimeout(() => over.reject(new ScrapeError('http', `Get "${url}": context deadline exceeded`)), timeoutMs)
  try {
    return await Promise.race([work, over.promise])
  } finally {
    clearTimeout(timer)
  }
}
