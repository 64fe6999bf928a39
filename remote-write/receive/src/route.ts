import { BodyPool, RequestAbortedError, RequestTooLargeError, streamBody } from '@narthex/http/body'
import { aborted, declaredBytesOf, plainTextType, tooLarge, type BodyAnswer, type BodyRoute } from '@narthex/http/body-route'
import { addRawRoute } from '@narthex/http/raw-route'
import type { Registry } from '@narthex/service/metrics'
import { bodyBytesMax } from '@narthex/wire/snappy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { InflightBytes } from './inflight-bytes.ts'
import { createReceiveMetrics } from './receive-metrics.ts'
import type { RequestTaker } from './receive-answer.ts'

/** Bodies in memory at once; a sender that finds no room is told to come again. */
const inflightBytesMax = 64 * 1024 * 1024
/** A body that is not whole by then is given up: senders wait 30 s for an answer, and a slow one must not hold the room for others. */
const bodyDeadlineMs = 30_000
export const writePath = '/api/v1/write'
const noRoom: BodyAnswer = {
  status: 429,
  headers: { 'Retry-After': '1' },
  text: 'too many bytes of remote write requests in flight, try again later\n',
}

export interface WriteRouteOptions {
  /** `/api/v1/write` by default. */
  readonly path?: string
  readonly receiver: RequestTaker
  readonly registry: Registry
  readonly inflightBytesMax?: number
  /** 30 s by default. */
  readonly bodyDeadlineMs?: number
}

/** Adds the remote-write route to a server of `@narthex/http/server`; to be called inside `server.routes(…)`. */
export type RouteAdder = (app: FastifyInstance) => void

export interface WriteRoute {
  /** For a server's `answerDirectly`. */
  readonly body: BodyRoute
  readonly add: RouteAdder
}

/** For a route that several listeners have: what is in flight counts together. */
export function createWriteRoute(options: WriteRouteOptions): WriteRoute {
  const body = createBodyRoute(options)

  async function handleWrite(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const declaredBytes = declaredBytesOf(request.raw, body)
    const refusal = body.begin(declaredBytes)
    if (refusal !== undefined) return refuse(reply, refusal)
    const deadline = setTimeout(() => request.raw.destroy(), body.bodyDeadlineMs)
    try {
      const { bytes, release } = await streamBody(request.raw, body.bodyBytesMax, body.pool)
      clearTimeout(deadline)
      try {
        return send(reply, body.answer(request.headers['content-type'], request.headers['content-encoding'], bytes))
      } finally {
        release()
      }
    } catch (error) {
      if (error instanceof RequestTooLargeError) return refuse(reply, tooLarge(error))
      if (error instanceof RequestAbortedError) return send(reply, aborted(error))
      throw error
    } finally {
      clearTimeout(deadline)
      body.end(declaredBytes)
    }
  }

  return { body, add: (app) => addRawRoute(app, { method: 'POST', url: options.path ?? writePath, handler: handleWrite }) }
}

function createBodyRoute(options: WriteRouteOptions): BodyRoute {
  const inflight = new InflightBytes(options.inflightBytesMax ?? inflightBytesMax)
  const count = createReceiveMetrics(options.registry, () => inflight.bytes)
  return {
    bodyBytesMax,
    bodyDeadlineMs: options.bodyDeadlineMs ?? bodyDeadlineMs,
    pool: new BodyPool(),
    begin(declaredBytes) {
      if (declaredBytes > bodyBytesMax) return tooLarge(new RequestTooLargeError(bodyBytesMax))
      return inflight.claim(declaredBytes) ? undefined : noRoom
    },
    answer(contentType, contentEncoding, bytes) {
      const answer = options.receiver.receive(contentType, contentEncoding, bytes)
      count(answer)
      const { status, headers, errorText } = answer
      return { status, headers, text: status === 204 ? '' : `${errorText}\n` }
    },
    end: (declaredBytes) => inflight.release(declaredBytes),
  }
}

/** Answers before the body was read: the connection is closed, so that nobody reads the rest as a next request. */
function refuse(reply: FastifyReply, answer: BodyAnswer): FastifyReply {
  return send(reply.header('Connection', 'close'), answer)
}

function send(reply: FastifyReply, { status, headers, text }: BodyAnswer): FastifyReply {
  for (const name of Object.keys(headers)) reply.header(name, headers[name])
  if (text === '') return reply.code(status).send()
  return reply.code(status).type(plainTextType).header('X-Content-Type-Options', 'nosniff').send(text)
}
