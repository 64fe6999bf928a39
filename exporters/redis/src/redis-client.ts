import { lookupHost } from '@narthex/http/host-lookup'
import { Buffer } from 'node:buffer'
import { connect, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { RedisAddress } from './redis-address.ts'
import { encodeCommand, RespReader, type RespValue } from './resp-reader.ts'

/** A connection that could not be opened or broke; the text is short and does not vary from try to try, because it becomes a label. */
export class RedisConnectionError extends Error {
  override name = 'RedisConnectionError'
}

export interface RedisClientOptions {
  readonly address: RedisAddress
  /** For `rediss://`. */
  readonly tls: ConnectionOptions
  /** Longest time to connect, and longest silence while a reply is awaited. */
  readonly timeoutMs: number
  /** Ends everything at once, until `rest`. */
  readonly signal: AbortSignal
}

// One for all: an error takes a stack trace, and every scrape ends with this.
const closed = new RedisConnectionError('use of closed network connection')

interface Waiting {
  readonly wantsText: boolean
  readonly resolve: (value: RespValue) => void
  readonly reject: (error: Error) => void
}

/** Commands on their way at once; the rest waits, so that neither side has to keep a whole database in its buffers. */
export const commandsInFlightMax = 1_000

/**
 * One connection. Commands are sent at the end of the turn and answered in order, so callers that start several before they await the first one pay one
 * round trip. An error of the server is a value (`RespError`); a broken connection rejects every command with `RedisConnectionError`.
 */
export class RedisClient {
  readonly #socket: Socket
  readonly #reader: RespReader
  readonly #waiting: Waiting[] = []
  /** Commands of this turn, sent together at its end. */
  #outgoing: Buffer[] = []
  #answered = 0
  #failure: Error | undefined

  readonly #onAbort = (): void => this.#fail(new RedisConnectionError('context deadline exceeded'))
  #signal: AbortSignal

  private constructor(socket: Socket, options: RedisClientOptions) {
    this.#socket = socket
    this.#signal = options.signal
    this.#reader = new RespReader(
      (reply) => this.#answer(reply),
      () => this.#waiting[this.#answered]?.wantsText ?? false,
    )
    this.#signal.addEventListener('abort', this.#onAbort, { once: true })
    socket.setTimeout(options.timeoutMs, () => {
      if (this.#waiting.length > this.#answered) this.#fail(new RedisConnectionError(`read ${options.address.text}: i/o timeout`))
    })
    socket.on('data', (chunk) => {
      try {
        this.#reader.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk))
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)))
      }
    })
    socket.on('error', (error) => this.#fail(describeSocketError(error, options.address)))
    socket.on('close', () => {
      this.#signal.removeEventListener('abort', this.#onAbort)
      if (this.#failure === undefined) this.#fail(new RedisConnectionError('EOF'))
    })
  }

  /** Connects; authentication is the caller's. Rejects with `RedisConnectionError`. */
  static open(options: RedisClientOptions): Promise<RedisClient> {
    return new Promise((resolve, reject) => {
      const { address } = options
      if (options.signal.aborted) return reject(new RedisConnectionError('context deadline exceeded'))
      const socket = openSocket(address, options.tls)
      const settle = (error: Error | undefined): void => {
        clearTimeout(timer)
        options.signal.removeEventListener('abort', onAbort)
        socket.off('error', onError)
        socket.off(address.isTls ? 'secureConnect' : 'connect', onConnect)
        if (error === undefined) return resolve(new RedisClient(socket, options))
        // An error that comes after the end has nobody to tell.
        socket.on('error', () => undefined)
        socket.destroy()
        reject(error)
      }
      const onAbort = (): void => settle(new RedisConnectionError('context deadline exceeded'))
      const onError = (error: Error): void => settle(describeSocketError(error, address))
      const onConnect = (): void => settle(undefined)
      const timer = setTimeout(() => settle(new RedisConnectionError(`dial ${dialed(address)}: i/o timeout`)), options.timeoutMs)
      options.signal.addEventListener('abort', onAbort, { once: true })
      socket.once('error', onError)
      socket.once(address.isTls ? 'secureConnect' : 'connect', onConnect)
    })
  }

  /** Sends a command. The promise may be dropped: a failure nobody waits for is no unhandled one. */
  call(...parts: readonly (string | Uint8Array)[]): Promise<RespValue> {
    return this.#send(parts, false)
  }

  /** As `call`, for an answer in which no bulk string is a key or a value: they come as text. */
  callText(...parts: readonly string[]): Promise<RespValue> {
    return this.#send(parts, true)
  }

  #send(parts: readonly (string | Uint8Array)[], wantsText: boolean): Promise<RespValue> {
    const reply = new Promise<RespValue>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      this.#waiting.push({ resolve, reject, wantsText })
      if (this.#outgoing.push(encodeCommand(parts)) === 1) queueMicrotask(() => this.#flush())
    })
    reply.catch(() => undefined)
    return reply
  }

  /** The replies to many commands in their order, `commandsInFlightMax` on their way at a time. */
  async callAll(commands: readonly (readonly (string | Uint8Array)[])[]): Promise<RespValue[]> {
    const replies: RespValue[] = []
    for (let start = 0; start < commands.length; start += commandsInFlightMax) {
      const batch = commands.slice(start, start + commandsInFlightMax).map((parts) => this.call(...parts))
      replies.push(...(await Promise.all(batch)))
    }
    return replies
  }

  /** Open, and every command is answered. */
  get isUsable(): boolean {
    return this.#failure === undefined && this.#waiting.length === 0
  }

  /** No signal ends the connection, and it does not keep the process alive, until `resume`. */
  rest(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#socket.unref()
  }

  resume(signal: AbortSignal): void {
    this.#signal = signal
    if (signal.aborted) return this.#onAbort()
    signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#socket.ref()
  }

  close(): void {
    this.#failure ??= closed
    this.#socket.destroy()
  }

  #flush(): void {
    const outgoing = this.#outgoing
    this.#outgoing = []
    if (this.#failure === undefined) this.#socket.write(outgoing.length === 1 ? outgoing[0]! : Buffer.concat(outgoing))
  }

  #answer(reply: RespValue): void {
    const next = this.#waiting[this.#answered]
    if (next === undefined) return this.#fail(new RedisConnectionError('cannot read reply: want one reply per command, got more'))
    if (++this.#answered === this.#waiting.length) {
      this.#waiting.length = 0
      this.#answered = 0
    }
    next.resolve(reply)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#socket.destroy()
    const unanswered = this.#waiting.splice(0).slice(this.#answered)
    this.#answered = 0
    for (const { reject } of unanswered) reject(this.#failure)
  }
}

function openSocket(address: RedisAddress, tls: ConnectionOptions): Socket {
  if (address.socketPath !== undefined) return connect({ path: address.socketPath })
  const { host, port } = address
  if (!address.isTls) return connect({ host, port, lookup: lookupHost, noDelay: true })
  // Loaded here: 4 MB that who asks in plain text does not need.
  return process
    .getBuiltinModule('node:tls')
    .connect({ servername: /^[0-9.]+$|:/.test(host) ? '' : host, ...tls, host, port, lookup: lookupHost })
}

function dialed(address: RedisAddress): string {
  if (address.socketPath !== undefined) return `unix ${address.socketPath}`
  return `tcp ${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
  ENOENT: 'connect: no such file or directory',
  EACCES: 'connect: permission denied',
  ENOTFOUND: 'no such host',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'broken pipe',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'x509: certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'x509: certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'x509: certificate signed by unknown authority',
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
}

// With several addresses of one host Node.js gives an AggregateError without a text; its code is that of the last try.
function describeSocketError(error: Error, address: RedisAddress): RedisConnectionError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const reason = reasons[code] ?? (error.message === '' ? code : error.message)
  return new RedisConnectionError(`dial ${dialed(address)}: ${reason}`, { cause: error })
}
