import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { BodyTooLargeError, describeRequestError, HttpTimeoutError } from '@narthex/http/client-errors'
import { lookupHost } from '@narthex/http/host-lookup'
import { connect, type LookupFunction, type Socket } from 'node:net'
import { AnswerReader, LongAnswerError } from './answer-reader.ts'
import type { AnswerHead } from './answer-reader.ts'

// The general client (undici behind @narthex/http) costs a scrape or a remote write of 2,000 samples a third of its processor time and most
// of its garbage. Nearly all of them go over plain HTTP/1.1 without a proxy or credentials; those go through here, everything else
// through the general client.

const idleMsMax = 300_000
const connectTimeoutMs = 10_000
const sendBytesKept = 256 * 1024
const readBytes = 64 * 1024

/** True when requests of this configuration need nothing but a TCP connection. */
export function isDirect(config: HttpClientConfig | undefined, url: URL): boolean {
  if (url.username !== '' || url.password !== '') return false
  if (url.protocol !== 'http:' || config === undefined) return url.protocol === 'http:'
  const { basicAuth, authorization, oauth2, proxyUrl, proxyFromEnvironment, httpHeaders } = config
  const hasCredentials = basicAuth !== undefined || authorization !== undefined || oauth2 !== undefined
  return !hasCredentials && proxyUrl === undefined && !proxyFromEnvironment && Object.keys(httpHeaders).length === 0
}

/** One kind of request, made ready once. */
export interface DirectRequest {
  readonly url: URL
  /** `url.host`, which a URL makes anew each time. */
  readonly host: string
  readonly method: 'GET' | 'POST'
  /** The request line and the fields that are always the same, without the empty line at their end. */
  readonly head: string
}

export interface DirectExchange<T> {
  /** Further fields, such as `name: value\r\n`. */
  readonly fields?: string
  readonly body?: Uint8Array
  readonly timeoutMs: number
  readonly bodyBytesMax: number
  readonly signal: AbortSignal | undefined
  /** Called once with the answer, whose bytes are valid until it returns, or the caller's if `isGiven`. What it throws fails the exchange. */
  take(head: AnswerHead, body: Uint8Array, isGiven: boolean): T
}

/** Throws TypeError for a header that would not be one line. */
export function prepareRequest(method: 'GET' | 'POST', url: URL, headers: Readonly<Record<string, string>>): DirectRequest {
  return {
    url,
    host: url.host,
    method,
    head: `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${formatFields(headers)}`,
  }
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

/** Keeps the connections of one configuration: one per request at once and address, idle ones for 5 minutes. */
export class DirectClient {
  readonly #idle = new Map<string, Connection[]>()
  readonly #all = new Set<Connection>()
  readonly #lookup: LookupFunction

  /** `lookup` is how new connections find the address of a name. */
  constructor(lookup: LookupFunction = lookupHost) {
    this.#lookup = lookup
  }

  /** Rejects with what the general client rejects with; an answer of any status is none of its business. */
  async exchange<T>(request: DirectRequest, exchange: DirectExchange<T>): Promise<T> {
    const { url, host, method } = request
    const startMs = performance.now()
    for (let attempt = 0; ; attempt++) {
      const connection = this.#open(url, host)
      const isKept = connection.isKept
      try {
        const left = attempt === 0 ? exchange.timeoutMs : Math.max(1, exchange.timeoutMs - (performance.now() - startMs))
        return await connection.exchange(request, exchange, left)
      } catch (error) {
        if (error instanceof TakeError) throw error.cause
        // A kept connection may have been closed just when the request was written: as Go, ask once more if that changes nothing.
        if (isKept && method === 'GET' && attempt === 0 && error instanceof ClosedError) continue
        if (error instanceof LongAnswerError) throw new BodyTooLargeError(exchange.bodyBytesMax)
        throw describeRequestError(error, method, url)
      }
    }
  }

  close(): void {
    for (const connection of this.#all) connection.close()
    this.#idle.clear()
  }

  #open(url: URL, key: string): Connection {
    const idle = this.#idle.get(key)?.pop()
    if (idle !== undefined) return idle
    const connection: Connection = new Connection(url, this.#lookup, {
      onIdle: () => {
        const others = this.#idle.get(key)
        if (others === undefined) this.#idle.set(key, [connection])
        else others.push(connection)
      },
      onGone: () => {
        this.#all.delete(connection)
        const others = this.#idle.get(key)
        const at = others?.indexOf(connection) ?? -1
        if (at >= 0) others!.splice(at, 1)
        if (others?.length === 0) this.#idle.delete(key)
      },
    })
    this.#all.add(connection)
    return connection
  }
}

/** The connection ended before a byte of the answer came. */
class ClosedError extends Error {}

/** Carries what the taker of an answer threw past the wording of errors. */
class TakeError extends Error {
  constructor(cause: unknown) {
    super('', { cause })
  }
}

interface Pool {
  onIdle(): void
  onGone(): void
}

