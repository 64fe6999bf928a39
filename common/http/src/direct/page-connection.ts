import type { Socket } from 'node:net'
import type { FrontConnection, FrontUse } from './direct-front.ts'
import type { PageHeads } from './page-heads.ts'
import { PlainRequests, type PlainRequest } from './plain-request.ts'

export interface PageAnswer {
  readonly status: number
  /** Without the length of the body; may not change. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Called when nobody reads `body` any more, unless the client goes before it has read all. */
  readonly release?: () => void
}

export interface PageConnectionOptions extends FrontUse {
  /** Undefined for a request that is for node:http, with all that follows on its connection. Neither throws nor rejects. */
  answer(request: PlainRequest): PageAnswer | Promise<PageAnswer> | undefined
  /** An answer whose headers cannot be sent: what is said instead. */
  onBadHeaders(request: PlainRequest, error: unknown): PageAnswer
  readonly heads: PageHeads
  /** How long a connection may wait for its first request, and for each further one. */
  readonly firstRequestMs: number
  readonly keepAliveMs: number
}

/** Larger bodies are sent from where they are. */
const copiedBytesMax = 64 * 1024

// What a socket has handed to the kernel when `write` returns need not be kept, so one buffer serves all.
let sendBuffer = Buffer.alloc(0)

function takeSendBuffer(bytes: number): Buffer {
  if (sendBuffer.length < bytes) sendBuffer = Buffer.allocUnsafeSlow(bytes + (bytes >> 2))
  return sendBuffer
}

/**
 * A connection whose requests are answered without node:http as long as they are of the plainest kind and for pages. The first one that is not goes to
 * node:http, and the connection with it. One request is answered at a time, in their order; nothing more is read meanwhile than was under way.
 */
export class PageConnection implements FrontConnection {
  readonly #socket: Socket
  readonly #options: PageConnectionOptions
  readonly #requests = new PlainRequests()
  /** The request whose answer is not there yet. */
  #asked: PlainRequest | undefined
  #isFirst = true
  #isOver = false
  #hasEnded = false

  constructor(socket: Socket, options: PageConnectionOptions) {
    this.#socket = socket
    this.#options = options
    socket.setTimeout(options.firstRequestMs)
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('drain', this.#onDrain)
      .on('timeout', this.#onTimeout)
      .on('error', this.#onError)
      .on('close', this.#onClose)
  }

  /** Whether nobody waits for an answer. */
  get isIdle(): boolean {
    return this.#asked === undefined && this.#socket.writableLength === 0
  }

  destroy(): void {
    this.#socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#asked !== undefined) return this.#putBack(chunk)
    const request = this.#requests.read(chunk)
    const answer = request === undefined ? undefined : this.#options.answer(request)
    if (request === undefined || answer === undefined) return this.#handOver(chunk)
    if (request.bytes < chunk.length) this.#putBack(chunk.subarray(request.bytes))
    this.#asked = request
    if (answer instanceof Promise) void answer.then(this.#onAnswer)
    else this.#onAnswer(answer)
  }

  /** What comes before its time waits in the socket, which reads no more then. */
  #putBack(bytes: Buffer): void {
    this.#socket.pause()
    this.#socket.unshift(bytes)
  }

  readonly #onAnswer = (answer: PageAnswer): void => {
    const request = this.#asked!
    this.#asked = undefined
    if (this.#isOver) return answer.release?.()
    this.#send(request, answer)
    const socket = this.#socket
    if (this.#hasEnded) return void socket.end()
    if (this.#isFirst) {
      this.#isFirst = false
      socket.setTimeout(this.#options.keepAliveMs)
    }
    // Who does not read answers gets no further ones.
    if (socket.writableNeedDrain) socket.pause()
    else if (socket.isPaused()) socket.resume()
  }

  #send(request: PlainRequest, answer: PageAnswer): void {
    const { status, headers, body, release } = answer
    let head: string
    try {
      head = this.#options.heads.write(status, headers, body.length, Date.now())
    } catch (error) {
      return this.#send(request, this.#options.onBadHeaders(request, error))
    }
    const socket = this.#socket
    if (request.method === 'HEAD') {
      socket.write(head, 'latin1')
      release?.()
    } else if (body.length <= copiedBytesMax) {
      const bytes = head.length + body.length
      const buffer = takeSendBuffer(bytes)
      buffer.write(head, 'latin1')
      buffer.set(body, head.length)
      release?.()
      socket.write(buffer.subarray(0, bytes))
      // The rest of it is sent when the client has read something.
      if (socket.writableLength > 0) sendBuffer = Buffer.alloc(0)
    } else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body, (error) => {
        if (error === undefined || error === null) release?.()
      })
      socket.uncork()
    }
  }

  #handOver(rest: Buffer): void {
    const socket = this.#socket
    this.#leave()
    socket.setTimeout(0)
    socket.pause()
    socket.unshift(rest)
    this.#options.handOver(socket)
    socket.resume()
  }

  #leave(): void {
    this.#isOver = true
    this.#socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('drain', this.#onDrain)
      .off('timeout', this.#onTimeout)
      .off('error', this.#onError)
      .off('close', this.#onClose)
    this.#options.onEnd(this)
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true
    if (this.#asked === undefined) this.#socket.end()
  }

  readonly #onDrain = (): void => {
    if (this.#asked === undefined && this.#socket.isPaused()) this.#socket.resume()
  }

  // A page has a deadline of its own.
  readonly #onTimeout = (): void => {
    if (this.#asked === undefined) this.destroy()
  }

  // 'close' follows.
  readonly #onError = (): void => undefined

  readonly #onClose = (): void => this.#leave()
}
