import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { BodyTooLargeError, describeRequestError, HttpTimeoutError } from '../client-errors.ts'
import { lookupHost } from '../host-lookup.ts'
import type { KeptDeadline } from '../kept-deadline.ts'
import type { LookupFunction } from 'node:net'
import type { AnswerHead } from './answer-head.ts'
import { LongAnswerError, TakeError, type AnswerReader, type AnswerUse } from './answer-reader.ts'
import { Connection, type Address, type ConnectionOwner, type ConnectionUser } from './connection.ts'

// The general client (undici) costs a scrape or a remote write of 2,000 samples a third of its processor time and most of its garbage, and an exporter
// that asks for a small page 11 MB. Nearly all of them go over plain HTTP/1.1 without a proxy or credentials; those go through here, everything
// else through the general client.

const idleMsMax = 300_000
const sweepMs = 60_000

/** True when requests of this configuration need nothing but a TCP connection. */
export function isDirect(config: HttpClientConfig | undefined, url: URL): boolean {
  if (url.username !== '' || url.password !== '') return false
  if (url.protocol !== 'http:' || config === undefined) return url.protocol === 'http:'
  const { basicAuth, authorization, oauth2, proxyUrl, proxyFromEnvironment, httpHeaders } = config
  const hasCredentials = basicAuth !== undefined || authorization !== undefined || oauth2 !== undefined
  return !hasCredentials && proxyUrl === undefined && !proxyFromEnvironment && Object.keys(httpHeaders).length === 0
}

/** One kind of request, made ready once. Texts, not the URL they come from: that takes 2 KB. */
export interface DirectRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  /** What is connected to: the host, with the port unless it is 80, or `unix:/` and the path of a socket. */
  readonly host: string
  /** The request line and the host. */
  readonly start: string
  /** Further fields, each a line with its end. */
  readonly fields: string
}

/** Takes the answers of one `Exchanger`. */
export interface ExchangeTaker extends AnswerUse {
  /**
   * The answer is whole; its bytes are valid until it returns. Of a body that went in pieces to what `open` gave, nothing is left. What it throws
   * fails the exchange.
   */
  take(head: AnswerHead, body: Uint8Array, isStreamed: boolean): void
  /** The exchange is over: undefined after `take` returned, else with what the general client rejects with, or with what the taker threw. */
  onEnd(error: unknown): void
}

export interface DirectExchange<T> {
  /** Further fields, such as `name: value\r\n`. */
  readonly fields?: string
  readonly body?: Uint8Array
  readonly timeoutMs: number
  readonly bodyBytesMax: number
  readonly signal: AbortSignal | undefined
  /** Called once with the answer, whose bytes are valid until it returns. What it throws fails the exchange. */
  take(head: { readonly status: number; readonly headers: Readonly<Record<string, string>> }, body: Uint8Array): T
}

