import { sendCompressed } from '@narthex/http/compress'
import { parseAnySelector } from '@narthex/promql/parse/parse'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { abortOnClose } from './abort-on-close.ts'
import type { ApiBackend } from './backend.ts'
import { ApiError } from './envelope.ts'
import { chooseFederationFormat } from './federation-format.ts'

// Go's `http.Error`.
const errorType = 'text/plain; charset=utf-8'

/** Adds `GET /federate`: the newest samples of the selected series, as exposition text or protobuf. Errors are plain text here. */
export function registerFederation(server: FastifyInstance, backend: ApiBackend): void {
  server.get('/federate', async (request, reply) => {
    if (!backend.lifecycle.isReady()) {
      void reply.header('X-Prometheus-Stopping', String(backend.lifecycle.isStopping()))
      return reply.code(503).type(errorType).send('Service Unavailable')
    }
    const abort = abortOnClose(reply)
    try {
      return await answer(request, reply, backend, abort.signal)
    } catch (error) {
      backend.federation.onError()
      if (!(error instanceof ApiError)) backend.reportBug(error)
      const status = error instanceof ApiError && error.kind === 'bad_data' ? 400 : 500
      return reply
        .code(status)
        .type(errorType)
        .send(`${error instanceof Error ? error.message : String(error)}\n`)
    } finally {
      abort.end()
    }
  })
}

async function answer(request: FastifyRequest, reply: FastifyReply, backend: ApiBackend, signal: AbortSignal): Promise<FastifyReply> {
  const queryStart = request.url.indexOf('?')
  const matchers = queryStart < 0 ? [] : new URLSearchParams(request.url.slice(queryStart + 1)).getAll('match[]')
  for (const selector of matchers) checkSelector(selector)
  const { format, allowsUtf8, contentType } = chooseFederationFormat(request.headers.accept ?? '')
  const timeMs = backend.now()
  const { body, release } = await backend.query.federate({ matchers, timeMs, format, allowsUtf8 }, signal, {
    clientAddress: request.ip,
    method: request.method,
    path: request.url.split('?', 1)[0]!,
  })
  if (release !== undefined) {
    if (reply.raw.closed) release()
    else reply.raw.once('close', release)
  }
  return await sendCompressed(request, reply, contentType, body)
}

function checkSelector(selector: string): void {
  try {
    parseAnySelector(selector)
  } catch (error) {
    throw new ApiError('bad_data', error instanceof Error ? error.message : String(error))
  }
}
