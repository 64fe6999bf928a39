import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import type { LookupFunction, Socket } from 'node:net'
import type { Dispatcher } from 'undici'
import { createAuthorizer } from './client-auth.ts'
import { createDispatcherSource } from './client-dispatchers.ts'
import { loadUndici } from './undici-library.ts'
import { BodyTooLargeError, describeRequestError, HttpTimeoutError, TooManyRedirectsError } from './client-errors.ts'

export interface HttpRequest {
  readonly url: string | URL
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** From the call to the last byte of the answer, redirects included; what the sink takes for its bytes comes on top. */
  readonly timeoutMs?: number
  /** A longer answer ends the request with `BodyTooLargeError`. */
  readonly bodyBytesMax?: number
  readonly signal?: AbortSignal
  /** Connect to this unix socket instead of the URL's host. */
  readonly socketPath?: string
}

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface HttpResponseHead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: HttpHeaders
  /** Of the last hop. */
  readonly url: string
}

export interface HttpResponse extends HttpResponseHead {
  /** As sent: a Content-Encoding is not undone. */
  readonly body: Uint8Array
}

/** Takes the bytes of an answer as they come; a throw ends the request with that error. */
export interface ResponseSink {
  onHead?(head: HttpResponseHead): void
  /** `chunk` is the caller's: it is not reused. */
  onData(chunk: Uint8Array): void
}

export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>
  /** Resolves after the last byte went to `sink`. Bodies of redirects are skipped. */
  requestStream(request: HttpRequest, sink: ResponseSink): Promise<HttpResponseHead>
  /** Ends running requests and closes all connections. */
  close(): Promise<void>
}

export interface HttpClientDefaults {
  readonly userAgent?: string
  /** 30 s. */
  readonly timeoutMs?: number
  /** 64 MiB. */
  readonly bodyBytesMax?: number
  /** Connections per origin; default: as many as there are requests at once. */
  readonly connectionsMax?: number
  /** How long an idle connection is kept; 5 min as in Prometheus. */
  readonly keepAliveMs?: number
  /** How new connections find the address of a name; default: `lookupHost`. */
  readonly lookup?: LookupFunction
  /** Bytes that a new connection begins with, before TLS and HTTP (the PROXY protocol). Not with a proxy in between. */
  readonly preamble?: (socket: Socket) => Uint8Array
}

/** As Go's client. */
const redirectsMax = 10
/** A sink that has taken longer than this gets its next bytes in another turn of the event loop. */
const turnMsMax = 20

/**
 * A client that does all that one `http_config` says. Make one per config and keep it: it holds the connections. Files of secrets and
 * certificates are read again when they change.
 */
export function createHttpClient(config: HttpClientConfig | undefined, defaults: HttpClientDefaults = {}): HttpClient {
  const settings = config ?? defaultHttpClientConfig
  const dispatchers = createDispatcherSource(settings, defaults)
  const authorizer = createAuthorizer(settings, (request) => plainClient.request(request))
  // Token requests carry no authentication of their own but the same transport settings.
  const plainClient: HttpClient = settings.oauth2 === undefined ? unusedClient : createHttpClient(tokenConfig(settings), defaults)

  async function requestStream(request: HttpRequest, sink: ResponseSink): Promise<HttpResponseHead> {
    const started = new URL(request.url)
    const timeoutMs = request.timeoutMs ?? defaults.timeoutMs ?? 30_000
    const deadline = createDeadline(timeoutMs, request.signal)
    try {
      return await followRedirects(started, request, sink, deadline)
    } catch (error) {
      throw describeRequestError(error, request.method ?? 'GET', started)
    } finally {
      deadline.clear()
    }
  }

  async function followRedirects(started: URL, request: HttpRequest, sink: ResponseSink, deadline: Deadline): Promise<HttpResponseHead> {
    let url = started
    let method = request.method ?? 'GET'
    let body = request.body
    for (let hop = 0; ; hop++) {
      const headers: Record<string, string> = { ...request.headers }
      if (defaults.userAgent !== undefined && !hasHeader(headers, 'user-agent')) headers['user-agent'] = defaults.userAgent
      // Credentials stay with the host they were meant for; those of the URL come before those of the configuration, as in Go.
      if (url.host !== started.host)
        for (const name of Object.keys(headers)) if (privateHeaders.has(name.toLowerCase())) delete headers[name]
      addUserinfo(url, headers)
      if (url.host === started.host) await deadline.race(authorizer.addHeaders(headers))
      const dispatcher = await deadline.race(dispatchers.find(url, request.socketPath))
      const exchange = { url, method, headers, body, bodyBytesMax: request.bodyBytesMax ?? defaults.bodyBytesMax ?? 64 * 2 ** 20 }
      const followed = settings.followRedirects
      const head = await exchangeWithRetry(dispatcher, exchange, sink, deadline, followed)
      const location = followed && isRedirect(head.status) ? head.headers['location'] : undefined
      if (typeof location !== 'string') return head
      if (hop >= redirectsMax) throw new TooManyRedirectsError(redirectsMax)
      url = new URL(location, url)
      if (head.status === 303 || ((head.status === 301 || head.status === 302) && method !== 'HEAD')) {
        method = method === 'HEAD' ? 'HEAD' : 'GET'
        body = undefined
      }
    }
  }

  async function request(request: HttpRequest): Promise<HttpResponse> {
    const chunks: Uint8Array[] = []
    const head = await requestStream(request, { onData: (chunk) => void chunks.push(chunk) })
    return { ...head, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }
  }

  async function close(): Promise<void> {
    await Promise.all([dispatchers.close(), settings.oauth2 === undefined ? undefined : plainClient.close()])
  }

  return { request, requestStream, close }
}