/** With `socketPath` this unix socket is connected to instead of the URL's host. Throws TypeError for a header that would not be one line. */
export function prepareRequest(
  method: 'GET' | 'POST',
  url: URL,
  headers: Readonly<Record<string, string>>,
  socketPath?: string,
): DirectRequest {
  const start = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`
  const host = flatten(socketPath === undefined ? url.host : `${unixPrefix}${socketPath}`)
  return { method, url: url.href, host, start: flatten(start), fields: formatFields(headers) }
}

/** No host begins so: it would have a number behind the colon. */
const unixPrefix = 'unix:/'

/** The same text without the texts that it was put together from, or cut out of: with many targets they are the larger part. */
function flatten(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

export function formatFields(headers: Readonly<Record<string, string>>): string {
  let text = ''
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw new TypeError(`cannot send header ${JSON.stringify(name)}: want a name and one line of Latin-1 text`)
    }
    text += `${name}: ${value}\r\n`
  }
  return text
}

/** Keeps the connections of one configuration: one per request at once and address, idle ones for 5 to 6 minutes. */
export class DirectClient implements ConnectionOwner {
  // By host: the one that was used last, which knows the others. Undefined for hosts that have one in use: to take the entry out and put it back
  // for each request makes the map anew all the time.
  readonly #idle = new Map<string, Connection | undefined>()
  readonly #all = new Set<Connection>()
  readonly #lookup: LookupFunction
  #sweep: NodeJS.Timeout | undefined

  /** `lookup` is how new connections find the address of a name. */
  constructor(lookup: LookupFunction = lookupHost) {
    this.#lookup = lookup
  }

  /** Rejects with what the general client rejects with; an answer of any status is none of its business. */
  exchange<T>(request: DirectRequest, exchange: DirectExchange<T>): Promise<T> {
    const { signal } = exchange
    return new Promise<T>((resolve, reject) => {
      let taken: T
      const onAbort = (): void => exchanger.cancel(signal?.reason)
      const exchanger = new Exchanger(this, exchange.timeoutMs, {
        bodyBytesMax: exchange.bodyBytesMax,
        wantsHeaders: true,
        wantsBody: () => true,
        open: () => undefined,
        take: ({ status, headers }, body) => void (taken = exchange.take({ status, headers }, body)),
        onEnd(error) {
          signal?.removeEventListener('abort', onAbort)
          if (error === undefined) resolve(taken)
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- as it was thrown
          else reject(error)
        },
      })
      exchanger.start(request, exchange.fields ?? '', exchange.body)
      if (signal?.aborted === true) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  close(): void {
    for (const connection of this.#all) connection.close(new Error('context canceled'))
    this.#idle.clear()
    clearTimeout(this.#sweep)
    this.#sweep = undefined
  }

  /** A connection for one exchange, which gives it back by itself. */
  open(request: DirectRequest): Connection {
    const { host } = request
    const idle = this.#idle.get(host)
    if (idle === undefined) return this.#connect(request)
    this.#idle.set(host, idle.next)
    idle.next = undefined
    return idle
  }

  #connect({ url, host }: DirectRequest): Connection {
    const connection = new Connection(host, this.#addressOf(url, host), this)
    this.#all.add(connection)
    return connection
  }

  #addressOf(url: string, host: string): Address {
    if (host.startsWith(unixPrefix)) return { socketPath: host.slice(unixPrefix.length) }
    const { hostname, port } = new URL(url)
    return { hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port), lookup: this.#lookup }
  }

  onIdle(connection: Connection): void {
    connection.next = this.#idle.get(connection.host)
    connection.idleSinceMs = performance.now()
    this.#idle.set(connection.host, connection)
    // One timer for all: one each would be as large as the rest of an idle connection here.
    this.#sweep ??= setTimeout(() => this.#closeIdle(), sweepMs).unref()
  }

  onGone(connection: Connection): void {
    this.#all.delete(connection)
    const { host, next } = connection
    let before = this.#idle.get(host)
    if (before === connection) {
      if (next === undefined) this.#idle.delete(host)
      else this.#idle.set(host, next)
    } else {
      while (before !== undefined && before.next !== connection) before = before.next
      if (before !== undefined) before.next = next
    }
    connection.next = undefined
  }

  #closeIdle(): void {
    this.#sweep = undefined
    const before = performance.now() - idleMsMax
    for (const [host, first] of [...this.#idle]) {
      if (first === undefined) this.#idle.delete(host)
      for (let connection: Connection | undefined = first; connection !== undefined;) {
        const { next }: Connection = connection
        if (connection.idleSinceMs <= before) connection.close(new Error('idle for too long'))
        connection = next
      }
    }
    if (this.#idle.size > 0) this.#sweep = setTimeout(() => this.#closeIdle(), sweepMs).unref()
  }
}

/** Makes one exchange after the other, for one taker. */
export class Exchanger implements ConnectionUser {
  readonly #client: DirectClient
  #timeoutMs: number
  readonly #taker: ExchangeTaker
  #connection: Connection | undefined
  readonly #deadline: KeptDeadline | undefined
  readonly #onLate: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #request: DirectRequest | undefined
  #fields = ''
  #body: Uint8Array | undefined
  #isRepeated = false

  /** With `deadline`, its timer is the one; else each exchange has one of its own. */
  constructor(client: DirectClient, timeoutMs: number, taker: ExchangeTaker, deadline?: KeptDeadline) {
    this.#client = client
    this.#timeoutMs = timeoutMs
    this.#taker = taker
    this.#deadline = deadline
    if (deadline !== undefined) this.#onLate = () => this.expire()
  }

  /** The taker is told how it ends. Not before that may another one be started. */
  start(request: DirectRequest, fields: string, body: Uint8Array | undefined, timeoutMs = this.#timeoutMs): void {
    this.#timeoutMs = timeoutMs
    this.#request = request
    this.#fields = fields
    this.#body = body
    this.#isRepeated = false
    this.#startTimer(timeoutMs)
    this.#attempt()
  }

  /** Ends the exchange that runs, if one does. */
  cancel(reason: unknown): void {
    this.#connection?.close(reason instanceof Error ? reason : new Error('context canceled'))
  }

  /** The deadline has passed: what reading the answer took here comes on top, as in Prometheus, which reads when all has come. */
  expire(): void {
    const ownMs = this.#connection?.takeOwnMs() ?? 0
    if (ownMs >= 1) {
      this.#startTimer(ownMs)
      return
    }
    this.cancel(new HttpTimeoutError(this.#timeoutMs))
  }

  #startTimer(timeoutMs: number): void {
    if (this.#deadline === undefined) this.#timer = setTimeout(onDeadline, timeoutMs, this)
    else this.#deadline.start(timeoutMs, this.#onLate!)
  }

  #attempt(): void {
    const { method, start, fields } = this.#request!
    const body = this.#body ?? (method === 'POST' ? emptyBytes : undefined)
    const length = body === undefined ? '' : `content-length: ${body.length}\r\n`
    try {
      this.#connection = this.#client.open(this.#request!)
    } catch (error) {
      return this.onLost(error instanceof Error ? error : new Error(String(error)), false)
    }
    this.#connection.ask(this, `${start}${fields}${this.#fields}${length}\r\n`, body)
  }

  get bodyBytesMax(): number {
    return this.#taker.bodyBytesMax
  }

  get wantsHeaders(): boolean {
    return this.#taker.wantsHeaders
  }

  wantsBody(head: AnswerHead): boolean {
    return this.#taker.wantsBody(head)
  }

  open(head: AnswerHead): ReturnType<AnswerUse['open']> {
    return this.#taker.open(head)
  }

  onWhole(reader: AnswerReader): void {
    let failure: unknown
    try {
      this.#taker.take(reader.head, reader.body, reader.isStreamed)
    } catch (error) {
      failure = error ?? new Error('the taker failed')
    }
    this.#end(failure)
  }

  onLost(error: Error, wasClosed: boolean): void {
    // A kept connection may have been closed just when the request was written: as Go, ask once more if that changes nothing.
    if (wasClosed && !this.#isRepeated && this.#request!.method === 'GET') {
      this.#isRepeated = true
      return this.#attempt()
    }
    if (error instanceof TakeError) this.#end(error.cause)
    else if (error instanceof LongAnswerError) this.#end(new BodyTooLargeError(this.bodyBytesMax))
    else this.#end(describeRequestError(error, this.#request!.method, new URL(this.#request!.url)))
  }

  #end(failure: unknown): void {
    if (this.#deadline === undefined) clearTimeout(this.#timer)
    else this.#deadline.stop()
    this.#timer = undefined
    this.#connection = undefined
    this.#request = undefined
    this.#body = undefined
    this.#taker.onEnd(failure)
  }
}

const emptyBytes: Uint8Array = new Uint8Array(0)

function onDeadline(exchanger: Exchanger): void {
  exchanger.expire()
}
