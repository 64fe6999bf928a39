import type { Socket } from 'node:net'
import type { AuthGate } from '../basic-auth.ts'
import type { BodyAnswer, BodyRoute } from '../body-route.ts'
import type { HttpInstruments } from '../instruments.ts'
import type { DirectAnswers } from './direct-answer.ts'
import type { FrontConnection, FrontUse } from './direct-front.ts'
import { RequestHeads, type RequestHead } from './request-head.ts'

/** A route, and its path without the prefix of all routes. */
export interface DirectRoute {
  readonly path: string
  readonly route: BodyRoute
}

export interface DirectOptions extends FrontUse {
  /** By the paths that requests name. */
  readonly routes: ReadonlyMap<string, DirectRoute>
  readonly gate: AuthGate
  readonly answers: DirectAnswers
  readonly instruments: HttpInstruments | undefined
  /** How long a connection may wait for its first request, and for each further one. */
  readonly firstRequestMs: number
  readonly keepAliveMs: number
  onBug(path: string, error: unknown): void
}

/** What node:http says to half a request. */
const badRequest = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'

/** A request whose body is under way. */
interface Underway {
  readonly head: RequestHead
  readonly found: DirectRoute
  readonly beginMs: number
  readonly buffer: Buffer
  length: number
  readonly deadline: NodeJS.Timeout
}

/**
 * A connection whose requests are answered without node:http as long as they are of the plainest kind, are for direct routes, and are let in. The first
 * one that is not goes to node:http, and the connection with it.
 */
export class DirectConnection implements FrontConnection {
  readonly #socket: Socket
  readonly #options: DirectOptions
  readonly #heads = new RequestHeads()
  #underway: Underway | undefined
  #isLoggingIn = false
  #isFirst = true
  #isOver = false

