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
  const declaredBytes = Number(request.headers['content-length'] ?? -1)
  if (declaredBytes > bytesMax) return Promise.reject(new RequestTooLargeError(bytesMax))
  return new Promise((resolve, reject) => {
    let buffer = pool.acquire(declaredBytes >= 0 ? declaredBytes : 1)
    let length = 0

    function onData(chunk: Buffer): void {
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
    }
    function onEnd(): void {
      detach()
      const whole = buffer
      resolve({ bytes: whole.subarray(0, length), release: () => pool.release(whole) })
    }
    function onClose(): void {
      fail(new RequestAbortedError())
    }
    function fail(error: Error): void {
      detach()
      request.pause()
      pool.release(buffer)
      reject(error)
    }
    function detach(): void {
      request.off('data', onData)
      request.off('end', onEnd)
      request.off('error', onClose)
      request.off('close', onClose)
    }
    request.on('data', onData)
    request.on('end', onEnd)
    request.on('error', onClose)
    request.on('close', onClose)
  })
}
