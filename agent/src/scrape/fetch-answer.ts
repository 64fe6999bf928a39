import { STATUS_CODES } from 'node:http'
import type { HttpHeaders } from '@narthex/http/client'
import { BodyTooLargeError } from '@narthex/http/client-errors'
import { isRedirect } from '../http/clients.ts'
import type { Clients } from '../http/clients.ts'
import { prepareRequest } from '../http/direct-client.ts'
import type { DirectClient, DirectExchange, DirectRequest } from '../http/direct-client.ts'
import type { BodyBuffers } from './body-buffers.ts'
import { inProcessKey } from './in-process.ts'
import type { InProcessTargets } from './in-process.ts'
import { ScrapeError } from './scrape-error.ts'
import { UnpackedTooLargeError, Unpacker } from './unpack.ts'
import { unpackZstd } from './unpack-zstd.ts'

/** Bound of one answer, unpacked, when the job sets none: what is larger is not a list of metrics. */
export const answerBytesMax = 512 * 2 ** 20

export interface Answer {
  readonly contentType: string
  /** Unpacked; the caller's to keep, or to give to `buffers`. */
  readonly body: Uint8Array
}

export interface FetchOptions {
  readonly url: string
  /** Connect to this unix socket instead of the URL's host. */
  readonly socketPath: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** An unpacked body of this size or more fails; 0 = no limit but `answerBytesMax`. */
  readonly bodySizeLimitBytes: number
  /** Where buffers for bodies come from. */
  readonly buffers: BodyBuffers
  readonly clients: Clients
  readonly inProcess: InProcessTargets
}

/** Asks one target, again and again. */
export class AnswerFetcher {
  readonly #options: FetchOptions
  readonly #url: URL
  readonly #inProcessKey: string
  readonly #bytesMax: number
  readonly #direct: DirectClient | undefined
  readonly #request: DirectRequest
  #bodyBytesHint = 0

  constructor(options: FetchOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    this.#inProcessKey = inProcessKey(this.#url)
    this.#bytesMax = options.bodySizeLimitBytes > 0 ? options.bodySizeLimitBytes : answerBytesMax
    this.#direct = options.socketPath === undefined ? options.clients.direct(this.#url) : undefined
    this.#request = prepareRequest('GET', this.#url, options.headers)
  }

  /** Throws ScrapeError or the client's error. Only status 200 is an answer. `bodyBytesHint` is the expected size of the body. */
  async fetch(bodyBytesHint: number, signal: AbortSignal): Promise<Answer> {
    this.#bodyBytesHint = bodyBytesHint
    const { timeoutMs, buffers, socketPath } = this.#options
    const target = socketPath === undefined ? this.#options.inProcess.find(this.#inProcessKey) : undefined
    if (target !== undefined) {
      const asked = target({ url: this.#url, accept: this.#options.headers['accept'] ?? '', timeoutMs })
      const answer = asked instanceof Promise ? await withDeadline(asked, this.#options) : asked
      checkStatus(answer.status)
      checkSize(answer.body.length, this.#options)
      return { contentType: answer.contentType, body: copy(answer.body, buffers) }
    }
    try {
      const answer = this.#direct === undefined ? undefined : await this.#direct.exchange(this.#request, this.#directExchange(signal))
      return answer ?? (await this.#fetchGenerally(signal))
    } catch (error) {
      if (error instanceof BodyTooLargeError) throw bodyTooLarge(error)
      throw error
    }
  }

  #directExchange(signal: AbortSignal): DirectExchange<Answer | undefined> {
    return {
      timeoutMs: this.#options.timeoutMs,
      bodyBytesMax: this.#bytesMax,
      signal,
      take: (head, body, isGiven) =>
        isRedirect(head.status, head.headers) ? undefined : this.#take(head.status, head.headers, body, !isGiven),
    }
  }

  async #fetchGenerally(signal: AbortSignal): Promise<Answer> {
    const { clients, headers, timeoutMs, socketPath } = this.#options
    const socket = socketPath === undefined ? {} : { socketPath }
    const response = await clients.general.request({ url: this.#url, headers, timeoutMs, bodyBytesMax: this.#bytesMax, signal, ...socket })
    return this.#take(response.status, response.headers, response.body, false)
  }

  /** `isLent`: the bytes are not ours to keep. */
  #take(status: number, headers: HttpHeaders, bytes: Uint8Array, isLent: boolean): Answer {
    checkStatus(status)
    const { buffers } = this.#options
    const packing = readPacking(headers['content-encoding'])
    const body = packing !== undefined ? this.#unpack(packing, bytes) : isLent ? copy(bytes, buffers) : bytes
    checkSize(body.length, this.#options)
    const contentType = headers['content-type']
    return { contentType: typeof contentType === 'string' ? contentType : '', body }
  }

  /** Synchronous on purpose: a hop to the thread pool costs more than unpacking 50 KB. */
  #unpack(packing: Packing, packed: Uint8Array): Uint8Array {
    try {
      if (packing === 'zstd') return unpackZstd(packed, this.#bytesMax)
      // Room for a body that has grown a little, else the first try is for nothing.
      const room = this.#bodyBytesHint + (this.#bodyBytesHint >> 6) + 64
      return unpacker.unpack(packed, this.#options.buffers.take(room), this.#bytesMax)
    } catch (error) {
      if (error instanceof UnpackedTooLargeError) throw bodyTooLarge(error)
      throw new ScrapeError('http', `cannot unpack ${packing} answer: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    }
  }
}

const unpacker = new Unpacker()

type Packing = 'gzip' | 'zstd'

/** undefined when the body is as it is. */
function readPacking(encoding: string | string[] | undefined): Packing | undefined {
  if (encoding === undefined || encoding === 'gzip' || encoding === 'zstd') return encoding
  const text = String(encoding).trim().toLowerCase()
  if (text === 'gzip' || text === 'zstd') return text
  if (text === '' || text === 'identity') return undefined
  throw new ScrapeError('http', `cannot read answer: want content encoding gzip or zstd, got ${JSON.stringify(text)}`)
}

function copy(body: Uint8Array, buffers: BodyBuffers): Uint8Array {
  const buffer = buffers.take(body.length)
  // Not slice: that of a Buffer is no copy.
  if (buffer.length === 0) return Uint8Array.from(body)
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
