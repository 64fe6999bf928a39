import { BodyPool, RequestAbortedError, RequestTooLargeError, streamBody } from '@narthex/http/body'
import { addRawRoute } from '@narthex/http/raw-route'
import type { Registry } from '@narthex/service/metrics'
import { bodyBytesMax } from '@narthex/wire/snappy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { InflightBytes } from './inflight-bytes.ts'
import { createReceiveMetrics } from './receive-metrics.ts'
import type { RequestTaker } from './receive-answer.ts'

/** Bodies in memory at once; a sender that finds no room is told to come again. */
const inflightBytesMax = 64 * 1024 * 1024
const retryAfterSeconds = 1
/** A body that is not whole by then is given up: senders wait 30 s for an answer, and a slow one must not hold the room for others. */
const bodyDeadlineMs = 30_000

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

export function addWriteRoute(app: FastifyInstance, options: WriteRouteOptions): void {
  createWriteRoute(options)(app)
}

/** For a route that several listeners have: what is in flight counts together. */
export function createWriteRoute(options: WriteRouteOptions): RouteAdder {
  const pool = new BodyPool()
  const inflight = new InflightBytes(options.inflightBytesMax ?? inflightBytesMax)
  const count = createReceiveMetrics(options.registry, () => inflight.bytes)

  async function handleWrite(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const declared = Number(request.headers['content-length'] ?? bodyBytesMax)
    if (declared > bodyBytesMax) return refuse(reply, 413, new RequestTooLargeError(bodyBytesMax).message)
    if (!inflight.claim(declared)) {
      reply.header('Retry-After', String(retryAfterSeconds))
      return refuse(reply, 429, 'too many bytes of remote write requests in flight, try again later')
    }
    const deadline = setTimeout(() => request.raw.destroy(), options.bodyDeadlineMs ?? bodyDeadlineMs)
    try {
      const body = await streamBody(request.raw, bodyBytesMax, pool)
      clearTimeout(deadline)
      try {
        const answer = options.receiver.receive(request.headers['content-type'], request.headers['content-encoding'], body.bytes)
        count(answer)
        for (const name of Object.keys(answer.headers)) reply.header(name, answer.headers[name])
        return answer.status === 204 ? reply.code(204).send() : sendText(reply, answer.status, answer.errorText)
      } finally {
        body.release()
      }
    } catch (error) {
      if (error instanceof RequestTooLargeError) return refuse(reply, 413, error.message)
      if (error instanceof RequestAbortedError) return sendText(reply, 400, error.message)
      throw error
    } finally {
      clearTimeout(deadline)
      inflight.release(declared)
    }
  }

  return (app) => addRawRoute(app, { method: 'POST', url: options.path ?? '/api/v1/write', handler: handleWrite })
}

/** Answers before the body was read: the connection is closed, so that nobody reads the rest as a next request. */
function refuse(reply: FastifyReply, status: number, text: string): FastifyReply {
  reply.header('Connection', 'close')
  return sendText(reply, status, text)
}

function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type('text/plain; charset=utf-8').header('X-Content-Type-Options', 'nosniff').send(`${text}\n`)
}