interface Exchange {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | string | undefined
  readonly bodyBytesMax: number
}

/**
 * A kept connection may have been closed by the server just when the request was written. Go's client then sends a request that changes
 * nothing once more; so do we, if no byte of an answer came.
 */
async function exchangeWithRetry(
  dispatcher: Dispatcher,
  exchange: Exchange,
  sink: ResponseSink,
  deadline: Deadline,
  skipsRedirects: boolean,
): Promise<HttpResponseHead> {
  const progress = { answered: false }
  try {
    return await exchangeOnce(dispatcher, exchange, sink, deadline, skipsRedirects, progress)
  } catch (error) {
    const isSafe = exchange.method === 'GET' || exchange.method === 'HEAD'
    if (!isSafe || progress.answered || deadline.isOver() || !wasClosedByPeer(error)) throw error
    return exchangeOnce(dispatcher, exchange, sink, deadline, skipsRedirects, progress)
  }
}

// undici's dispatch with a handler of our own: no stream object and no promise per chunk.
function exchangeOnce(
  dispatcher: Dispatcher,
  exchange: Exchange,
  sink: ResponseSink,
  deadline: Deadline,
  skipsRedirects: boolean,
  progress: { answered: boolean },
): Promise<HttpResponseHead> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponseHead>()
  let controller: Dispatcher.DispatchController | undefined
  let head: HttpResponseHead | undefined
  let skipped = false
  let receivedBytes = 0
  let failure: Error | undefined

  function fail(error: Error): void {
    failure ??= error
    controller?.abort(failure)
    reject(failure)
  }
  const release = deadline.onOver(fail)

  const url = exchange.url
  dispatcher.dispatch(
    {
      origin: url.origin,
      path: url.pathname + url.search,
      method: exchange.method,
      headers: exchange.headers,
      body: exchange.body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    },
    {
      onRequestStart(started) {
        controller = started
        if (failure !== undefined) started.abort(failure)
      },
      onResponseStart(_controller, status, headers) {
        // 1xx answers come before the real one.
        if (status < 200) return
        progress.answered = true
        head = { status, headers, url: url.href }
        skipped = skipsRedirects && isRedirect(status) && headers['location'] !== undefined
        const declaredBytes = Number(headers['content-length'])
        if (!skipped && declaredBytes > exchange.bodyBytesMax && exchange.method !== 'HEAD') {
          return fail(new BodyTooLargeError(exchange.bodyBytesMax))
        }
        if (!skipped) callSink(() => sink.onHead?.(head!))
      },
      onResponseData(_controller, chunk) {
        if (failure !== undefined) return
        receivedBytes += chunk.length
        if (receivedBytes > exchange.bodyBytesMax) return fail(new BodyTooLargeError(exchange.bodyBytesMax))
        if (!skipped) giveToSink(chunk)
      },
      onResponseEnd() {
        // After undici has put the connection back, which it does in an immediate: a request sent before would open another.
        if (head !== undefined) process.nextTick(setImmediate, resolve, head)
      },
      onResponseError(_controller, error) {
        reject(failure ?? error)
      },
    },
  )

  function callSink(call: () => void): void {
    try {
      call()
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  let turnMs = 0
  function giveToSink(chunk: Uint8Array): void {
    const startedMs = performance.now()
    callSink(() => sink.onData(chunk))
    const spentMs = performance.now() - startedMs
    deadline.extend(spentMs)
    turnMs += spentMs
    if (turnMs < turnMsMax || failure !== undefined) return
    turnMs = 0
    const pausedMs = performance.now()
    controller!.pause()
    setImmediate(() => {
      deadline.extend(performance.now() - pausedMs)
      if (failure === undefined) controller!.resume()
    })
  }

  return promise.finally(release)
}

interface Deadline {
  isOver(): boolean
  /** Calls back once when time is up or the caller gave up; the returned function takes the callback off. */
  onOver(callback: (reason: Error) => void): () => void
  race<T>(work: T | Promise<T>): T | Promise<T>
  /** Milliseconds for which the other side is not to blame: the time is up so much later. */
  extend(ms: number): void
  clear(): void
}

function createDeadline(timeoutMs: number, signal: AbortSignal | undefined): Deadline {
  let reason: Error | undefined
  const callbacks = new Set<(reason: Error) => void>()
  function end(error: Error): void {
    reason ??= error
    for (const callback of callbacks) callback(reason)
    callbacks.clear()
  }
  let ownMs = 0
  const onTime = (): void => {
    const more = ownMs
    ownMs = 0
    if (more >= 1) timer = setTimeout(onTime, more)
    else end(new HttpTimeoutError(timeoutMs))
  }
  let timer = setTimeout(onTime, timeoutMs)
  const onAbort = (): void => end(signal?.reason instanceof Error ? signal.reason : new Error('context canceled'))
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })

  const onOver = (callback: (reason: Error) => void): (() => void) => {
    if (reason !== undefined) callback(reason)
    else callbacks.add(callback)
    return () => callbacks.delete(callback)
  }
  return {
    isOver: () => reason !== undefined,
    onOver,
    race(work) {
      if (!(work instanceof Promise)) return work
      const over = Promise.withResolvers<never>()
      const release = onOver(over.reject)
      return Promise.race([work, over.promise]).finally(release)
    },
    extend(ms) {
      ownMs += ms
    },
    clear() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      callbacks.clear()
    },
  }
}

