import { encodeSuccess } from '@narthex/api/envelope'
import type { RouteAdder } from '@narthex/receive/route'
import type { ReplayProgress } from '@narthex/tsdb/fill-head'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { registerPages } from '../pages.ts'

export interface StartRoutesOptions {
  readonly routePrefix: string
  readonly pageTitle: string
  readonly progress: Readonly<ReplayProgress>
  /** Undefined: remote write is not taken here. */
  readonly addWriteRoute: RouteAdder | undefined
  renderMetrics(): Promise<Buffer>
}

const plainText = 'text/plain; charset=utf-8'

/**
 * What is answered while the storage is being read: that the program lives, how far it is, its pages and its metrics, and remote write. Everything
 * else is not there yet, in Prometheus' words.
 */
export function registerStartRoutes(app: FastifyInstance, options: StartRoutesOptions): void {
  const { routePrefix, pageTitle, progress, addWriteRoute } = options
  app.route({
    method: ['GET', 'HEAD'],
    url: '/-/healthy',
    handler: (_request, reply) => reply.type(plainText).send('Narthex is Healthy.\n'),
  })
  app.get('/api/v1/status/walreplay', (_request, reply) => {
    const { min, max, current } = progress
    return reply.type('application/json').send(encodeSuccess({ min, max, current }))
  })
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(await options.renderMetrics()))
  addWriteRoute?.(app)
  registerPages(app, { prefix: routePrefix, title: pageTitle })
  app.all('*', (_request, reply) => refuse(reply))
}

function refuse(reply: FastifyReply): FastifyReply {
  return reply.code(503).header('X-Prometheus-Stopping', 'false').type(plainText).send('Service Unavailable')
}
