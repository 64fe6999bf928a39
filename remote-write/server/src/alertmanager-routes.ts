import type { Alertmanager } from '@narthex/alertmanager/alertmanager'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import type { Registry } from '@narthex/service/metrics'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const bodyBytesMax = 16 * 1024 * 1024

/** Adds an alertmanager's API v2, health pages and metrics below `path`. */
export function mountAlertmanager(
  app: FastifyInstance,
  path: string,
  parts: { registry(): Registry; alertmanager(): Alertmanager | undefined },
): void {
  const writer = new FamilyWriter()
  const text = (reply: FastifyReply, status: number, body: string) => reply.code(status).type('text/plain; charset=utf-8').send(body)
  app.get(`${path}/metrics`, async (_request, reply) => {
    await parts.registry().prepare()
    writer.reset()
    parts.registry().write(writer)
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(Buffer.from(writer.finish()))
  })
  app.route({ method: ['GET', 'HEAD'], url: `${path}/-/healthy`, handler: (_request, reply) => text(reply, 200, 'OK') })
  app.route({
    method: ['GET', 'HEAD'],
    url: `${path}/-/ready`,
    handler: (_request, reply) => text(reply, parts.alertmanager() ? 200 : 503, parts.alertmanager() ? 'OK' : 'off'),
  })
  // In a scope of its own: the body goes on as parsed JSON, whatever the client calls its type.
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: bodyBytesMax }, (_request, body, parsed) => parsed(null, body))
    const handle = (request: FastifyRequest, reply: FastifyReply) => {
      const alertmanager = parts.alertmanager()
      if (!alertmanager) {
        return text(reply, 404, 'the embedded alertmanager is off: the configuration names other alertmanagers (alerting.alertmanagers)\n')
      }
      const url = new URL(request.url, 'http://localhost')
      const answer = alertmanager.handleApi({
        method: request.method,
        path: url.pathname.slice(url.pathname.indexOf(`${path}/`) + path.length),
        query: url.searchParams,
        body: { text: typeof request.body === 'string' ? request.body : '', contentType: request.headers['content-type'] ?? '' },
      })
      for (const [name, value] of Object.entries(answer.headers)) reply.header(name, value)
      return reply.code(answer.status).type(answer.contentType).send(answer.body)
    }
    scope.route({ method: ['GET', 'POST', 'DELETE', 'OPTIONS', 'PUT'], url: `${path}/api/*`, handler: handle })
    done()
  })
}