const privateHeaders = new Set(['authorization', 'www-authenticate', 'cookie', 'cookie2', 'proxy-authorization'])

/** `http://user:password@host`: Basic authentication, unless the request has its own. */
function addUserinfo({ username, password }: URL, headers: Record<string, string>): void {
  if ((username === '' && password === '') || hasHeader(headers, 'authorization')) return
  const pair = `${decodeEscapes(username)}:${decodeEscapes(password)}`
  headers['authorization'] = `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`
}

function decodeEscapes(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function hasHeader(headers: Readonly<Record<string, string>>, name: string): boolean {
  return Object.keys(headers).some((key) => key.toLowerCase() === name)
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

function wasClosedByPeer(error: unknown): boolean {
  if (error instanceof loadUndici().errors.SocketError) return true
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

function tokenConfig(settings: HttpClientConfig): HttpClientConfig {
  const { tls, proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader } = settings.oauth2 ?? settings
  return {
    ...defaultHttpClientConfig,
    proxyFromEnvironment,
    proxyConnectHeader,
    ...(tls === undefined ? {} : { tls }),
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
    ...(noProxy === undefined ? {} : { noProxy }),
  }
}

const unusedClient: HttpClient = {
  request: () => Promise.reject(new Error('cannot ask for a token: want oauth2, got none')),
  requestStream: () => Promise.reject(new Error('cannot ask for a token: want oauth2, got none')),
  close: () => Promise.resolve(),
}
