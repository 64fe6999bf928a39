import type { FastifyInstance } from 'fastify'
import { isRehearsal } from './rehearsal.ts'

/** Where requests are counted. `handler` is the route as registered without the prefix: `/api/v1/query`. */
export interface HttpInstruments {
  observe(handler: string, method: string, status: number, durationSeconds: number, responseBytes: number): void
  /** A connection was accepted. */
  opened?(): void
  /** A connection has ended. */
  closed?(): void
}

/** Reports every answered request whose route exists; others are not counted, as in Prometheus. */
export function addInstruments(app: FastifyInstance, instruments: HttpInstruments, routePrefix: string): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url
    if (route !== undefined && !request.is404 && !isRehearsal(request.ip)) {
      const handler = routePrefix !== '' && route.startsWith(routePrefix) ? route.slice(routePrefix.length) || '/' : route
      const length = Number(reply.getHeader('content-length') ?? 0)
      instruments.observe(handler, request.method, reply.statusCode, reply.elapsedTime / 1000, Number.isFinite(length) ? length : 0)
    }
    done()
  })
}
