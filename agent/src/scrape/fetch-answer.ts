import { STATUS_CODES } from 'node:http'
import type { HttpRequest } from '@narthex/http/client'
import { BodyTooLargeError } from '@narthex/http/client-errors'
import type { AnswerHead } from '@narthex/http/direct-client/answer-head'
import type { PieceTaker } from '@narthex/http/direct-client/answer-reader'
import { Exchanger, prepareRequest } from '@narthex/http/direct-client/direct-client'
import type { DirectClient, DirectRequest, ExchangeTaker } from '@narthex/http/direct-client/direct-client'
import { isRedirect } from '../http/clients.ts'
import type { Clients } from '../http/clients.ts'
import { FieldsChoice, shareFields } from './fetch-answer-fields.ts'
import type { Compression, RequestFields } from './fetch-answer-fields.ts'
import { GeneralAnswer } from './fetch-answer-general.ts'
import { answerBytesMax, AnswerIntake, bodyTooLarge } from './fetch-answer-intake.ts'
import type { AnswerTaker } from './fetch-answer-intake.ts'
import { inProcessKey } from './in-process.ts'
import type { InProcessAnswer, InProcessTarget, InProcessTargets } from './in-process.ts'
import { ScrapeError } from './scrape-error.ts'
import type { PieceUnpackers } from './unpack-pieces.ts'

export interface FetchOptions {
  readonly url: string
  /** Connect to this unix socket instead of the URL's host. */
  readonly socketPath: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Says what `accept-encoding` is; undefined: `headers` do. */
  readonly compression?: Compression
  readonly timeoutMs: number
  /** An unpacked body of this size or more fails; 0 = no limit but `answerBytesMax`. */
  readonly bodySizeLimitBytes: number
  readonly clients: Clients
  readonly inProcess: InProcessTargets
  /** What unpacks in pieces. */
  readonly unpackers?: PieceUnpackers
}

/** Who waits for an answer: one of the two is called, once, and maybe before `ask` returns. */
export interface AnswerWaiter {
  /** The taker has it; so many bytes had its unpacked body. */
  onAnswer(bytes: number): void
  /** A ScrapeError, the client's error, what the taker threw, or the reason of `cancel`; an answer that was opened is not ended then. */
  onFailure(error: unknown): void
}

/** Asks one target, again and again: one request at a time. */
export class AnswerFetcher {
  readonly #url: string
  readonly #socketPath: string | undefined
  readonly #timeoutMs: number
  readonly #clients: Clients
  readonly #inProcess: InProcessTargets
  readonly #inProcessKey: string
  readonly #bytesMax: number
  readonly #intake: AnswerIntake
  readonly #direct: DirectAsk | undefined
  readonly #fields: FieldsChoice | RequestFields
  #generalAbort: AbortController | undefined

  constructor(options: FetchOptions) {
    const { compression, headers, socketPath, clients, bodySizeLimitBytes } = options
    const url = new URL(options.url)
    // Not the options themselves: the headers of all targets of a job are one text, kept once.
    this.#url = options.url
    this.#socketPath = socketPath
    this.#timeoutMs = options.timeoutMs
    this.#clients = clients
    this.#inProcess = options.inProcess
    this.#inProcessKey = inProcessKey(url)
    this.#bytesMax = bodySizeLimitBytes > 0 ? bodySizeLimitBytes : answerBytesMax
    this.#intake = new AnswerIntake(bodySizeLimitBytes, options.unpackers)
    if (compression === undefined) this.#fields = shareFields(headers)
    else if (socketPath !== undefined) this.#fields = new FieldsChoice(headers, compression, 'localhost')
    else this.#fields = new FieldsChoice(headers, compression, clients.isProxied(url) ? undefined : url.hostname)
    const client = socketPath === undefined ? clients.direct(url) : undefined
    if (client !== undefined) {
      const request = prepareRequest('GET', url, {})
      this.#direct = new DirectAsk(client, request, this.#intake, options.timeoutMs, this.#bytesMax, () => this.#askGenerally())
    }
  }

