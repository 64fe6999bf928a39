import type { FastifyInstance } from 'fastify'
import type { ServerResponse } from 'node:http'

/** Where requests are counted. `handler` is the route as registered without the prefix: `/api/v1/query`. */
export interface HttpInstruments {
  observe(handler: string, method: string, status: number, durationSeconds: number, responseBytes: number): void
}

/** Reports every answered request whose route exists; others are not counted, as in Prometheus. */
export function addInstruments(app: FastifyInstance, instruments: HttpInstruments, routePrefix: string): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url
    if (route !== undefined && !request.is404) {
      const handler = routePrefix !== '' && route.startsWith(routePrefix) ? route.slice(routePrefix.length) || '/' : route
      const length = Number(reply.getHeader('content-length') ?? 0)
      instruments.observe(handler, request.method, reply.statusCode, reply.elapsedTime / 1000, Number.isFinite(length) ? length : 0)
    }
    done()
  })
}

/** As `addInstruments`, for one POST request that begins now and is answered without the application: to be called when it is. */
export function observeAnswer(instruments: HttpInstruments, handler: string, response: ServerResponse): () => void {
  const beginMs = performance.now()
  return () => {
    const length = Number(response.getHeader('content-length') ?? 0)
    instruments.observe(handler, 'POST', response.statusCode, (performance.now() - beginMs) / 1000, length)
  }
}
