import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'

export interface RawRoute {
  readonly method: HTTPMethods | HTTPMethods[]
  readonly url: string
  handler(request: FastifyRequest, reply: FastifyReply): unknown
}

/** Adds a route whose body, of any content type, is left unread in `request.raw` for `streamBody`. */
export function addRawRoute(app: FastifyInstance, route: RawRoute): void {
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null, undefined))
    scope.route({ method: route.method, url: route.url, handler: route.handler })
    done()
  })
}
