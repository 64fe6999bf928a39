import { connect, constants, type ClientHttp2Session } from 'node:http2'
import { connect as connectSocket } from 'node:net'

/** Status codes of gRPC that callers tell apart. */
export const grpcNotFound = 5
/** A longer message is refused, as by containerd's own client. */
const messageBytesMax = 16 * 2 ** 20
const prefixBytes = 5

/** A call that the server answered with another status than 0. */
export class GrpcError extends Error {
  override name = 'GrpcError'
  readonly code: number

  constructor(method: string, code: number, message: string) {
    super(`cannot call ${method}: want gRPC status 0, got ${code} ${message}`.trimEnd())
    this.code = code
  }
}

/** Unary gRPC calls over a Unix socket: one HTTP/2 connection, opened by the first call and again after it was lost. */
export class GrpcClient {
  readonly #socketPath: string
  #session: ClientHttp2Session | undefined

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /**
   * Sends one message and gives the answer's. Rejects with `GrpcError` for a status that the server sent, with another error if it cannot
   * be reached, says something else or takes longer than `timeoutMs`.
   */
  call(
    method: string,
    message: Uint8Array,
    metadata: Readonly<Record<string, string>>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let byteCount = 0
      let status: string | undefined
      let statusText = ''
      const stream = this.#connect().request(
        {
          [constants.HTTP2_HEADER_METHOD]: 'POST',
          [constants.HTTP2_HEADER_PATH]: method,
          [constants.HTTP2_HEADER_AUTHORITY]: 'localhost',
          'content-type': 'application/grpc',
          te: 'trailers',
          ...metadata,
        },
        { signal },
      )
      const fail = (reason: unknown): void => {
        clearTimeout(timer)
        stream.close(constants.NGHTTP2_CANCEL)
        reject(reason instanceof Error ? reason : new Error(String(reason)))
      }
      const timer = setTimeout(() => fail(new Error(`cannot call ${method}: want an answer within ${timeoutMs} ms, got none`)), timeoutMs)
      const readStatus = (headers: Readonly<Record<string, unknown>>): void => {
        if (typeof headers['grpc-status'] !== 'string') return
        status = headers['grpc-status']
        statusText = decodePercent(String(headers['grpc-message'] ?? ''))
      }
      stream.on('response', (headers) => {
        readStatus(headers)
        const httpStatus = headers[':status']
        if (httpStatus !== 200) fail(new Error(`cannot call ${method}: want HTTP status 200, got ${httpStatus}`))
      })
      stream.on('trailers', readStatus)
      stream.on('data', (chunk: Buffer) => {
        byteCount += chunk.length
        if (byteCount > messageBytesMax) fail(new Error(`cannot call ${method}: want at most ${messageBytesMax} bytes, got more`))
        else chunks.push(chunk)
      })
      stream.on('error', fail)
      stream.on('close', () => fail(new Error(`cannot call ${method}: the connection was closed`)))
      stream.on('end', () => {
        if (status === undefined) return
        clearTimeout(timer)
        if (status !== '0') reject(new GrpcError(method, Number(status), statusText))
        else settleMessage(method, Buffer.concat(chunks), resolve, reject)
      })
      stream.end(frame(message))
    })
  }

  close(): void {
    this.#session?.destroy()
    this.#session = undefined
  }

  #connect(): ClientHttp2Session {
    const known = this.#session
    if (known !== undefined && !known.closed && !known.destroyed) return known
    const session = connect('http://localhost', { createConnection: () => connectSocket(this.#socketPath) })
    // Each stream tells of it.
    session.on('error', () => undefined)
    session.on('close', () => {
      if (this.#session === session) this.#session = undefined
    })
    session.unref()
    this.#session = session
    return session
  }
}

// ┌ compressed 1 B ┬ length 4 B ┬ message ┐
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(prefixBytes + message.length)
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, prefixBytes)
  return framed
}

function settleMessage(method: string, body: Buffer, resolve: (message: Uint8Array) => void, reject: (reason: Error) => void): void {
  if (body.length < prefixBytes || body[0] !== 0 || body.readUInt32BE(1) !== body.length - prefixBytes) {
    reject(new Error(`cannot read answer of ${method}: want one message that is not compressed, got ${body.length} bytes`))
    return
  }
  resolve(body.subarray(prefixBytes))
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
