import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { Endpoint } from './endpoints.ts'

/** A peer that says more before we have what we wait for is not what we look for. */
export const probeBytesMax = 64 * 1024

/** Nothing answered, or it stopped: the text says what was tried. */
export class NoAnswerError extends Error {}

/** One connection of a probe: a few messages under one deadline, then a clean end. */
export class ProbeConnection {
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout
  #received = Buffer.alloc(0)
  #failure: Error | undefined
  #wake: () => void = () => {}

  private constructor(socket: Socket, place: string, timeoutMs: number) {
    this.#socket = socket
    this.#timer = setTimeout(() => this.#fail(new NoAnswerError(`no answer from ${place} within ${timeoutMs / 1000} s`)), timeoutMs)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      if (this.#received.length > probeBytesMax) this.#fail(new Error(`${place} sent more than ${probeBytesMax} bytes`))
      this.#wake()
    })
    socket.on('error', (cause: NodeJS.ErrnoException) =>
      this.#fail(new NoAnswerError(`${place}: ${cause.code ?? cause.message}`, { cause })),
    )
    socket.on('end', () => this.#fail(new NoAnswerError(`${place} closed the connection`)))
  }

  /** Connects; throws NoAnswerError. The deadline is for the whole probe. */
  static async open(endpoint: Endpoint, timeoutMs: number): Promise<ProbeConnection> {
    const socket = endpoint.kind === 'unix' ? connect({ path: endpoint.path }) : connect({ host: endpoint.host, port: endpoint.port })
    const connection = new ProbeConnection(socket, describeEndpoint(endpoint), timeoutMs)
    let isConnected = false
    socket.once('connect', () => {
      isConnected = true
      connection.#wake()
    })
    await connection.#until(() => isConnected)
    return connection
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Waits until `measure` finds a whole message at the start of what came: it gives the message's length, undefined while there is none. */
  async receive(measure: (received: Buffer) => number | undefined): Promise<Buffer> {
    let length: number | undefined
    await this.#until(() => {
      length = measure(this.#received)
      return length !== undefined && length <= this.#received.length
    })
    const message = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return message
  }

  /** Ends the connection as a client does that has said goodbye; sent bytes still go out. */
  close(): void {
    clearTimeout(this.#timer)
    this.#socket.end()
    this.#socket.resume()
    // A peer that never closes its side.
    const timer = setTimeout(() => this.#socket.destroy(), 1000)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      if (this.#failure !== undefined) {
        this.close()
        throw this.#failure
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #fail(error: Error): void {
    clearTimeout(this.#timer)
    this.#failure ??= error
    this.#wake()
  }
}

export function describeEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return endpoint.path
  return endpoint.host.includes(':') ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`
}
