import type { IncomingMessage } from 'node:http'
import type { BodyPool, RequestAbortedError, RequestTooLargeError } from './body.ts'

export interface BodyAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body, plain text that ends with a line break; '' = none. */
  readonly text: string
}

/** A POST route that gets its body whole and answers at once: what it needs of HTTP is so little that it does without a framework. */
export interface BodyRoute {
  readonly bodyBytesMax: number
  /** A body that is not whole by then is given up, and its connection with it. */
  readonly bodyDeadlineMs: number
  readonly pool: BodyPool
  /** Asked before a body of so many bytes is read, `bodyBytesMax` where it does not say: an answer refuses it. */
  begin(declaredBytes: number): BodyAnswer | undefined
  /** Keeps no reference to `body`. */
  answer(contentType: string | undefined, contentEncoding: string | undefined, body: Uint8Array): BodyAnswer
  /** Once for each `begin` that did not refuse, whatever became of the body. */
  end(declaredBytes: number): void
}

export const plainTextType = 'text/plain; charset=utf-8'

/** Bytes that a request says it has, those that its route takes if it does not say. */
export function declaredBytesOf(request: IncomingMessage, route: BodyRoute): number {
  return Number(request.headers['content-length'] ?? route.bodyBytesMax)
}

export function tooLarge(error: RequestTooLargeError): BodyAnswer {
  return { status: 413, headers: {}, text: `${error.message}\n` }
}

export function aborted(error: RequestAbortedError): BodyAnswer {
  return { status: 400, headers: {}, text: `${error.message}\n` }
}
