import type { IncomingMessage } from 'node:http'

/** A request body is longer than the route allows: answer 413. */
export class RequestTooLargeError extends Error {
  override name = 'RequestTooLargeError'
  readonly statusCode = 413
  readonly bodyBytesMax: number

  constructor(bodyBytesMax: number) {
    super(`request body too large: want at most ${bodyBytesMax} bytes`)
    this.bodyBytesMax = bodyBytesMax
  }
}

/** The sender went away before the body was whole. */
export class RequestAbortedError extends Error {
  override name = 'RequestAbortedError'
  readonly statusCode = 400

  constructor() {
    super('unexpected EOF')
  }
}

const smallestShift = 16
const largestShift = 26

/**
 * Buffers for bodies, kept by powers of two from 64 KiB to 64 MiB. Idle ones are kept up to `idleBytesMax` in all; larger requests get
 * a buffer of their own. Not for sharing between threads.
 */
export class BodyPool {
  readonly #free: Buffer[][] = Array.from({ length: largestShift + 1 }, () => [])
  readonly #idleBytesMax: number
  #idleBytes = 0

  constructor(idleBytesMax = 64 * 2 ** 20) {
    this.#idleBytesMax = idleBytesMax
  }

  /** A buffer of at least this length with old content in it. */
  acquire(bytes: number): Buffer {
    const shift = shiftFor(bytes)
    if (shift > largestShift) return Buffer.allocUnsafeSlow(bytes)
    const buffer = this.#free[shift]!.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(2 ** shift)
    this.#idleBytes -= buffer.length
    return buffer
  }

  /** Takes back a buffer of `acquire`; nobody may look into it afterwards. */
  release(buffer: Buffer): void {
    const shift = shiftFor(buffer.length)
    if (shift > largestShift || buffer.length !== 2 ** shift || this.#idleBytes + buffer.length > this.#idleBytesMax) return
    this.#free[shift]!.push(buffer)
    this.#idleBytes += buffer.length
  }
}

function shiftFor(bytes: number): number {
  return Math.max(smallestShift, 32 - Math.clz32(Math.max(0, bytes - 1)))
}

/** A body in a pooled buffer: `bytes` may be used until `release()`, which is called exactly once. */
export interface PooledBody {
  readonly bytes: Uint8Array
  release(): void
}

/**
 * Reads a whole request body into a buffer of the pool: one copy, and none of the memory is taken before the declared length was checked.
 * Throws `RequestTooLargeError` (the rest of the body is not read) or `RequestAbortedError`.
 */
export function streamBody(request: IncomingMessage, bytesMax: number, pool: BodyPool): Promise<PooledBody> {
  return new Promise((resolve, reject) => {
    collectBody(request, bytesMax, pool, (bytes, release) => resolve({ bytes, release }), reject)
  })
}

/** As `streamBody`, for callers to whom a promise for each request is too much: exactly one of the two is called, and `onFail` may be at once. */
export function collectBody(
  request: IncomingMessage,
  bytesMax: number,
  pool: BodyPool,
  onWhole: (bytes: Uint8Array, release: () => void) => void,
  onFail: (error: RequestTooLargeError | RequestAbortedError) => void,
): void {
  const declaredBytes = Number(request.headers['content-length'] ?? -1)
  if (declaredBytes > bytesMax) return onFail(new RequestTooLargeError(bytesMax))
  let buffer = pool.acquire(declaredBytes >= 0 ? declaredBytes : 1)
  let length = 0
  let isOver = false

  function fail(error: RequestTooLargeError | RequestAbortedError): void {
    isOver = true
    request.pause()
    pool.release(buffer)
    onFail(error)
  }
  // Listeners stay: they go with the request, and to take each away costs as much as the copy of a small body.
  request.on('data', (chunk: Buffer) => {
    if (isOver) return
    const needed = length + chunk.length
    if (needed > bytesMax) return fail(new RequestTooLargeError(bytesMax))
    if (needed > buffer.length) {
      const larger = pool.acquire(Math.min(Math.max(needed, buffer.length * 2), Math.max(needed, bytesMax)))
      larger.set(buffer.subarray(0, length))
      pool.release(buffer)
      buffer = larger
    }
    buffer.set(chunk, length)
    length = needed
  })
  request.on('end', () => {
    if (isOver) return
    isOver = true
    const whole = buffer
    onWhole(whole.subarray(0, length), () => pool.release(whole))
  })
  // A request that breaks off is closed with an error only if somebody listens to it, and without one else.
  request.on('close', () => {
    if (!isOver) fail(new RequestAbortedError())
  })
}
