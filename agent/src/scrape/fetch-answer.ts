import { STATUS_CODES } from 'node:http'
import type { HttpClient } from '@narthex/http/client'
import { BodyTooLargeError } from '@narthex/http/client-errors'
import type { BodyBuffers } from './body-buffers.ts'
import type { InProcessTargets } from './in-process.ts'
import { ScrapeError } from './scrape-error.ts'
import { UnpackedTooLargeError, Unpacker } from './unpack.ts'

/** Bound of one answer, unpacked, when the job sets none: what is larger is not a list of metrics. */
export const answerBytesMax = 512 * 2 ** 20

export interface Answer {
  readonly contentType: string
  /** Unpacked; the caller's to keep, or to give to `buffers`. */
  readonly body: Uint8Array
}

export interface FetchOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** An unpacked body of this size or more fails; 0 = no limit but `answerBytesMax`. */
  readonly bodySizeLimitBytes: number
  /** Expected size of the body, and where buffers for it come from. */
  readonly bodyBytesHint: number
  readonly buffers: BodyBuffers
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
    return { contentType: answer.contentType, body: copy(answer.body, options.buffers) }
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
    const body = isPacked ? unpack(response.body, options, bytesMax) : response.body
    checkSize(body.length, options)
    const contentType = response.headers['content-type']
    return { contentType: typeof contentType === 'string' ? contentType : '', body }
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw bodyTooLarge(error)
    throw error
  }
}

const unpacker = new Unpacker()

/** Synchronous on purpose: a hop to the thread pool costs more than unpacking 50 KB. */
function unpack(packed: Uint8Array, { buffers, bodyBytesHint }: FetchOptions, bytesMax: number): Uint8Array {
  try {
    // Room for a body that has grown a little, else the first try is for nothing.
    return unpacker.unpack(packed, buffers.take(bodyBytesHint + (bodyBytesHint >> 6) + 64), bytesMax)
  } catch (error) {
    if (error instanceof UnpackedTooLargeError) throw bodyTooLarge(error)
    throw new ScrapeError('http', `cannot unpack gzip answer: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function copy(body: Uint8Array, buffers: BodyBuffers): Uint8Array {
  const buffer = buffers.take(body.length)
  if (buffer.length === 0) return body.slice()
  buffer.set(body)
  return buffer.subarray(0, body.length)
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
