import type { IncomingMessage, ServerResponse } from 'node:http'
import { RequestAbortedError, RequestTooLargeError, collectBody, type BodyPool } from './body.ts'

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

/**
 * Answers a request whose body nobody has read. `onAnswered` is called when the answer is written, `onBug` with an error that is not the
 * client's, which is then told that it failed.
 */
export function answerBody(
  request: IncomingMessage,
  response: ServerResponse,
  route: BodyRoute,
  onAnswered: (() => void) | undefined,
  onBug: (error: unknown) => void,
): void {
  const declaredBytes = declaredBytesOf(request, route)
  const refusal = route.begin(declaredBytes)
  if (refusal !== undefined) return send(response, refusal, true, onAnswered)
  const deadline = setTimeout(() => request.destroy(), route.bodyDeadlineMs)
  const end = (answer: BodyAnswer, isUnread: boolean): void => {
    clearTimeout(deadline)
    route.end(declaredBytes)
    send(response, answer, isUnread, onAnswered)
  }
  const fail = (error: unknown): void => {
    if (error instanceof RequestTooLargeError) end(tooLarge(error), true)
    else if (error instanceof RequestAbortedError) end(aborted(error), false)
    else {
      onBug(error)
      end({ status: 500, headers: {}, text: `${error instanceof Error ? error.message : String(error)}\n` }, false)
    }
  }
  const take = (bytes: Uint8Array, release: () => void): void => {
    let answer: BodyAnswer
    try {
      answer = route.answer(request.headers['content-type'], request.headers['content-encoding'], bytes)
    } catch (error) {
      return fail(error)
    } finally {
      release()
    }
    end(answer, false)
  }
  collectBody(request, route.bodyBytesMax, route.pool, take, fail)
}

export function tooLarge(error: RequestTooLargeError): BodyAnswer {
  return { status: 413, headers: {}, text: `${error.message}\n` }
}

export function aborted(error: RequestAbortedError): BodyAnswer {
  return { status: 400, headers: {}, text: `${error.message}\n` }
}

/** After an answer to a body that was not read the connection is closed, so that nobody reads the rest as a next request. */
function send(
  response: ServerResponse,
  { status, headers, text }: BodyAnswer,
  isUnread: boolean,
  onAnswered: (() => void) | undefined,
): void {
  for (const name of Object.keys(headers)) response.setHeader(name, headers[name]!)
  if (isUnread) response.setHeader('Connection', 'close')
  response.statusCode = status
  if (text !== '') {
    response.setHeader('Content-Type', plainTextType)
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Content-Length', Buffer.byteLength(text))
    response.end(text, onAnswered)
  } else response.end(onAnswered)
}
