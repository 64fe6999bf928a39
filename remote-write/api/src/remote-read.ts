import { Readable } from 'node:stream'
import { BodyPool, RequestAbortedError, RequestTooLargeError, streamBody } from '@narthex/http/body'
import { addRawRoute } from '@narthex/http/raw-route'
import type { Labels } from '@narthex/model/labels'
import { WireError } from '@narthex/wire/protobuf-cursor'
import { chunksResponse, readReadRequest, samplesResponse } from '@narthex/wire/remote-read-request'
import type { ReadMatcher, ReadQuery } from '@narthex/wire/remote-read-request'
import { SnappyError, uncompress } from '@narthex/wire/snappy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { abortOnClose } from './abort-on-close.ts'
import type { ApiBackend, RemoteReadQuery } from './backend.ts'
import { ConcurrencyGate } from './concurrency-gate.ts'
import { ApiError } from './envelope.ts'
import { PartQueue } from './part-queue.ts'

/** Compressed and uncompressed; a request is a selector, of some hundred bytes. */
const requestBytesMax = 4 * 1024 * 1024
/** Errors are text here, not the JSON of other endpoints, as Go's `http.Error` writes it. */
const textType = 'text/plain; charset=utf-8'

/** Adds `POST /api/v1/read`, remote read as Prometheus answers it (common/wire/FORMAT.md). */
export function registerRemoteRead(api: FastifyInstance, backend: ApiBackend): void {
  const { remoteRead } = backend
  const pool = new BodyPool()
  const gate = new ConcurrencyGate(remoteRead.concurrencyMax)
  const tell = (): void => remoteRead.onCount(gate.count)

  async function answer(request: FastifyRequest, reply: FastifyReply, signal: AbortSignal): Promise<FastifyReply> {
    const body = await streamBody(request.raw, requestBytesMax, pool)
    let asked
    try {
      asked = readReadRequest(uncompress(body.bytes, requestBytesMax))
    } finally {
      body.release()
    }
    const streams = negotiate(asked.acceptedResponses) === chunksResponse
    const externalLabels = remoteRead.externalLabels()
    const queries = asked.queries.map((query) => toBackendQuery(query, externalLabels))
    const parts = new PartQueue()
    const running = remoteRead
      .read({ queries, streams, externalLabels }, (bytes, onTaken) => parts.push(bytes, onTaken), signal, {
        clientAddress: request.ip,
        method: request.method,
        path: request.url.split('?', 1)[0]!,
      })
      .then(
        () => parts.end(),
        (error: unknown) => parts.end(error),
      )
    await parts.begin()
    if (streams) void reply.type('application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse')
    else void reply.type('application/x-protobuf').header('Content-Encoding', 'snappy')
    const stream = Readable.from(parts, { objectMode: false })
    // A failure in the middle breaks the connection off, so that nobody takes what came for the whole.
    stream.once('error', (error) => {
      if (!(error instanceof ApiError)) backend.reportBug(error)
    })
    await reply.send(stream)
    await running
    return reply
  }

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!backend.lifecycle.isReady()) {
      void reply.header('X-Prometheus-Stopping', String(backend.lifecycle.isStopping()))
      return reply.code(503).type(textType).send('Service Unavailable')
    }
    const abort = abortOnClose(reply, () => new ApiError('canceled', 'the client went away'))
    let hasEntered = false
    try {
      const entering = gate.enter(abort.signal)
      tell()
      await entering
      hasEntered = true
      return await answer(request, reply, abort.signal)
    } catch (error) {
      return await sendError(reply, error, backend)
    } finally {
      if (hasEntered) gate.leave()
      tell()
      abort.end()
    }
  }

  addRawRoute(api, { method: 'POST', url: '/api/v1/read', handler: handle })
}

/** The first response type that is known; of a client that names none, samples. */
function negotiate(accepted: readonly number[]): number {
  if (accepted.length === 0) return samplesResponse
  const chosen = accepted.find((type) => type === samplesResponse || type === chunksResponse)
  if (chosen !== undefined) return chosen
  const supported = 'map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]'
  throw new WireError(`server does not support any of the requested response types: [${accepted.join(' ')}]; supported: ${supported}`)
}

function toBackendQuery(query: ReadQuery, externalLabels: Labels): RemoteReadQuery {
  const { hints } = query
  const matchers = query.matchers.map((matcher) => withoutExternal(matcher, externalLabels))
  // The hints have the time of the selector; around it the query's may be wider.
  const times = hints !== undefined && (hints.startMs !== 0 || hints.endMs !== 0) ? hints : query
  return { startMs: times.startMs, endMs: times.endMs, matchers, wantsSamples: hints?.function !== 'series' }
}

/** What asks for the value of an external label asks for a series without it: in the storage there is no such label. */
function withoutExternal(matcher: ReadMatcher, externalLabels: Labels): ReadMatcher {
  const isExternal = matcher.type === '=' && matcher.value === externalLabels.get(matcher.name)
  return isExternal ? { ...matcher, value: '' } : matcher
}

async function sendError(reply: FastifyReply, error: unknown, backend: ApiBackend): Promise<FastifyReply> {
  const text = error instanceof Error ? error.message : String(error)
  // Under way there is nothing more to say: the connection is broken off.
  if (reply.sent) return reply
  const status = statusOf(error)
  if (status === 500 && !(error instanceof ApiError)) backend.reportBug(error)
  // The rest of a body that was too long is not read.
  if (error instanceof RequestTooLargeError) void reply.header('Connection', 'close')
  return reply.code(status).type(textType).header('X-Content-Type-Options', 'nosniff').send(`${text}\n`)
}

function statusOf(error: unknown): number {
  if (error instanceof WireError || error instanceof SnappyError) return 400
  if (error instanceof RequestTooLargeError || error instanceof RequestAbortedError) return error.statusCode
  if (!(error instanceof ApiError)) return 500
  // The other endpoints answer 422, which is of the JSON API alone.
  return error.kind === 'execution' ? 500 : error.status
}