  constructor(socket: Socket, options: DirectOptions) {
    this.#socket = socket
    this.#options = options
    socket.setTimeout(options.firstRequestMs)
    socket
      .on('data', this.#onData)
      .on('end', this.#onEnd)
      .on('timeout', this.#onTimeout)
      .on('error', this.#onError)
      .on('close', this.#onClose)
  }

  /** Whether nobody waits for an answer. */
  get isIdle(): boolean {
    return this.#underway === undefined && !this.#isLoggingIn
  }

  destroy(): void {
    this.#socket.destroy()
  }

  readonly #onData = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length && !this.#isOver;) {
      const underway = this.#underway
      const next = underway === undefined ? this.#begin(chunk, at) : this.#goOn(underway, chunk, at)
      if (next < 0) return
      at = next
      if (at < chunk.length && this.#socket.isPaused()) return this.#socket.unshift(chunk.subarray(at))
    }
  }

  /** A request begins in a chunk: gives where it ends, or the end of the chunk; -1 if the rest of the chunk is not for now. */
  #begin(chunk: Buffer, at: number): number {
    const { routes, gate, instruments } = this.#options
    const head = this.#heads.read(chunk, at)
    const found = head === undefined ? undefined : routes.get(head.path)
    if (head === undefined || found === undefined) return this.#handOver(chunk.subarray(at))
    if (!gate.isAccepted(this.#socket, head.authorization)) {
      void this.#logIn(head.authorization, chunk.subarray(at))
      return -1
    }
    const { route } = found
    // It refuses, or takes it, a second time then.
    if (route.begin(head.bodyBytes) !== undefined) return this.#handOver(chunk.subarray(at))
    const beginMs = instruments === undefined ? 0 : performance.now()
    const from = at + head.headBytes
    const end = from + head.bodyBytes
    if (end <= chunk.length) {
      this.#answer(head, found, chunk.subarray(from, end), beginMs)
      return end
    }
    const buffer = route.pool.acquire(head.bodyBytes)
    buffer.set(chunk.subarray(from))
    const deadline = setTimeout(() => this.destroy(), route.bodyDeadlineMs)
    this.#underway = { head, found, beginMs, buffer, length: chunk.length - from, deadline }
    return chunk.length
  }

  #goOn(underway: Underway, chunk: Buffer, at: number): number {
    const { head, found, buffer } = underway
    const end = Math.min(chunk.length, at + head.bodyBytes - underway.length)
    buffer.set(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end), underway.length)
    underway.length += end - at
    if (underway.length === head.bodyBytes) {
      clearTimeout(underway.deadline)
      this.#underway = undefined
      this.#answer(head, found, buffer.subarray(0, head.bodyBytes), underway.beginMs)
      found.route.pool.release(buffer)
    }
    return end
  }

  #answer(head: RequestHead, { path, route }: DirectRoute, body: Uint8Array, beginMs: number): void {
    const { answers, instruments, keepAliveMs, onBug } = this.#options
    let answer: BodyAnswer
    try {
      answer = route.answer(head.contentType, head.contentEncoding, body)
    } catch (error) {
      onBug(path, error)
      answer = { status: 500, headers: {}, text: `${error instanceof Error ? error.message : String(error)}\n` }
    }
    route.end(head.bodyBytes)
    const socket = this.#socket
    if (answer.text === '') this.#hasRoom(socket.write(answers.head(answer, Date.now()), 'latin1'))
    else {
      socket.cork()
      socket.write(answers.head(answer, Date.now()), 'latin1')
      this.#hasRoom(socket.write(answer.text))
      socket.uncork()
    }
    if (this.#isFirst) {
      this.#isFirst = false
      socket.setTimeout(keepAliveMs)
    }
    instruments?.observe(path, 'POST', answer.status, (performance.now() - beginMs) / 1000, Buffer.byteLength(answer.text))
  }

  /** Who does not read answers gets no further ones. */
  #hasRoom(hasRoom: boolean): void {
    const socket = this.#socket
    if (hasRoom || socket.isPaused()) return
    socket.pause()
    socket.once('drain', () => {
      if (!this.#isLoggingIn && !this.#isOver) socket.resume()
    })
  }

  /** Asks whether the request at the begin of `bytes` may come in, and goes on with it; node:http tells those that may not. */
  async #logIn(authorization: string | undefined, bytes: Buffer): Promise<void> {
    const socket = this.#socket
    this.#isLoggingIn = true
    socket.pause()
    let isAccepted = false
    try {
      isAccepted = (await this.#options.gate.judge(socket, authorization)) === true
    } catch {
      // node:http asks again, and says it.
    }
    this.#isLoggingIn = false
    if (this.#isOver) return
    if (isAccepted) {
      this.#onData(bytes)
      if (!this.#isOver && !this.#isLoggingIn && !socket.writableNeedDrain) socket.resume()
    } else this.#handOver(bytes)
  }

  #handOver(rest: Buffer): -1 {
    const socket = this.#socket
    this.#leave()
    socket.setTimeout(0)
    socket.pause()
    socket.unshift(rest)
    this.#options.handOver(socket)
    socket.resume()
    return -1
  }

  #leave(): void {
    this.#isOver = true
    const socket = this.#socket
    socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('timeout', this.#onTimeout)
      .off('error', this.#onError)
      .off('close', this.#onClose)
    this.#options.onEnd(this)
  }

  readonly #onEnd = (): void => {
    if (this.#underway === undefined) this.#socket.end()
    else this.#socket.end(badRequest)
  }

  readonly #onTimeout = (): void => {
    // A body has its own deadline, and a password is looked at as long as it takes.
    if (this.isIdle) this.destroy()
  }

  // 'close' follows.
  readonly #onError = (): void => undefined

  readonly #onClose = (): void => {
    this.#leave()
    const underway = this.#underway
    this.#underway = undefined
    if (underway === undefined) return
    clearTimeout(underway.deadline)
    underway.found.route.pool.release(underway.buffer)
    underway.found.route.end(underway.head.bodyBytes)
  }
}