interface Running {
  /** Takes the answer that is whole and settles the exchange. */
  answer(head: AnswerHead, body: Uint8Array, isGiven: boolean): void
  fail(error: Error): void
}

// What a socket reads is used up before the next one reads, so all share one buffer. Windows hands a buffer out for each pending read.
const sharedBuffer = process.platform === 'win32' ? undefined : new Uint8Array(readBytes)

class Connection {
  readonly #pool: Pool
  readonly #socket: Socket
  readonly #reader = new AnswerReader()
  #running: Running | undefined
  #sendBuffer: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #hasAnswered = false
  #isGone = false
  /** True once it has carried an exchange. */
  isKept = false

  constructor(url: URL, lookup: LookupFunction, pool: Pool) {
    this.#pool = pool
    const buffer = sharedBuffer ?? new Uint8Array(readBytes)
    this.#socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 80 : Number(url.port),
      noDelay: true,
      keepAlive: true,
      lookup,
      onread: {
        buffer,
        callback: (length) => {
          this.#read(buffer.subarray(0, length))
          return true
        },
      },
    })
    this.#socket.setTimeout(connectTimeoutMs)
    this.#socket.once('connect', () => this.#socket.setTimeout(idleMsMax))
    this.#socket.on('timeout', () => this.#onTimeout())
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('error', (error) => this.#leave(error))
    this.#socket.on('close', () => this.#leave(this.#lost()))
  }

  exchange<T>(request: DirectRequest, exchange: DirectExchange<T>, timeoutMs: number): Promise<T> {
    const { signal } = exchange
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => this.#leave(signal?.reason instanceof Error ? signal.reason : new Error('context canceled'))
      const timer = setTimeout(() => this.#leave(new HttpTimeoutError(exchange.timeoutMs)), timeoutMs)
      const settle = (): void => {
        this.#running = undefined
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      this.#hasAnswered = false
      this.#reader.begin(exchange.bodyBytesMax)
      this.#running = {
        answer(head, body, isGiven) {
          settle()
          try {
            resolve(exchange.take(head, body, isGiven))
          } catch (error) {
            reject(new TakeError(error))
          }
        },
        fail(error) {
          settle()
          reject(error)
        },
      }
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#socket.ref()
      this.#send(request, exchange.fields ?? '', exchange.body)
    })
  }

  close(): void {
    this.#leave(new Error('context canceled'))
  }

  /** Head and body as one buffer: one write, and nothing new to allocate. */
  #send({ method, head }: DirectRequest, fields: string, body: Uint8Array | undefined): void {
    const length = method === 'POST' ? `content-length: ${body?.length ?? 0}\r\n` : ''
    const text = `${head}${fields}${length}\r\n`
    const bytes = text.length + (body?.length ?? 0)
    if (this.#sendBuffer.length < bytes) this.#sendBuffer = new Uint8Array(bytes + (bytes >> 2))
    const buffer = Buffer.from(this.#sendBuffer.buffer, 0, bytes)
    buffer.write(text, 'latin1')
    if (body !== undefined) buffer.set(body, text.length)
    this.#socket.write(buffer)
    if (this.#sendBuffer.length > sendBytesKept) this.#sendBuffer = new Uint8Array(0)
  }

  #read(bytes: Uint8Array): void {
    const running = this.#running
    // Bytes that nobody asked for.
    if (running === undefined) return this.#leave(this.#lost())
    this.#hasAnswered = true
    try {
      if (!this.#reader.push(bytes)) return
    } catch (error) {
      return this.#leave(error instanceof Error ? error : new Error(String(error)))
    }
    this.#answer(running)
  }

  #answer(running: Running): void {
    const { head, body, keepsOpen } = this.#reader
    const isGiven = this.#reader.giveBody()
    this.isKept = true
    // An answer before all of the request was taken: the rest would stand before the next one.
    if (keepsOpen && this.#socket.writableLength === 0) {
      // As it waits for nothing, it keeps no process alive.
      this.#socket.unref()
      running.answer(head, body, isGiven)
      this.#pool.onIdle()
    } else {
      running.answer(head, body, isGiven)
      this.#leave(this.#lost())
    }
  }

  #onEnd(): void {
    const running = this.#running
    if (running !== undefined && this.#reader.end()) this.#answer(running)
    this.#leave(this.#lost())
  }

  /** The socket's own: none came in time, or nothing for long. What a running exchange waits for has its own limit. */
  #onTimeout(): void {
    if (this.#socket.connecting) this.#leave(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' }))
    else if (this.#running === undefined) this.#leave(this.#lost())
  }

  #lost(): Error {
    return this.#hasAnswered ? new Error('unexpected EOF') : new ClosedError('EOF')
  }

  /** Ends the connection, and with it the exchange that runs. */
  #leave(error: Error): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#pool.onGone()
    this.#socket.destroy()
    const isReset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    this.#running?.fail(isReset && !this.#hasAnswered && this.isKept ? new ClosedError(error.message, { cause: error }) : error)
  }
}