  /** Asks for an answer and gives it to `taker`. Only status 200 is an answer. */
  ask(taker: AnswerTaker, waiter: AnswerWaiter): void {
    this.#intake.begin(taker)
    const target = this.#socketPath === undefined ? this.#inProcess.find(this.#inProcessKey) : undefined
    if (target !== undefined) tell(this.#askInProcess(target), waiter)
    else if (this.#direct !== undefined) this.#direct.run(this.#choose().text, waiter)
    else tell(this.#askGenerally(), waiter)
  }

  /** Ends the request that runs: its taker is not called any more. */
  cancel(reason: unknown): void {
    this.#intake.cancel()
    this.#direct?.exchanger.cancel(reason)
    this.#generalAbort?.abort(reason)
  }

  #choose(): RequestFields {
    return this.#fields instanceof FieldsChoice ? this.#fields.choose() : this.#fields
  }

  async #askInProcess(target: InProcessTarget): Promise<number> {
    try {
      const asked = this.#call(target)
      const answer = asked instanceof Promise ? await withDeadline(asked, this.#url, this.#timeoutMs) : asked
      checkStatus(answer.status)
      this.#intake.takeUnpacked(answer.contentType, answer.body)
      return this.#intake.bytes
    } finally {
      this.#intake.close()
    }
  }

  #call(target: InProcessTarget): InProcessAnswer | Promise<InProcessAnswer> {
    return target({ url: new URL(this.#url), accept: this.#choose().headers['accept'] ?? '', timeoutMs: this.#timeoutMs })
  }

  async #askGenerally(): Promise<number> {
    const { headers } = this.#choose()
    const answer = new GeneralAnswer(this.#intake, this.#bytesMax)
    const abort = (this.#generalAbort = new AbortController())
    try {
      // What the body may have is counted as it comes, after the status.
      const request = this.#generalRequest(headers, abort.signal)
      await this.#clients.general.requestStream(request, answer)
      abort.signal.throwIfAborted()
      checkStatus(answer.status)
      answer.end()
      return this.#intake.bytes
    } catch (error) {
      if (answer.failure !== undefined) throw answer.failure
      if (answer.status !== 0 && !abort.signal.aborted) checkStatus(answer.status)
      throw error
    } finally {
      this.#generalAbort = undefined
      this.#intake.close()
    }
  }

  #generalRequest(headers: Readonly<Record<string, string>>, signal: AbortSignal): HttpRequest {
    const request = { url: this.#url, headers, timeoutMs: this.#timeoutMs, bodyBytesMax: Infinity, signal }
    return this.#socketPath === undefined ? request : { ...request, socketPath: this.#socketPath }
  }
}

/** Asks through the direct client. */
class DirectAsk implements ExchangeTaker {
  readonly bodyBytesMax: number
  readonly wantsHeaders = false
  readonly exchanger: Exchanger
  readonly #request: DirectRequest
  readonly #intake: AnswerIntake
  readonly #askGenerally: () => Promise<number>
  #isRedirected = false
  #waiter: AnswerWaiter | undefined

  constructor(
    client: DirectClient,
    request: DirectRequest,
    intake: AnswerIntake,
    timeoutMs: number,
    bodyBytesMax: number,
    askGenerally: () => Promise<number>,
  ) {
    this.exchanger = new Exchanger(client, timeoutMs, this)
    this.bodyBytesMax = bodyBytesMax
    this.#request = request
    this.#intake = intake
    this.#askGenerally = askGenerally
  }

  run(fields: string, waiter: AnswerWaiter): void {
    this.#isRedirected = false
    this.#waiter = waiter
    this.exchanger.start(this.#request, fields, undefined)
  }

  wantsBody(head: AnswerHead): boolean {
    return head.status === 200
  }

  open(head: AnswerHead): PieceTaker | undefined {
    return this.#intake.open(head.contentType, head.contentEncoding)
  }

  take(head: AnswerHead, body: Uint8Array, isStreamed: boolean): void {
    this.#isRedirected = isRedirect(head.status, head.location)
    if (this.#isRedirected) return
    checkStatus(head.status)
    if (isStreamed) this.#intake.end()
    else this.#intake.take(head.contentType, head.contentEncoding, body)
  }

  onEnd(error: unknown): void {
    const waiter = this.#waiter!
    this.#waiter = undefined
    if (error === undefined && this.#isRedirected) return tell(this.#askGenerally(), waiter)
    const { bytes } = this.#intake
    this.#intake.close()
    if (error === undefined) waiter.onAnswer(bytes)
    else waiter.onFailure(error instanceof BodyTooLargeError ? bodyTooLarge(error) : error)
  }
}

/** What the waiter throws is a bug of ours, and ends the process as one. */
function tell(asked: Promise<number>, waiter: AnswerWaiter): void {
  void asked.then(
    (bytes) => waiter.onAnswer(bytes),
    (error: unknown) => waiter.onFailure(error),
  )
}

function checkStatus(status: number): void {
  if (status !== 200) throw new ScrapeError('http', `server returned HTTP status ${statusText(status)}`)
}

function statusText(status: number): string {
  const text = STATUS_CODES[status]
  return text === undefined ? String(status) : `${status} ${text}`
}

async function withDeadline<T>(work: Promise<T>, url: string, timeoutMs: number): Promise<T> {
  const over = Promise.withResolvers<never>()
  const timer = setTimeout(() => over.reject(new ScrapeError('http', `Get "${url}": context deadline exceeded`)), timeoutMs)
  try {
    return await Promise.race([work, over.promise])
  } finally {
    clearTimeout(timer)
  }
}
