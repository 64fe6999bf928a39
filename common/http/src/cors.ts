import { compileRegex } from '@narthex/model/regex'
import type { FastifyInstance } from 'fastify'

/** Adds Prometheus' CORS headers; `origin` is `--web.cors.origin`, a fully anchored RE2 expression. Throws when it does not compile. */
export function addCors(app: FastifyInstance, origin = '.*'): void {
  const regex = compileRegex(origin)
  const allowsAll = origin === '.*'
  app.addHook('onRequest', (request, reply, done) => {
    const given = request.headers.origin
    reply.header('vary', 'Origin')
    if (given !== undefined && given !== '' && (allowsAll || regex.test(given))) {
      reply.header('access-control-allow-headers', 'Accept, Authorization, Content-Type, Origin')
      reply.header('access-control-allow-methods', 'GET, POST, OPTIONS')
      reply.header('access-control-expose-headers', 'Date')
      reply.header('access-control-allow-origin', allowsAll ? '*' : given)
    }
    done()
  })
}
